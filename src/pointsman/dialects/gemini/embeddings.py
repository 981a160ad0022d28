"""Embeddings, both sides: https://ai.google.dev/api/embeddings.

Clients ask ``embedContent`` for one text or ``batchEmbedContents`` for several; Gemini is always asked for a batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Malformed, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.dialects.gemini.names import with_camel_names
from pointsman.dialects.gemini.types import EmbedBody, GeminiTarget
from pointsman.dialects.gemini.usage import write_usage
from pointsman.dialects.openai_fields import demand_model_name
from pointsman.wire.json_fields import read_body

__all__ = ["read_embed_request", "write_embed_reply", "write_embedding_request"]


class _Batch(msgspec.Struct):
    requests: list[EmbedBody]


_decode_one: Final = msgspec.json.Decoder(EmbedBody).decode
_decode_batch: Final = msgspec.json.Decoder(_Batch).decode
_encode: Final = msgspec.json.Encoder().encode

_SAME_FOR_ALL: Final = ("task_type", "title", "output_dimensionality")


def read_embed_request(body: bytes, model: str, *, batch: bool) -> EmbeddingCall:
    """A client's request; ``model`` is the one that its path names.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
        Unsupported: an input is not text, or the texts of a batch are to be embedded in different ways.
    """
    demand_model_name(model)
    body = with_camel_names(body)
    requests = read_body(body, _decode_batch).requests if batch else [read_body(body, _decode_one)]
    if not requests:
        raise Malformed("requests must not be empty.", param="requests")
    first = requests[0]
    for name in _SAME_FOR_ALL:
        if any(getattr(one, name) != getattr(first, name) for one in requests):
            raise Unsupported(f"requests must all have the same {name}.", param="requests")
    places = [f"requests[{index}].content" if batch else "content" for index in range(len(requests))]
    said = {"taskType": first.task_type, "title": first.title}
    return EmbeddingCall(
        model,
        tuple(_text(one, place) for one, place in zip(requests, places, strict=True)),
        dimensions=first.output_dimensionality,
        extra={name: msgspec.Raw(_encode(value)) for name, value in said.items() if value is not None},
    )


def write_embed_reply(embeddings: Embeddings, *, batch: bool) -> bytes:
    """The body for a client."""
    vectors = [{"values": vector} for vector in embeddings.vectors]
    usage = {"usageMetadata": write_usage(embeddings.usage)} if embeddings.usage.total else {}
    if batch:
        return _encode({"embeddings": vectors, **usage})
    return _encode({"embedding": next(iter(vectors), {"values": []}), **usage})


def write_embedding_request(call: EmbeddingCall, target: GeminiTarget) -> bytes:
    """The body for ``batchEmbedContents``.

    Raises:
        Unsupported: an input is token ids.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; Gemini takes no token ids.", param="input")
    rest: dict[str, object] = {name: call.extra[name] for name in ("taskType", "title") if name in call.extra}
    if call.dimensions is not None:
        rest["outputDimensionality"] = call.dimensions
    return _encode({"requests": list(_requests(call, target, rest))})


def _requests(call: EmbeddingCall, target: GeminiTarget, rest: dict[str, object]) -> Iterable[dict[str, object]]:
    for text in call.inputs:
        yield {"model": f"models/{target.model}", "content": {"parts": [{"text": text}]}, **rest}


def _text(request: EmbedBody, place: str) -> str:
    """The texts of one content, which count as one."""
    parts = request.content.parts or []
    for index, part in enumerate(parts):
        if part.text is None:
            raise Unsupported(f"{place}.parts[{index}] must be text.", param=f"{place}.parts[{index}]")
    text = "\n".join(part.text or "" for part in parts)
    if not text:
        raise Malformed(f"{place} must not be empty.", param=place)
    return text
