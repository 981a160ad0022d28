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

    __slots__ = ("_after", "_after_size", "_before", "_length_at", "head")

    def __init__(self, head: RequestHead, before: bytes, after: bytes) -> None:
        self.head = head
        self._before = before
        self._length_at = len(before)
        self._after = after
        self._after_size = len(after)

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
        start = self._length_at
        end = data.find(b"\r", start, start + _DIGITS_MAX + 1)
        digits = data[start:end]
        if not (digits.isdigit() and data.startswith(self._before) and data.startswith(self._after, end)):
            return None
        body = data[end + self._after_size :]
        return body if len(body) == int(digits) else None
