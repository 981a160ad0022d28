"""Frames of a stream that differ from one another in one text only, as nearly all of a model's answer do.

Such a frame need not be decoded again: what stands before and behind the text says what it said before, since in JSON
one text may stand wherever another does. So only the text itself is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["KnownFrames"]

_decode_text: Final = msgspec.json.Decoder(str).decode
_TEXT: Final = re.compile(rb'\s*("(?:[^"\\]|\\.)*")')
_PROBE: Final = "a text that nobody says"
"""A text that stands in for the frame's own to find out whether it is the one that is read."""

_TRIES: Final = 16
"""How often frames of another kind are learned; servers that put counts or times into each of them are given up."""


class KnownFrames:
    """Reads the text of frames that are as one seen before; of one stream.

    Args:
        field: The name of the field that holds the text.
    """

    __slots__ = ("_head", "_mark", "_tail", "_tries")

    def __init__(self, field: bytes) -> None:
        self._mark = b'"%b":' % field
        self._head = self._tail = b""
        self._tries = _TRIES

    def text_of(self, frame: bytes) -> str:
        """The text of a frame that says nothing else; empty: it is another one, or not known yet."""
        head, tail = self._head, self._tail
        if not head or not frame.startswith(head) or not frame.endswith(tail):
            return ""
        try:
            return _decode_text(frame[len(head) : -len(tail)])
        except UNREADABLE:
            return ""

    def forget(self) -> None:
        """Know none from here on: the answer is over."""
        self._head = b""
        self._tries = 0

    def learn(self, frame: bytes, read: Callable[[bytes], str | None]) -> None:
        """Know frames that are as this one, which says a text and nothing else; ``read`` finds that in a frame."""
        if not self._tries:
            return
        self._tries -= 1
        place = frame.find(self._mark)
        found = _TEXT.match(frame, place + len(self._mark)) if place >= 0 else None
        if found is not None:
            head, tail = frame[: found.start(1)], frame[found.end(1) :]
            try:
                if read(b'%b"%b"%b' % (head, _PROBE.encode(), tail)) == _PROBE:
                    self._head, self._tail = head, tail
            except UNREADABLE:
                return
