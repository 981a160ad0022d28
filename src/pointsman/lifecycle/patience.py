"""How long a client waits, as far as it tells."""

from __future__ import annotations

from math import inf
from typing import Final

import msgspec

from pointsman.core.exchange import RequestHead
from pointsman.core.upstream import Ask

__all__ = ["patience"]

_PATIENCE_OF_STREAMS: Final = (b"x-litellm-stream-timeout", b"x-litellm-timeout")
_PATIENCE: Final = (b"x-litellm-timeout", b"x-stainless-read-timeout", b"x-stainless-timeout")
_number: Final = msgspec.json.Decoder(float).decode


def patience(ask: Ask, head: RequestHead) -> float:
    """Seconds from the request's arrival until its client gives up, as far as it tells; no end, if it does not.

    It tells in LiteLLM's ``timeout`` and ``x-litellm-timeout``, or in the header of OpenAI's and Anthropic's libraries,
    which for a stream is only the longest silence.
    """
    said = ask.fields.get("timeout")
    if said is not None:
        return _seconds(said)
    for name in _PATIENCE_OF_STREAMS if ask.stream else _PATIENCE:
        value = head.header(name)
        if value is not None:
            return _seconds(value)
    return inf


def _seconds(said: bytes | msgspec.Raw) -> float:
    try:
        seconds = _number(said)
    except msgspec.MsgspecError:
        return inf
    return seconds if seconds > 0 else inf
