"""What an answer of Anthropic's Messages API says of itself.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. The counts of the prompt come with
``message_start``, that of the answer with ``message_delta``; counts are cumulative.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import GatewayError, UpstreamFailed
from pointsman.core.usage import Usage
from pointsman.dialects.anthropic_messages.envelope import UsageCount
from pointsman.dialects.anthropic_messages.errors import read_error, status_of, write_stream_error
from pointsman.dialects.anthropic_messages.types import WireUsage
from pointsman.providers.native.relayed import Metered

__all__ = ["AnthropicMeter"]

_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _Message(msgspec.Struct):
    usage: WireUsage | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    """An event, or a whole answer, as far as the meter reads it."""

    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(_Event).decode


class AnthropicMeter:
    """See :class:`pointsman.providers.native.relayed.Meter`."""

    __slots__ = ("_count", "_stopped")

    marks = (b'"usage"', b'"error"', b'"message_stop"')
    typical_event_bytes = 125
    final = b""
    preface = frozenset({b"message_start", b"ping"})

    def __init__(self) -> None:
        self._count = UsageCount()
        self._stopped = False

    @property
    def usage(self) -> Usage | None:
        """The counts so far."""
        return self._count.total()

    def read_event(self, payload: bytes) -> Metered:
        """See the protocol."""
        event = _decode(payload)
        if event.type == "error":
            return Metered(failure=status_of(payload))
        if event.type == "message_start" and event.message is not None:
            self._count.take(event.message.usage)
        elif event.type == "message_delta":
            self._count.take(event.usage)
            return Metered(ended=event.delta is not None and event.delta.stop_reason is not None)
        elif event.type == "message_stop":
            self._stopped = True
            return Metered(ended=True)
        return Metered()

    def read_whole(self, body: bytes) -> Metered:
        """See the protocol."""
        message = _decode(body)
        if message.type == "error":
            return Metered(failure=status_of(body))
        self._count.take(message.usage)
        return Metered(ended=True)

    def read_error(self, status: int, body: bytes) -> UpstreamFailed:
        """See the protocol."""
        return read_error(status, body)

    def closing(self) -> bytes:
        """Some servers leave out the last event."""
        return b"" if self._stopped else _STOP

    def broken(self, error: GatewayError, last: bytes) -> bytes:
        """See the protocol."""
        return write_stream_error(error)
