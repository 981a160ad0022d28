"""Embeddings on Vertex AI, which has them as predictions.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.core.usage import Usage

__all__ = ["read_predictions", "write_prediction_request"]


class _Statistics(msgspec.Struct, frozen=True):
    token_count: float = 0


class _Vector(msgspec.Struct):
    values: tuple[float, ...]
    statistics: _Statistics = _Statistics()


class _Prediction(msgspec.Struct):
    embeddings: _Vector


class _Body(msgspec.Struct):
    predictions: list[_Prediction]


_NAMES: Final = {"taskType": "task_type", "title": "title"}
"""What Gemini's own API calls a field, and what this one does."""

_decode: Final = msgspec.json.Decoder(_Body).decode
_encode: Final = msgspec.json.Encoder().encode


def write_prediction_request(call: EmbeddingCall) -> bytes:
    """The body for ``predict``.

    Raises:
        Unsupported: an input is token ids.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; Gemini takes no token ids.", param="input")
    said = {
        wire: call.extra[name] for name, wire in (("taskType", "task_type"), ("title", "title")) if name in call.extra
    }
    fields: dict[str, object] = {"instances": [{"content": text, **said} for text in call.inputs]}
    if call.dimensions is not None:
        fields["parameters"] = {"outputDimensionality": call.dimensions}
    return _encode(fields)


def read_predictions(body: bytes, model: str, count: int) -> Embeddings:
    """The answer of ``predict``; ``count`` is how many inputs were sent.

    Raises:
        Broken: the body cannot be read, or has another number of vectors.
    """
    try:
        found = _decode(body).predictions
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Vertex AI's answer is not a list of embeddings.") from None
    if len(found) != count:
        raise Broken(f"Vertex AI answered {count} inputs with {len(found)} embeddings.")
    tokens = int(sum(one.embeddings.statistics.token_count for one in found))
    usage = Usage(tokens, source="measured") if tokens else Usage()
    return Embeddings(model=model, vectors=tuple(one.embeddings.values for one in found), usage=usage)
