"""Relays an answer about images, audio, moderations or rerank as it comes: whole, as raw bytes, or as events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError, UpstreamFailed
from pointsman.core.upstream import UPSTREAM_TYPE, Ask, Operation
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_errors import read_error
from pointsman.dialects.openai_fields import write_stream_error
from pointsman.providers.express.extras_usage import ExtrasMeter, read_extras_usage

__all__ = ["EventsAnswer", "ExtrasAnswer"]

_decode_meter: Final = msgspec.json.Decoder(ExtrasMeter).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_EVENT_BYTES_MAX: Final = 64 * 1024 * 1024
"""One event can hold a picture of 4096 × 4096 as base64."""
_TEXTS: Final = frozenset({Operation.TRANSCRIPTION, Operation.TRANSLATION})
"""What may be answered with something else than JSON."""
_NOT_SERVED: Final = frozenset({404, 405, 501})
_NULL: Final = msgspec.Raw(b"null")
_HIDDEN: Final = b"\xe2\x80\xa6"


class ExtrasAnswer(msgspec.Struct, eq=False):
    """See :class:`pointsman.core.upstream.Answer`: whole answers, and streams of raw bytes.

    ``hidden`` are the key and the other secrets of the upstream, should it echo them in an error; ``hint`` is told
    where the upstream has no such path; ``on_error`` is told the status of an error answer.
    """

    ask: Ask
    hidden: tuple[bytes, ...] = ()
    hint: str = ""
    on_error: Callable[[int], None] | None = None
    content_type: bytes = UPSTREAM_TYPE
    usage: Usage = NO_USAGE
    error: GatewayError | None = None
    answer_id: str | None = None

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        if self.on_error is not None:
            self.on_error(status)
        error = self.failure(status, body)
        if status in _NOT_SERVED and error.hint is None:
            error.message = f"{error.message.rstrip('.')}."
            error.hint = self.hint
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        meter = self.read(body)
        if meter.error and meter.error != _NULL:
            raise self.failure(Broken.default_status, body)
        self.usage = read_extras_usage(meter, self.ask)
        return body

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        return data

    def end(self) -> bytes:
        """See the protocol."""
        self.cut()
        return b""

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return b""

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return False

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            self.usage = read_extras_usage(ExtrasMeter(), self.ask)

    def read(self, body: bytes) -> ExtrasMeter:
        """What a whole answer says of itself.

        Raises:
            Broken: it has to be JSON and is not.
        """
        try:
            return _decode_meter(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            if self.ask.operation in _TEXTS:
                return ExtrasMeter()
        try:
            _decode_fields(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise Broken("The upstream's answer is not a JSON object.") from None
        return ExtrasMeter()

    def failure(self, status: int, body: bytes) -> UpstreamFailed:
        """What an error means; secrets go before the text is shortened, which may leave a part of one."""
        return read_error(status, self.without_secrets(body))

    def without_secrets(self, data: bytes) -> bytes:
        """What may be told of what the upstream said."""
        for secret in self.hidden:
            data = data.replace(secret, _HIDDEN) if secret else data
        return data


class EventsAnswer(ExtrasAnswer):
    """Server-sent events, of which whole ones are passed on as they are, so that an error can follow any of them.

    An upstream that cannot stream this answers with one JSON object all the same; it is passed on when it is complete.
    """

    _carry: list[bytes] = msgspec.field(default_factory=list)
    _carry_bytes: int = 0

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        carry = self._carry
        seam = b"".join(carry[-3:])[-3:]
        boundary = _last_boundary(seam + data)
        if not boundary:
            carry.append(data)
            self._carry_bytes += len(data)
            if self._carry_bytes > _EVENT_BYTES_MAX:
                raise Broken(f"The upstream sent an event longer than {_EVENT_BYTES_MAX} bytes.")
            return b""
        cut = boundary - len(seam)
        complete = b"".join((*carry, data[:cut]))
        rest = data[cut:]
        self._carry = [rest] if rest else []
        self._carry_bytes = len(rest)
        return self._metered(complete)

    def end(self) -> bytes:
        """See the protocol."""
        rest = b"".join(self._carry).strip()
        self._carry = []
        if rest.startswith(b"{"):
            rest = self.whole(rest)
        elif rest:
            if rest.startswith(b"data:") and rest != b"data: [DONE]":
                self.read_event(rest)
            rest = self._metered(rest + b"\n\n")
        self.cut()
        return rest

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return write_stream_error(error)

    def read_event(self, event: bytes) -> None:
        """Raise unless the data of an event is whole.

        Raises:
            Broken: it was cut off.
        """
        try:
            _decode_fields(_payload(event))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise Broken("The upstream cut its stream off in the middle of an event.") from None

    def _metered(self, complete: bytes) -> bytes:
        if b'"usage"' not in complete and b'"error"' not in complete:
            return complete
        for event in complete.replace(b"\r\n", b"\n").split(b"\n\n"):
            if b'"usage"' not in event and b'"error"' not in event:
                continue
            try:
                meter = _decode_meter(_payload(event))
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                continue
            if meter.error and meter.error != _NULL:
                self.error = self.failure(Broken.default_status, _payload(event))
            if meter.counts:
                self.usage = read_extras_usage(meter, self.ask)
        return self.without_secrets(complete)


def _payload(event: bytes) -> bytes:
    """The data of an event, whatever other lines it has."""
    return b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))


def _last_boundary(data: bytes) -> int:
    """The position behind the last empty line that ends an event, or 0."""
    plain, windows = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(plain + 2 if plain >= 0 else 0, windows + 4 if windows >= 0 else 0)
