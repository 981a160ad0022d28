"""Relays an answer whose events have names and bodies of any kind, byte for byte, and only meters it.

What a stream says of itself (its counts, its end, a failure) stands in few of its events. They are found by a search
for bytes that cannot occur inside a JSON string, since quotes are escaped there, and only they are decoded.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from pointsman.core.errors import Broken, GatewayError, UpstreamFailed
from pointsman.core.usage import Usage
from pointsman.providers.express.pieces import BYTES_PER_TOKEN, PiecewiseAnswer, payload_of
from pointsman.providers.naming import names_in, names_of_event, renamed, renamed_event, text_or_none

__all__ = ["Meter", "Metered", "RelayedAnswer"]


class Metered(msgspec.Struct, frozen=True):
    """What an event says: ``failure`` is the status of an error, 0 for none; ``ended`` that it completes the answer."""

    failure: int = 0
    ended: bool = False


class Meter(Protocol):
    """Reads what one answer says of itself, in one dialect; one object per answer.

    ``marks`` are the bytes of which an event that matters has at least one. ``usage`` are the counts so far, None where
    there are none. ``typical_event_bytes`` is what surrounds the text of an event. ``final`` is what the end of
    the answer repeats of it as a whole, in dialects that do; empty before, and in others. ``preface`` are the names of
    events that come before any of the answer itself.
    """

    @property
    def marks(self) -> tuple[bytes, ...]:
        """See above."""
        ...

    @property
    def typical_event_bytes(self) -> int:
        """See above."""
        ...

    @property
    def usage(self) -> Usage | None:
        """See above."""
        ...

    @property
    def final(self) -> bytes:
        """See above."""
        ...

    @property
    def preface(self) -> frozenset[bytes]:
        """See above."""
        ...

    def read_event(self, payload: bytes) -> Metered:
        """Take note of an event.

        Raises:
            msgspec.MsgspecError, UnicodeDecodeError, RecursionError: it cannot be read, and is relayed all the same.
        """
        ...

    def read_whole(self, body: bytes) -> Metered:
        """Take note of an unstreamed answer.

        Raises:
            msgspec.MsgspecError, UnicodeDecodeError, RecursionError: it cannot be read.
        """
        ...

    def read_error(self, status: int, body: bytes) -> UpstreamFailed:
        """What an error means."""
        ...

    def closing(self) -> bytes:
        """What a complete stream still lacks."""
        ...

    def broken(self, error: GatewayError, last: bytes) -> bytes:
        """The end of a stream that failed; ``last`` are the last events that were relayed, empty if none were."""
        ...


_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class RelayedAnswer(PiecewiseAnswer, eq=False, kw_only=True):
    """See :class:`pointsman.core.upstream.Answer`."""

    meter: Meter
    _last: bytes = b""
    _ended: bool = False
    _spoken: bool = False

    def final(self) -> bytes:
        """The whole answer as its end repeats it, without the upstream's key; empty where it does not."""
        return self._without_key(self.meter.final)

    def read_error(self, status: int, body: bytes) -> UpstreamFailed:
        """See the superclass."""
        return self.meter.read_error(status, body)

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        names, shown = names_in(body), self.ask.answers_as or self.ask.model
        self.answer_id = text_or_none(names.id)
        if names.model != shown:
            body = renamed(body, names.model, shown)
        try:
            told = self.meter.read_whole(body)
        except _UNREADABLE:
            told = _lenient(body)
        if told.failure and not told.ended:
            raise self._failure(told.failure, body)
        if told.failure:
            self.error = self._failure(told.failure, body)
            body = self._without_key(body)
        self.usage = self.meter.usage or Usage(
            self.ask.prompt_estimate, len(body) // BYTES_PER_TOKEN, source="estimated"
        )
        return body

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        if not self._carry and data.endswith(b"\n\n"):
            return self._relay(data)
        data = self._complete(data)
        return self._relay(data) if data else b""

    def end(self) -> bytes:
        """See the protocol."""
        last = b""
        if self._carry:
            rest = self._rest()
            last = self._relay(rest) if rest else b""
        if self.error is not None:
            self.cut()
            return last
        if not self._ended:
            raise Broken("The upstream ended its stream before the answer was complete.")
        self.cut()
        return last + self.meter.closing()

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return b"" if self.error is not None else self.meter.broken(error, self._last)

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return not self._spoken

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source != "none":
            return
        known = self.meter.usage
        if known is not None and self._ended:
            self.usage = known
            return
        text_bytes = self._bytes - self._events * self.meter.typical_event_bytes
        completion = max(self._events, text_bytes // BYTES_PER_TOKEN)
        if known is None:
            self.usage = Usage(self.ask.prompt_estimate, completion, source="estimated")
        else:
            completion = max(completion, known.completion)
            self.usage = msgspec.structs.replace(known, completion=completion, source="estimated")

    def _relay(self, data: bytes) -> bytes:
        """Meter complete events, and give them with the model named as the client named it."""
        if self.answer_id is None and not self._last:
            self.answer_id = text_or_none(names_of_event(data).id)
        if b'"model"' in data:
            shown = self.ask.answers_as or self.ask.model
            data = b"\n\n".join([renamed_event(event, shown) for event in data.split(b"\n\n")])
        for mark in self.meter.marks:
            if mark in data:
                data = self._look_into(data)
                break
        self._bytes += len(data)
        self._events += data.count(b"\n\n")
        self._last = data
        if not self._spoken:
            preface = self.meter.preface
            self._spoken = not all(_name_of(event) in preface for event in data.split(b"\n\n") if event)
        return data

    def _look_into(self, data: bytes) -> bytes:
        """Read the events that matter.

        Raises:
            UpstreamFailed: a failure is told before any of the answer, so that it can still be an answer of its own.
        """
        marks, preface = self.meter.marks, self.meter.preface
        is_first = not self._last or not self._spoken
        for event in data.split(b"\n\n"):
            payload = payload_of(event.lstrip(b"\n"))
            if not payload:
                continue
            if any(mark in payload for mark in marks):
                try:
                    told = self.meter.read_event(payload)
                except _UNREADABLE:
                    told = Metered()
                self._ended = self._ended or told.ended
                if told.failure and self.error is None:
                    error = self._failure(told.failure, payload)
                    if is_first:
                        raise error
                    self.error = error
            is_first = is_first and _name_of(event) in preface
        return data if self.error is None else self._without_key(data)


def _name_of(event: bytes) -> bytes:
    """The name of an event, where that is what it begins with."""
    event = event.lstrip(b"\n")
    return event[6 : event.find(b"\n")].strip() if event.startswith(b"event:") else b""


def _lenient(body: bytes) -> Metered:
    """Of an answer whose counts have odd types; the answer itself must be JSON.

    Raises:
        Broken: it is not.
    """
    try:
        _decode_fields(body)
    except _UNREADABLE:
        raise Broken("The upstream's answer is not a JSON object.") from None
    return Metered(ended=True)
