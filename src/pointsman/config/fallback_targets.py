"""What may stand in for a model, in LiteLLM's two forms: a name, or a map with a name and fields of the request."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.config.request_fields import OPERATORS, SPECIAL, TIMEOUTS
from pointsman.core.rules import Target

__all__ = ["read_target"]

_decode: Final = msgspec.json.Decoder(str | dict[str, msgspec.Raw]).decode
_decode_name: Final = msgspec.json.Decoder(str).decode


def read_target(raw: msgspec.Raw) -> Target:
    """A target as JSON.

    Raises:
        ValueError: it is neither, or sets what cannot be set there; the message says so.
    """
    try:
        given = _decode(raw)
        name = given if isinstance(given, str) else _decode_name(given.pop("model"))
    except (msgspec.MsgspecError, KeyError):
        message = 'expected the name of a model, or a map like {"model": "name", "temperature": 0}.'
        raise ValueError(message) from None
    if not name:
        message = "the name of the model is empty."
        raise ValueError(message)
    fields = {} if isinstance(given, str) else given
    for field in fields:
        if field in SPECIAL - TIMEOUTS:
            why = "where a model is belongs in model_list" if field in OPERATORS else "it is none of the upstream's"
            message = f"{field} cannot be set for a fallback: {why}."
            raise ValueError(message)
    return Target(name, fields)
