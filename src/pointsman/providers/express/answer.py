"""Relays an OpenAI answer as it comes: complete events only, metered, the usage chunk taken out unless asked for."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError
from pointsman.core.limits import EVENT_BYTES_MAX
from pointsman.core.upstream import Ask
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_fields import write_stream_error
from pointsman.providers.express.meter import ReplyMeter, read_usage

__all__ = ["ExpressAnswer"]

_decode_meter: Final = msgspec.json.Decoder(ReplyMeter).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_DONE: Final = b"data: [DONE]\n\n"
_BYTES_PER_TOKEN: Final = 4
_TYPICAL_EVENT_BYTES: Final = 180


class ExpressAnswer:
    """See :class:`pointsman.core.upstream.Answer`."""

    __slots__ = (
        "_ask",
        "_before",
        "_bytes",
        "_carry",
        "_carry_bytes",
        "_done",
        "_events",
        "_strip",
        "_tail",
        "error",
        "usage",
    )

    def __init__(self, ask: Ask) -> None:
        self.usage: Usage = NO_USAGE
        self.error: GatewayError | None = None
        self._ask = ask
        self._strip = not ask.include_usage
        self._carry: list[bytes] = []
        self._carry_bytes = 0
        self._before = self._tail = b""
        self._done = False
        self._events = 0
        self._bytes = 0

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        error = read_error(status, body)
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        try:
            meter = _decode_meter(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            meter = _lenient(body)
        if meter.error and meter.failed and not meter.choices:
            raise read_error(Broken.default_status, body)
        self.usage = read_usage(meter.usage) or self._estimate(len(body) // _BYTES_PER_TOKEN)
        return body

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        if self._carry or not data.endswith(b"\n\n"):
            data = self._complete(data)
            if not data:
                return b""
        self._events += data.count(b"data:")
        self._bytes += len(data)
        if b'"usage"' in data:
            data = self._metered(data)
        if b'"error"' in data:
            self._look_for_error(data)
        if data.endswith(_DONE):
            self._done = True
            data = data[: -len(_DONE)]
        if data:
            self._before, self._tail = self._tail, data
        return data

    def end(self) -> bytes:
        """See the protocol."""
        last = b""
        if self._carry:
            rest = b"".join(self._carry)
            self._carry.clear()
            last = self._last_event(rest)
        if self.usage.source == "none":
            self.usage = self._estimate(self._output_estimate())
        if not self._done and self.error is None and not self._finished(last):
            raise Broken(
                "The upstream ended its stream before the answer was complete: no finish_reason, no [DONE]."
            )
        return last + _DONE

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return write_stream_error(error)

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            self.usage = self._estimate(self._output_estimate())

    def _complete(self, data: bytes) -> bytes:
        """The complete events of what was kept and ``data``; what is left over is kept."""
        carry = self._carry
        seam = b"".join(carry[-3:])[-3:]
        joined = seam + data
        boundary = _last_boundary(joined)
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

    def _metered(self, data: bytes) -> bytes:
        nulls = data.count(b'"usage":null')
        if nulls and nulls == data.count(b'"usage"'):
            return data.replace(b',"usage":null', b"") if self._strip else data
        return b"".join([self._metered_event(event) for event in data.split(b"\n\n") if event])

    def _metered_event(self, event: bytes) -> bytes:
        payload = event[5:].strip() if event.startswith(b"data:") else b""
        if not payload.startswith(b"{") or b'"usage"' not in payload:
            return event + b"\n\n"
        try:
            meter = _decode_meter(payload)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return event + b"\n\n"
        usage = read_usage(meter.usage)
        if usage is not None:
            self.usage = usage
        if not self._strip:
            return event + b"\n\n"
        if bytes(meter.choices).strip(b"[] \t\r\n") == b"":
            return b""
        fields = _decode_fields(payload)
        fields.pop("usage", None)
        return b"data: " + _encode(fields) + b"\n\n"

    def _look_for_error(self, data: bytes) -> None:
        for event in data.split(b"\n\n"):
            payload = event[5:].strip() if event.startswith(b"data:") else b""
            if b'"error"' not in payload:
                continue
            try:
                meter = _decode_meter(payload)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                continue
            if meter.failed:
                self.error = read_error(Broken.default_status, payload)

    def _last_event(self, rest: bytes) -> bytes:
        """An event that the upstream did not close with an empty line: whole, or cut off."""
        event = rest.replace(b"\r\n", b"\n").strip(b"\n")
        payload = event[5:].strip() if event.startswith(b"data:") else b""
        if payload == b"[DONE]":
            self._done = True
            return b""
        if not event or event.startswith(b":"):
            return b""
        try:
            _decode_meter(payload)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise Broken("The upstream cut its stream off in the middle of an event.") from None
        return self._metered_event(event)

    def _finished(self, last: bytes) -> bool:
        seen = self._before + self._tail + last
        return seen.count(b'"finish_reason"') > seen.count(b'"finish_reason":null') + seen.count(
            b'"finish_reason": null'
        )

    def _output_estimate(self) -> int:
        text_bytes = self._bytes - self._events * _TYPICAL_EVENT_BYTES
        return max(self._events, text_bytes // _BYTES_PER_TOKEN)

    def _estimate(self, completion: int) -> Usage:
        return Usage(self._ask.prompt_estimate, completion, source="estimated")


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
