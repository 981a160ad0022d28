"""The frames of a stream: each event as one JSON object, its payload under its name, as AWS's own SDKs show it.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. What a message is, is
said in its headers: ``:message-type`` (``event``, ``exception``, ``error``) and ``:event-type``, ``:exception-type`` or
``:error-code``.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.wire.aws_event_stream import EventMessage, EventStreamParser

__all__ = ["ConverseFrames"]

_encode: Final = msgspec.json.Encoder().encode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ConverseFrames:
    """Cuts frames out of the bytes of an event stream; raises as :class:`EventStreamParser` does."""

    __slots__ = ("_parser",)

    def __init__(self) -> None:
        self._parser = EventStreamParser()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete with these bytes.

        Raises:
            Broken: the bytes are no event stream, or damaged.
        """
        return [_frame(message) for message in self._parser.feed(data)]

    def end(self) -> list[bytes]:
        """Nothing is left at the end.

        Raises:
            Broken: the stream ended in the middle of an event.
        """
        self._parser.end()
        return []


def _frame(message: EventMessage) -> bytes:
    kind = message.text(":message-type")
    if kind == "exception":
        return _exception(message.text(":exception-type"), message.payload)
    if kind == "error":
        said = _encode({"message": message.text(":error-message")})
        return _exception(message.text(":error-code"), said)
    return b"{%b:%b}" % (_encode(message.text(":event-type")), message.payload or b"null")


def _exception(name: str, payload: bytes) -> bytes:
    try:
        _decode_object(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        payload = _encode({"message": payload.decode("utf-8", "replace")})
    return b'{"exception":{"type":%b,"detail":%b}}' % (_encode(name), payload)
