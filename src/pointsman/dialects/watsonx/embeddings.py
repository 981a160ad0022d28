"""Embeddings of watsonx.ai: https://cloud.ibm.com/apidocs/watsonx-ai#text-embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.droppable import HINTS, demand_droppable

__all__ = ["read_embeddings", "write_embedding_request"]

_PARAMETERS: Final = frozenset({"return_options", "truncate_input_tokens"})
"""Fields that it knows, which stand below ``parameters`` there."""


class _Result(msgspec.Struct):
    embedding: tuple[float, ...]


class _Reply(msgspec.Struct):
    results: list[_Result]
    input_token_count: int | None = None


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Reply).decode


def write_embedding_request(
    call: EmbeddingCall, place: Mapping[str, str], *, drop_params: bool = False, additional: tuple[str, ...] = ()
) -> bytes:
    """The body for ``/ml/v1/text/embeddings``.

    Args:
        call: What the client wants.
        place: ``model_id``, and ``project_id`` or ``space_id``.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case.

    Raises:
        Unsupported: an input is token ids, or a field is not known there and may not be dropped.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; watsonx.ai takes no token ids.", param="input")
    extra = {name: raw for name, raw in call.extra.items() if name not in additional and name not in HINTS}
    unknown = [name for name in extra if name not in _PARAMETERS]
    if call.dimensions is not None and "dimensions" not in additional:
        unknown.append("dimensions")
    if unknown:
        demand_droppable("watsonx.ai", unknown, drop_params=drop_params)
    parameters = {name: raw for name, raw in extra.items() if name in _PARAMETERS}
    return _encode({**place, "inputs": call.inputs, **({"parameters": parameters} if parameters else {})})


def read_embeddings(body: bytes, model: str, count: int) -> Embeddings:
    """The vectors of ``count`` inputs.

    Raises:
        Broken: the body cannot be read, or has another number of vectors.
    """
    try:
        reply = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("watsonx.ai's answer has no embeddings that could be read.") from None
    if len(reply.results) != count:
        raise Broken(f"watsonx.ai answered with {len(reply.results)} embeddings for {count} inputs.")
    usage = NO_USAGE if reply.input_token_count is None else Usage(max(reply.input_token_count, 0), source="measured")
    return Embeddings(model, tuple(result.embedding for result in reply.results), usage)
