"""What an answer of OpenAI's Responses API says of itself.

Source: https://platform.openai.com/docs/api-reference/responses-streaming. The counts come with the response that the
last event holds.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError, UpstreamFailed
from pointsman.core.usage import Usage
from pointsman.dialects.openai_responses.answers import WireUsage
from pointsman.dialects.openai_responses.errors import read_error, status_of, write_failure, write_stream_error
from pointsman.dialects.openai_responses.response import read_usage
from pointsman.providers.native.relayed import Metered

__all__ = ["ResponsesMeter"]

_NULL: Final = msgspec.Raw(b"null")
_NUMBER: Final = re.compile(rb'"sequence_number":\s*(\d{1,12})')


class _Failure(msgspec.Struct):
    code: str | int | None = None


class _Response(msgspec.Struct):
    status: str | None = None
    usage: WireUsage | None = None
    error: _Failure | None = None


class _Event(msgspec.Struct):
    """An event, or a whole answer, as far as the meter reads it."""

    type: str = ""
    response: msgspec.Raw = _NULL
    code: str | int | None = None
    error: msgspec.Raw = _NULL


_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_response: Final = msgspec.json.Decoder(_Response | None).decode
_decode_failure: Final = msgspec.json.Decoder(_Failure | None).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_ENDINGS: Final = frozenset({"response.completed", "response.incomplete"})
_FINAL: Final = _ENDINGS | {"response.failed"}


class ResponsesMeter:
    """See :class:`pointsman.providers.native.relayed.Meter`."""

    __slots__ = ("_created", "final", "usage")

    marks = (b'"usage"', b'"error"', b'"response.completed"', b'"response.incomplete"', b'"response.failed"')
    typical_event_bytes = 230
    preface: frozenset[bytes] = frozenset()

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.final = b""
        self._created = _NULL

    def read_event(self, payload: bytes) -> Metered:
        """See the protocol."""
        event = _decode_event(payload)
        if event.type == "error":
            inner = _decode_failure(event.error)
            return Metered(failure=status_of(event.code or (inner.code if inner is not None else None)))
        if event.type == "response.created":
            self._created = event.response
        response = _decode_response(event.response)
        if response is None:
            return Metered()
        self.usage = read_usage(response.usage) or self.usage
        if event.type in _FINAL:
            self.final = bytes(event.response)
        if event.type == "response.failed":
            return Metered(failure=_status(response))
        return Metered(ended=event.type in _ENDINGS)

    def read_whole(self, body: bytes) -> Metered:
        """See the protocol. A response that failed is an answer: its client reads there why."""
        response = _decode_response(body)
        if response is None:
            return Metered(failure=Broken.default_status)
        self.usage = read_usage(response.usage)
        self.final = body
        if response.status is None and response.error is not None:
            return Metered(failure=_status(response))
        return Metered(failure=_status(response) if response.status == "failed" else 0, ended=True)

    def read_error(self, status: int, body: bytes) -> UpstreamFailed:
        """See the protocol; an event that failed has its error inside the response."""
        try:
            response = _decode_event(body).response
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            response = _NULL
        return read_error(status, body if response == _NULL else bytes(response))

    def closing(self) -> bytes:
        """Nothing: the event that ends a response is the last."""
        return b""

    def broken(self, error: GatewayError, last: bytes) -> bytes:
        """The response as it began, failed; before it began, an error."""
        numbers = _NUMBER.findall(last)
        number = int(numbers[-1]) + 1 if numbers else 0
        if self._created == _NULL:
            return write_stream_error(error, number)
        response = _decode_fields(self._created)
        response["status"] = msgspec.Raw(b'"failed"')
        response["error"] = msgspec.Raw(_encode(write_failure(error)))
        self.final = _encode(response)
        data = _encode({"type": "response.failed", "sequence_number": number, "response": msgspec.Raw(self.final)})
        return b"event: response.failed\ndata: %b\n\n" % data


def _status(response: _Response) -> int:
    return status_of(None if response.error is None else response.error.code)
