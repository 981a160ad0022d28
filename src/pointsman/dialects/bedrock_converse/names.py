"""Names and ids of tools in the letters that Bedrock allows.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolSpecification.html (a name: 64 letters,
digits, ``_`` and ``-``) and …_ToolUseBlock.html (an id: those and ``.`` and ``:``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from pointsman.core.call import Call
from pointsman.core.content import ToolCall

__all__ = ["ToolNames", "fit_id"]

_LENGTH_MAX: Final = 64
_DIGEST_CHARACTERS: Final = 8
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]")
_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_.:-]")


class ToolNames:
    """The tools of one call under the names that Bedrock knows them by, and back."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._fitted: dict[str, str] = {}
        self._given: dict[str, str] = {}
        # Names that are good already keep themselves, whatever the others turn into.
        for name in sorted(dict.fromkeys(names), key=lambda name: _fit(name, _NOT_IN_NAMES) != name):
            self._add(name)

    @classmethod
    def of(cls, call: Call) -> ToolNames:
        """Those that a call offers, and those that its messages speak of."""
        offered = [tool.name for tool in call.tools]
        return cls(
            [*offered, *(part.name for turn in call.messages for part in turn.parts if isinstance(part, ToolCall))]
        )

    def fitted(self, name: str) -> str:
        """Bedrock's name for a tool."""
        return self._fitted.get(name) or _fit(name, _NOT_IN_NAMES)

    def given(self, fitted: str) -> str:
        """The client's name for a tool of Bedrock's."""
        return self._given.get(fitted, fitted)

    def unused(self, wanted: str) -> str:
        """A name that no tool has."""
        while wanted in self._given:
            wanted += "_"
        return wanted

    def _add(self, name: str) -> None:
        fitted = _fit(name, _NOT_IN_NAMES)
        if fitted in self._given:
            fitted = f"{fitted[: _LENGTH_MAX - _DIGEST_CHARACTERS - 1]}_{_digest(name)}"
        self._fitted[name] = fitted
        self._given[fitted] = name


def fit_id(call_id: str) -> str:
    """An id as Bedrock allows it; call and result are changed alike, so they stay together."""
    return _fit(call_id, _NOT_IN_IDS)


def _fit(text: str, wrong: re.Pattern[str]) -> str:
    fitted = wrong.sub("_", text) or "_"
    if len(fitted) <= _LENGTH_MAX:
        return fitted
    return f"{fitted[: _LENGTH_MAX - _DIGEST_CHARACTERS - 1]}_{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
