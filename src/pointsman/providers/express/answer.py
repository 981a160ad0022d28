"""Relays an OpenAI answer as it comes: complete events only, metered, the usage chunk taken out unless asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError, UpstreamFailed
from pointsman.core.limits import EVENT_BYTES_MAX
from pointsman.core.upstream import Ask, Operation
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_fields import write_stream_error
from pointsman.providers.express.meter import ReplyMeter, read_embedding_usage, read_usage

__all__ = ["ExpressAnswer"]

_decode_meter: Final = msgspec.json.Decoder(ReplyMeter).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_DONE: Final = b"data: [DONE]\n\n"
_PLAIN_ENDING: Final = b'"finish_reason":null}]}\n\n'
_MARKS: Final = (b'"usage"', b'"error"', b"[DONE]")
_BYTES_PER_TOKEN: Final = 4
_TYPICAL_EVENT_BYTES: Final = 180
_SINGLE_EVENT_BYTES: Final = 400
"""Less than this is taken for one event without counting; a model's server sends one at a time."""


class ExpressAnswer(msgspec.Struct, eq=False):
    """See :class:`pointsman.core.upstream.Answer`. ``key`` is the upstream's, should it echo it in an error.

    ``on_error`` is told the status of an error answer.
    """

    ask: Ask
    key: bytes = b""
    content_type: bytes = b""
    usage: Usage = NO_USAGE
    error: GatewayError | None = None
    on_error: Callable[[int], None] | None = None
    _carry: list[bytes] = msgspec.field(default_factory=list)
    _carry_bytes: int = 0
    _done: bool = False
    _finished: bool = False
    _events: int = 0
    _bytes: int = 0

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        if self.on_error is not None:
            self.on_error(status)
        error = self._failure(status, body)
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        try:
            meter = _decode_meter(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            meter = _lenient(body)
        if meter.failed and not meter.has_choices:
            raise self._failure(Broken.default_status, body)
        if self.ask.operation is Operation.EMBEDDING:
            self.usage = read_embedding_usage(meter.usage) or self._estimate(0)
        else:
            self.usage = read_usage(meter.usage) or self._estimate(len(body) // _BYTES_PER_TOKEN)
        return body

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        if not self._carry:
            size = len(data)
            if size < _SINGLE_EVENT_BYTES and data.endswith(_PLAIN_ENDING) and b'"usage"' not in data:
                # One event that holds a piece of text and says nothing else: by far the most frequent one.
                self._events += 1
                self._bytes += size
                return data
            if data.endswith(b"\n\n"):
                return self._relay(data)
        data = self._complete(data)
        return self._relay(data) if data else b""

    def end(self) -> bytes:
        """See the protocol."""
        last = b""
        if self._carry:
            rest = b"".join(self._carry).replace(b"\r\n", b"\n").strip(b"\n")
            self._carry.clear()
            if rest:
                _demand_whole(rest)
                last = self._relay(rest + b"\n\n")
        self.cut()
        if not (self._done or self._finished or self.error is not None):
            raise Broken("The upstream ended its stream before the answer was complete: no finish_reason, no [DONE].")
        return last + _DONE

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return write_stream_error(error)

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            text_bytes = self._bytes - self._events * _TYPICAL_EVENT_BYTES
            self.usage = self._estimate(max(self._events, text_bytes // _BYTES_PER_TOKEN))

    def _relay(self, data: bytes) -> bytes:
        """Meter complete events; those that say more than text are looked into, the others pass as they are."""
        size = len(data)
        self._bytes += size
        self._events += 1 if size < _SINGLE_EVENT_BYTES else data.count(b"data:")
        if not self._finished:
            # The last one counts, and from behind it is found at once.
            place = data.rfind(b'"finish_reason"')
            self._finished = place >= 0 and data[place + 15 : place + 18].lstrip(b": ").startswith(b'"')
        if b'"usage"' in data or b'"error"' in data or b"[DONE]" in data:
            return self._look_into(data)
        return data

    def _complete(self, data: bytes) -> bytes:
        """The complete events of what was kept and ``data``; what is left over is kept."""
        carry = self._carry
        seam = b"".join(carry[-3:])[-3:]
        boundary = _last_boundary(seam + data)
        if not boundary:
            carry.append(data)
            self._carry_bytes += len(data)
            if self._carry_bytes > EVENT_BYTES_MAX:
                raise Broken(f"The upstream sent an event longer than {EVENT_BYTES_MAX} bytes.")
            return b""
        cut = boundary - len(seam)
        carry.append(data[:cut])
        complete = b"".join(carry)
        rest = data[cut:]
        self._carry = [rest] if rest else []
        self._carry_bytes = len(rest)
        return complete.replace(b"\r\n", b"\n") if b"\r" in complete else complete

    def _look_into(self, data: bytes) -> bytes:
        nulls = data.count(b'"usage":null')
        if nulls and nulls == data.count(b'"usage"') and b'"error"' not in data and b"[DONE]" not in data:
            if self.ask.include_usage:
                return data
            bare = data.replace(b',"usage":null', b"")
            if b'"usage"' not in bare:
                return bare
        # Usage and [DONE] come last, so what stands before the first event that says more than text stays in one piece.
        first = min(place for mark in _MARKS if (place := data.find(mark)) >= 0)
        cut = data.rfind(b"\n\n", 0, first) + 2
        plain = data[:cut] if cut > 1 else b""
        events = [self._event(event.strip(b"\n")) for event in data[len(plain) :].split(b"\n\n")]
        return plain + b"".join(events)

    def _event(self, event: bytes) -> bytes:
        payload = _payload(event)
        if not event:
            return b""
        if payload == b"[DONE]":
            self._done = True
            return b""
        if b'"usage"' not in payload and b'"error"' not in payload:
            return event + b"\n\n"
        try:
            meter = _decode_meter(payload)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return event + b"\n\n"
        if meter.failed:
            self.error = self._failure(Broken.default_status, payload)
            event = event.replace(self.key, b"\xe2\x80\xa6") if self.key else event
        usage = read_usage(meter.usage)
        if usage is not None:
            self.usage = usage
        if self.ask.include_usage:
            return event + b"\n\n"
        if usage is not None and not meter.has_choices and not meter.failed:
            return b""
        return _without_usage(event)

    def _failure(self, status: int, body: bytes) -> UpstreamFailed:
        """What an error means; the key goes before the text is shortened, which may leave a part of it."""
        return read_error(status, body.replace(self.key, b"\xe2\x80\xa6") if self.key else body)

    def _estimate(self, completion: int) -> Usage:
        return Usage(self.ask.prompt_estimate, completion, source="estimated")


def _payload(event: bytes) -> bytes:
    """The data of an event, whatever other lines it has."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def _without_usage(event: bytes) -> bytes:
    """The event with every field of its data but ``usage``, as they were."""
    fields = _decode_fields(_payload(event))
    if "usage" not in fields:
        return event + b"\n\n"
    del fields["usage"]
    others = [line for line in event.split(b"\n") if not line.startswith(b"data:")]
    prefix = b"data: " if b"data: " in event else b"data:"
    return b"\n".join([*others, prefix + _encode(fields)]) + b"\n\n"


def _demand_whole(event: bytes) -> None:
    """Raise unless an event that lacks its empty line is complete all the same.

    Raises:
        Broken: it was cut off.
    """
    payload = _payload(event)
    if payload == b"[DONE]" or event.startswith(b":"):
        return
    try:
        _decode_fields(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Broken("The upstream cut its stream off in the middle of an event.") from None


def _last_boundary(data: bytes) -> int:
    """The position behind the last empty line that ends an event, or 0."""
    plain = data.rfind(b"\n\n")
    windows = data.rfind(b"\r\n\r\n")
    return max(plain + 2 if plain >= 0 else 0, windows + 4 if windows >= 0 else 0)


def _lenient(body: bytes) -> ReplyMeter:
    """The meter of an answer whose usage has odd types; the answer itself must be JSON.

    Raises:
        Broken: it is not.
    """
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Broken("The upstream's answer is not a JSON object.") from None
    return ReplyMeter(choices=msgspec.Raw(b"[]"))
