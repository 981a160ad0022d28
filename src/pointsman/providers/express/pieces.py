"""What relaying a stream takes in any dialect of server-sent events: complete events, and errors without the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError, UpstreamFailed
from pointsman.core.upstream import Ask
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_errors import read_error
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["BYTES_PER_TOKEN", "SINGLE_EVENT_BYTES", "PiecewiseAnswer", "payload_of"]

BYTES_PER_TOKEN: Final = 4
SINGLE_EVENT_BYTES: Final = 400
"""Less than this is taken for one event without counting; a model's server sends one at a time."""

_HIDDEN: Final = b"\xe2\x80\xa6"
_NO_EVENTS: Final = (b"{", b"[", b"<", b"\x1f\x8b")
"""How JSON, a page, and what is compressed begin."""
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class PiecewiseAnswer(msgspec.Struct, eq=False):
    """The part of an :class:`~pointsman.core.upstream.Answer` that no dialect changes.

    ``key`` is the upstream's, should it echo it in an error. ``on_error`` is told the status of an error
    answer. ``_events`` and ``_bytes`` count what was relayed.
    """

    ask: Ask
    key: bytes = b""
    hidden: tuple[bytes, ...] = ()
    content_type: bytes = b""
    usage: Usage = NO_USAGE
    error: GatewayError | None = None
    on_error: Callable[[int], None] | None = None
    _carry: list[bytes] = msgspec.field(default_factory=list)
    _carry_bytes: int = 0
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

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return False

    def read_error(self, status: int, body: bytes) -> UpstreamFailed:
        """What an error means in this dialect; that of the OpenAI family unless a subclass knows better."""
        return read_error(status, body)

    def _failure(self, status: int, body: bytes) -> UpstreamFailed:
        """What an error means; the key goes before the text is shortened, which may leave a part of it."""
        return self.read_error(status, self._without_key(body))

    def _without_key(self, data: bytes) -> bytes:
        for secret in (self.key, *self.hidden):
            data = data.replace(secret, _HIDDEN) if secret else data
        return data

    def _complete(self, data: bytes) -> bytes:
        """The complete events of what was kept and ``data``; what is left over is kept.

        Raises:
            Broken: an event is longer than any may be.
        """
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

    def _rest(self) -> bytes:
        """The last event, where the upstream left out the empty line that ends it; empty if there is none.

        Raises:
            Broken: it was cut off.
        """
        rest = b"".join(self._carry).replace(b"\r\n", b"\n").strip(b"\n")
        self._carry.clear()
        if not rest:
            return b""
        _demand_whole(rest)
        return rest + b"\n\n"


def payload_of(event: bytes) -> bytes:
    """The data of an event, whatever other lines it has."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def _demand_whole(event: bytes) -> None:
    """Raise unless an event that lacks its empty line is complete all the same.

    Raises:
        Broken: it was cut off.
    """
    payload = payload_of(event)
    if payload == b"[DONE]" or event.startswith(b":"):
        return
    try:
        _decode_fields(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        if event.startswith(_NO_EVENTS):
            hint = "Ask without stream, if it cannot stream."
            raise Broken("The upstream was asked for a stream and sent something else.", hint=hint) from None
        raise Broken("The upstream cut its stream off in the middle of an event.") from None


def _last_boundary(data: bytes) -> int:
    """The position behind the last empty line that ends an event, or 0."""
    plain = data.rfind(b"\n\n")
    windows = data.rfind(b"\r\n\r\n")
    return max(plain + 2 if plain >= 0 else 0, windows + 4 if windows >= 0 else 0)
