"""The text in an object of JSON with one member, while that object comes in pieces."""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["TextPieces"]

_START: Final = re.compile(r'\s*\{\s*"(?:code|command)"\s*:\s*"')
_WHOLE: Final = re.compile(
    r'(?:[^"\\]|\\["\\/bfnrt]|\\u(?!d[89a-f])[0-9a-f]{4}|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})*', re.IGNORECASE
)
"""As much of a text as can be decoded: no escape is cut off, and no half of a pair stands alone."""
_HEAD_CHARACTERS_MAX: Final = 200

_decode: Final = msgspec.json.Decoder(str).decode


class TextPieces:
    """Reads the member ``code`` or ``command``; of an object that begins otherwise nothing is told."""

    __slots__ = ("_begun", "_over", "_rest", "told")

    def __init__(self) -> None:
        self._rest = ""
        self._begun = self._over = False
        self.told = ""

    def feed(self, json: str) -> str:
        """The text that is new with this piece."""
        if self._over:
            return ""
        self._rest += json
        if not self._begun:
            start = _START.match(self._rest)
            if start is None:
                self._over = len(self._rest) > _HEAD_CHARACTERS_MAX
                return ""
            self._begun = True
            self._rest = self._rest[start.end() :]
        found = _WHOLE.match(self._rest)
        end = 0 if found is None else found.end()
        try:
            text = _decode(f'"{self._rest[:end]}"')
        except (msgspec.MsgspecError, UnicodeError):
            self._over = True
            return ""
        self._rest = self._rest[end:]
        self._over = self._rest.startswith('"')
        self.told += text
        return text

    def left(self, whole: str) -> str:
        """What of the whole text was not told yet."""
        return whole[len(self.told) :] if whole.startswith(self.told) else ""
