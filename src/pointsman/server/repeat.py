"""Recognises the head of a request that a connection has sent before, so that it need not be parsed again.

Clients send the same head with every request of a connection, only its Content-Length differs. What was parsed once
by llhttp, strictly, means the same when the same bytes come again at the beginning of a message; so a read that is the
known bytes, a number in place of the length, the known bytes and a body of just that length is one whole request.
Anything else is the parser's.
"""

from __future__ import annotations

import re
from typing import Final

from pointsman.core.exchange import RequestHead

__all__ = ["KnownHead"]

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)(?=\r\n)", re.IGNORECASE)
_DIGITS_MAX: Final = 8
_HEAD_BYTES_MAX: Final = 4096
"""Longer ones are seldom and are parsed each time, so that an idle connection holds little."""


class KnownHead:
    """``head`` is what the bytes mean."""

    __slots__ = ("_after", "_before", "_digits", "_fixed", "head")

    def __init__(self, head: RequestHead, before: bytes, after: bytes) -> None:
        self.head = head
        self._before = before
        self._after = after
        self._fixed = len(before) + len(after)
        self._digits = 1

    @classmethod
    def learn(cls, head: RequestHead, request: bytes, body_bytes: int) -> KnownHead | None:
        """Remember the head of ``request``, one whole message that was parsed; None if it is not worth knowing."""
        size = len(request) - body_bytes
        if size > _HEAD_BYTES_MAX:
            return None
        raw = request[:size]
        found = list(_LENGTH.finditer(raw))
        # The one empty line has to be the last: neither stray lines before the head nor any behind the body.
        if len(found) != 1 or int(found[0][1]) != body_bytes or raw.find(b"\r\n\r\n") != size - 4:
            return None
        (match,) = found
        return cls(head, raw[: match.start(1)], raw[match.end(1) :])

    def body(self, data: bytes) -> bytes | None:
        """The body, if ``data`` is this head and a body of the length that it says, and nothing more."""
        # From the size of it all and that of the number follows the length of the body, and so all bytes of the head.
        rest, digits = len(data) - self._fixed, self._digits
        head = b"%b%d%b" % (self._before, rest - digits, self._after)
        if len(head) != self._fixed + digits:
            # The number is longer or shorter than last time.
            digits = _digits_before(rest)
            if not digits:
                return None
            self._digits = digits
            head = b"%b%d%b" % (self._before, rest - digits, self._after)
        return data[len(head) :] if data.startswith(head) else None


def _digits_before(rest: int) -> int:
    """With how many digits the length of a body is written that fills ``rest`` bytes together with them; 0: none does.

    A length may also be written with zeros before it, which no client does; such a request is parsed.
    """
    for digits in range(1, _DIGITS_MAX + 1):
        if rest >= digits and len(str(rest - digits)) == digits:
            return digits
    return 0
