"""Embeddings on Bedrock: each maker's own body under InvokeModel, since Converse has none.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
…/model-parameters-titan-embed-mm.html and …/model-parameters-embed.html (Cohere). Titan takes one text at a time and
Cohere 96, so one request of a client may be several here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Literal

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.core.usage import Usage
from pointsman.dialects.droppable import HINTS, demand_droppable

__all__ = ["EmbeddingKind", "embedding_kind", "read_embeddings", "refuse_or_drop_embedding", "write_embedding_requests"]

EmbeddingKind = Literal["titan_1", "titan_2", "titan_image", "cohere"]

_KINDS: Final[tuple[tuple[str, EmbeddingKind], ...]] = (
    ("amazon.titan-embed-text-v2", "titan_2"),
    ("amazon.titan-embed-image", "titan_image"),
    ("amazon.titan-embed", "titan_1"),
    ("cohere.embed", "cohere"),
)
_COHERE_TEXTS_MAX: Final = 96
_OWN: Final[dict[EmbeddingKind, frozenset[str]]] = {
    "titan_1": frozenset(),
    "titan_2": frozenset({"normalize"}),
    "titan_image": frozenset(),
    "cohere": frozenset({"input_type", "truncate"}),
}
"""Fields of a maker's own that the common vocabulary has no word for."""

_PURPOSE: Final = msgspec.Raw(b'"search_document"')
"""Cohere demands a purpose; this is LiteLLM's, where nobody gives one."""

_HINTS: Final = HINTS | {"keep_alive", "num_ctx", "model_id", "truncate", "taskType", "title"}


class _TitanAnswer(msgspec.Struct):
    embedding: tuple[float, ...]
    tokens: int = msgspec.field(default=0, name="inputTextTokenCount")


class _CohereVectors(msgspec.Struct):
    numbers: list[tuple[float, ...]] = msgspec.field(name="float")


class _CohereAnswer(msgspec.Struct):
    embeddings: list[tuple[float, ...]] | _CohereVectors


_encode: Final = msgspec.json.Encoder().encode
_decode_titan: Final = msgspec.json.Decoder(_TitanAnswer).decode
_decode_cohere: Final = msgspec.json.Decoder(_CohereAnswer).decode


def embedding_kind(model: str) -> EmbeddingKind | None:
    """Whose body a model takes, by its id, with or without a region before it; None: nobody's that is known here."""
    return next((kind for words, kind in _KINDS if words in model.lower()), None)


def refuse_or_drop_embedding(
    call: EmbeddingCall,
    kind: EmbeddingKind,
    *,
    drop_params: bool = False,
    additional: tuple[str, ...] = (),
    operators: frozenset[str] = frozenset(),
) -> EmbeddingCall:
    """The request without what the model does not know; token ids are content, so always refused.

    Raises:
        Unsupported: an input is no text, or a knob may not be dropped; the message names it.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; Bedrock takes no token ids.", param="input")
    dimensions = None if "dimensions" in additional else call.dimensions
    extra = {name: raw for name, raw in call.extra.items() if name not in additional}
    known = _OWN[kind] | operators
    knobs = [name for name in extra if name not in known | _HINTS]
    if dimensions is not None and kind == "titan_1":
        knobs.append("dimensions")
    if knobs:
        demand_droppable("Bedrock", knobs, drop_params=drop_params)
    return msgspec.structs.replace(
        call,
        dimensions=None if "dimensions" in knobs else dimensions,
        extra={name: raw for name, raw in extra.items() if name in known and name != "model_id"},
    )


def write_embedding_requests(call: EmbeddingCall, kind: EmbeddingKind) -> list[bytes]:
    """The bodies for InvokeModel that together embed all inputs, in their order."""
    if kind == "cohere":
        rest: dict[str, object] = {"input_type": _PURPOSE, **call.extra}
        if call.dimensions is not None:
            rest["output_dimension"] = call.dimensions
        return [_encode({"texts": texts, **rest}) for texts in _chunks(call.inputs, _COHERE_TEXTS_MAX)]
    fields: dict[str, object] = dict(call.extra)
    if call.dimensions is not None:
        size = {"outputEmbeddingLength": call.dimensions}
        fields |= {"embeddingConfig": size} if kind == "titan_image" else {"dimensions": call.dimensions}
    return [_encode({"inputText": text, **fields}) for text in call.inputs]


def read_embeddings(bodies: Sequence[bytes], kind: EmbeddingKind, model: str, count: int) -> Embeddings:
    """The answers to all requests; ``count`` is how many inputs were sent. Cohere's tokens are not told here.

    Raises:
        Broken: a body cannot be read, or there is another number of vectors.
    """
    try:
        vectors, tokens = _read_cohere(bodies) if kind == "cohere" else _read_titan(bodies)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Bedrock answered with something that is not a list of embeddings.") from None
    if len(vectors) != count:
        raise Broken(f"Bedrock answered {count} inputs with {len(vectors)} embeddings.")
    return Embeddings(model, tuple(vectors), Usage(tokens, source="measured") if tokens else Usage())


def _read_titan(bodies: Iterable[bytes]) -> tuple[list[tuple[float, ...]], int]:
    answers = [_decode_titan(body) for body in bodies]
    return [answer.embedding for answer in answers], sum(max(answer.tokens, 0) for answer in answers)


def _read_cohere(bodies: Iterable[bytes]) -> tuple[list[tuple[float, ...]], int]:
    vectors: list[tuple[float, ...]] = []
    for body in bodies:
        found = _decode_cohere(body).embeddings
        vectors += found.numbers if isinstance(found, _CohereVectors) else found
    return vectors, 0


def _chunks(items: Sequence[object], size: int) -> Iterable[list[object]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
