"""Cohere's embeddings, second version: https://docs.cohere.com/v2/reference/embed.

``input_type`` is required there and unknown to OpenAI's clients; as in LiteLLM a text counts as a document to be
searched unless the client or the operator says otherwise. ``truncate`` is NONE, so that a text which is too long is
refused and not cut.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.core.usage import NO_USAGE
from pointsman.dialects.cohere_chat.types import Counts, WireUsage
from pointsman.dialects.cohere_chat.usage import read_usage
from pointsman.dialects.droppable import HINTS, demand_droppable

__all__ = ["read_embeddings", "write_embedding_request"]

_NATIVE: Final = frozenset({"input_type", "max_tokens", "priority", "truncate"})
_DEFAULTS: Final = {"input_type": "search_document", "truncate": "NONE"}


class _Meta(msgspec.Struct, frozen=True):
    billed_units: Counts | None = None


class _Vectors(msgspec.Struct, rename={"floats": "float"}):
    floats: list[tuple[float, ...]]


class _Reply(msgspec.Struct):
    embeddings: _Vectors
    meta: _Meta = _Meta()


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Reply).decode


def write_embedding_request(
    call: EmbeddingCall, model: str, *, drop_params: bool = False, additional: tuple[str, ...] = ()
) -> bytes:
    """The body for ``/v2/embed``.

    Raises:
        Unsupported: an input is token ids, or a field is not known there and may not be dropped.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; Cohere takes no token ids.", param="input")
    extra = {name: raw for name, raw in call.extra.items() if name not in additional and name not in HINTS}
    unknown = [name for name in extra if name not in _NATIVE]
    if unknown:
        demand_droppable("Cohere", unknown, drop_params=drop_params)
    dimensions = None if "dimensions" in additional else call.dimensions
    return _encode({
        "model": model,
        "texts": call.inputs,
        "embedding_types": ["float"],
        **({} if dimensions is None else {"output_dimension": dimensions}),
        **_DEFAULTS,
        **{name: raw for name, raw in extra.items() if name in _NATIVE},
    })  # fmt: skip


def read_embeddings(body: bytes, model: str, count: int) -> Embeddings:
    """The vectors of ``count`` inputs.

    Raises:
        Broken: the body cannot be read, or has another number of vectors.
    """
    try:
        reply = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Cohere's answer has no embeddings that could be read.") from None
    vectors = tuple(reply.embeddings.floats)
    if len(vectors) != count:
        raise Broken(f"Cohere answered with {len(vectors)} embeddings for {count} inputs.")
    usage = read_usage(WireUsage(billed_units=reply.meta.billed_units)) or NO_USAGE
    return Embeddings(model, vectors, usage)
