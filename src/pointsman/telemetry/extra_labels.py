"""Labels of calls that callers can make very many of, and that are there only where the operator wants them.

``user_agent`` and ``user_email`` are LiteLLM's (1.109.1, ``integrations/prometheus.py``). Of each only so many values
are told apart, those that come first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pointsman.core.outcome import CallRecord

__all__ = ["LABEL_VALUES_MAX", "OTHER", "ExtraLabels"]

OTHER: Final = "other"
"""What stands for all that are too many."""

_CHARACTERS_MAX: Final = 256

LABEL_VALUES_MAX: Final[Mapping[str, int]] = {"user_agent": 200, "user_email": 1_000}
"""Different values of a label that a process tells apart; of labels that are not here the series are bounded alone."""


class ExtraLabels:
    """The values of the labels called ``names``; ``email_of`` gives the address of a key's user, empty if unknown."""

    def __init__(self, names: Sequence[str], email_of: Callable[[str], str]) -> None:
        ways: Mapping[str, Callable[[CallRecord], str]] = {
            "client_ip": lambda record: record.peer or "",
            "end_user": lambda record: record.end_user or "",
            "user_agent": lambda record: record.user_agent,
            "user_email": lambda record: email_of(record.key_token),
        }
        self.names = tuple(names)
        self._ways = [(name, ways[name]) for name in self.names]
        self._known: dict[str, set[str]] = {name: set() for name in self.names if name in LABEL_VALUES_MAX}

    def of(self, record: CallRecord) -> list[str]:
        """Those of a call, in the order of the names."""
        return [self._bounded(name, way(record)[:_CHARACTERS_MAX]) for name, way in self._ways]

    def _bounded(self, name: str, value: str) -> str:
        known = self._known.get(name)
        if known is None or not value or value in known:
            return value
        if len(known) >= LABEL_VALUES_MAX[name]:
            return OTHER
        known.add(value)
        return value
