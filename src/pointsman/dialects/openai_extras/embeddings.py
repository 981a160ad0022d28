"""Embeddings, client side: https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Malformed
from pointsman.core.reply import Embeddings
from pointsman.core.usage import Usage
from pointsman.dialects.openai_fields import demand_model_name
from pointsman.wire.json_fields import read_body, read_fields

__all__ = ["EmbeddingRequest", "read_request", "write_reply"]

_Token = Annotated[int, msgspec.Meta(ge=0)]
_Tokens = Annotated[list[_Token], msgspec.Meta(min_length=1)]


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    """The body of a request: a text, a list of texts, a list of token ids, or a list of such lists."""

    model: str | None = None
    input: str | Annotated[list[str | _Token | _Tokens], msgspec.Meta(min_length=1)]
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


_decode: Final = msgspec.json.Decoder(EmbeddingRequest).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(EmbeddingRequest))


def read_request(body: bytes, model: str | None = None) -> EmbeddingCall:
    """A client's request. ``model`` is the one that its path names, which wins over the body's.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
    """
    fields = read_fields(body)
    request = read_body(body, _decode)
    name = model if model is not None else request.model
    if name is None:
        raise Malformed("model is required.", param="model")
    demand_model_name(name)
    return EmbeddingCall(
        model=name,
        inputs=_read_inputs(request.input),
        dimensions=request.dimensions,
        encoding=request.encoding_format or "float",
        user=request.user or None,
        extra={key: raw for key, raw in fields.items() if key not in _KNOWN and raw != _NULL},
    )


def _read_inputs(given: str | list[str | int | list[int]]) -> tuple[str | tuple[int, ...], ...]:
    if isinstance(given, str):
        inputs: tuple[str | tuple[int, ...], ...] = (given,)
    else:
        numbers = tuple(item for item in given if isinstance(item, int))
        if numbers and len(numbers) != len(given):
            raise Malformed("input must hold either texts or token ids, not both.", param="input")
        rest = tuple(tuple(item) if isinstance(item, list) else item for item in given if not isinstance(item, int))
        inputs = (numbers,) if numbers else rest
    for index, item in enumerate(inputs):
        if not item:
            place = f"input[{index}]" if len(inputs) > 1 else "input"
            raise Malformed(f"{place} must not be empty.", param=place)
    return inputs


def write_reply(embeddings: Embeddings, call: EmbeddingCall) -> bytes:
    """The body for a client; it sees the model under the name that it asked for.

    ``base64`` is the little-endian float32 numbers of a vector, which the official SDK asks for unasked.
    """
    write = _base64 if call.encoding == "base64" else list
    return _encode({
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": write(vector)}
            for index, vector in enumerate(embeddings.vectors)
        ],
        "model": call.model,
        "usage": _write_usage(embeddings.usage),
    })  # fmt: skip


def _base64(vector: Sequence[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _write_usage(usage: Usage) -> dict[str, int]:
    return {"prompt_tokens": usage.prompt, "total_tokens": usage.prompt}
