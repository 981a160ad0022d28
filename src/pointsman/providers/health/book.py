"""Remembers verdicts: the last one of each deployment, and what was found before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.upstream import Deployment
from pointsman.providers.health.verdict import Verdict

__all__ = ["HealthBook", "HealthEntry"]

HISTORY_MAX: Final = 10_000
"""Entries kept, of all deployments together; the oldest go first."""

REPEAT_SECONDS: Final = 3600.0
"""How often it is noted that nothing has changed, as LiteLLM does."""


class HealthEntry(msgspec.Struct, frozen=True):
    """One line of the history. ``checked_by`` is whose question it was, or ``background``."""

    id: str
    model_name: str
    model_id: str
    status: Literal["healthy", "unhealthy"]
    verdict: Verdict
    checked_by: str


class HealthBook:
    """In memory, and this process's own. ``on_line`` is told each line of the history."""

    def __init__(self) -> None:
        self.on_line: Callable[[HealthEntry], None] = lambda _entry: None
        self._latest: dict[str, HealthEntry] = {}
        self._history: deque[HealthEntry] = deque(maxlen=HISTORY_MAX)
        self._noted: dict[str, HealthEntry] = {}

    def note(self, deployment: Deployment, verdict: Verdict, checked_by: str) -> None:
        """Take over a verdict; the history gets it if something has changed, or an hour has passed."""
        entry = HealthEntry(
            short_id("hc-"),
            deployment.group,
            deployment.id,
            "healthy" if verdict.healthy else "unhealthy",
            verdict,
            checked_by,
        )
        self._latest[deployment.id] = entry
        noted = self._noted.get(deployment.id)
        if noted is None or noted.status != entry.status or verdict.at - noted.verdict.at >= REPEAT_SECONDS:
            self._noted[deployment.id] = entry
            self._history.appendleft(entry)
            self.on_line(entry)

    def keep_only(self, deployments: Iterable[Deployment]) -> None:
        """Forget the present state of deployments that are no more; the history stays."""
        here = {deployment.id for deployment in deployments}
        for known in (self._latest, self._noted):
            for gone in known.keys() - here:
                del known[gone]

    def latest(self, deployment_id: str) -> HealthEntry | None:
        """The last verdict."""
        return self._latest.get(deployment_id)

    def history(self) -> Iterator[HealthEntry]:
        """Every line, the newest first."""
        return iter(self._history)
