"""Embeddings, both sides: https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Malformed
from pointsman.core.reply import Embeddings
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_fields import demand_model_name
from pointsman.dialects.openai_usage import WireUsage, read_embedding_usage
from pointsman.wire.json_fields import read_body, read_fields

__all__ = ["EmbeddingRequest", "read_reply", "read_request", "write_reply", "write_request"]

_Token = Annotated[int, msgspec.Meta(ge=0)]
_Tokens = Annotated[list[_Token], msgspec.Meta(min_length=1)]


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    """The body of a request: a text, a list of texts, a list of token ids, or a list of such lists."""

    model: str | None = None
    input: str | Annotated[list[str | _Token | _Tokens], msgspec.Meta(min_length=1)]
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class _Vector(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Vector]
    model: str | None = None
    usage: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(EmbeddingRequest).decode
_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
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


def write_request(call: EmbeddingCall, model: str) -> bytes:
    """The request for an upstream, which is asked for numbers: some servers know no ``base64``."""
    fields: dict[str, object] = {"model": model, "input": call.inputs, "encoding_format": "float"}
    if call.dimensions is not None:
        fields["dimensions"] = call.dimensions
    if call.user is not None:
        fields["user"] = call.user
    return _encode(fields | {name: raw for name, raw in call.extra.items() if name not in _KNOWN})


def read_reply(body: bytes, count: int) -> Embeddings:
    """An upstream's answer to ``count`` inputs.

    Raises:
        Broken: the body cannot be read, or has another number of vectors.
    """
    try:
        answer = _decode_answer(body)
        vectors = tuple(_numbers(one.embedding) for one in _in_order(answer.data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise Broken("The upstream's answer is not a list of embeddings.") from None
    if len(vectors) != count:
        raise Broken(f"The upstream answered {count} inputs with {len(vectors)} embeddings.")
    return Embeddings(answer.model or "", vectors, read_embedding_usage(answer.usage) or NO_USAGE)


def _in_order(vectors: list[_Vector]) -> list[_Vector]:
    if any(one.index is None for one in vectors):
        return vectors
    return sorted(vectors, key=lambda one: one.index or 0)


def _numbers(vector: list[float] | str) -> tuple[float, ...]:
    """A vector's numbers; some servers answer in base64 whatever they were asked for."""
    if not isinstance(vector, str):
        return tuple(vector)
    numbers = array("f", base64.b64decode(vector, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
