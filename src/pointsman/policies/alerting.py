"""Notices the moment at which spending passes a threshold of a budget, and says so once.

What the store says of other processes' spending moves the thresholds on without a word: whoever's call passed one has
said it. Money is in picodollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol

import msgspec

__all__ = ["Crossing", "CrossingKind", "Watch", "Watched"]

CrossingKind = Literal["soft_budget_crossed", "threshold_crossed", "budget_crossed", "projected_limit_exceeded"]
"""LiteLLM's words (1.109.1, ``WebhookEvent.event``)."""

_WHOLE: Final = 100
_PROJECTED_PERCENT: Final = 50
"""Once so much is spent it is worth telling whether the rest of the period can be paid for."""


class Watched(Protocol):
    """An account, as far as its thresholds go."""

    scope: str
    identity: str
    model: str
    name: str
    spent: int
    budget: int | None
    soft: int | None
    duration: str | None
    reset_at: float | None
    alert_at: int | None

    def parties(self) -> tuple[str | None, str | None, str | None]:
        """The user, the team and the organisation that it belongs to."""
        ...


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that spending has passed; ``percent`` is that of the budget, None for a soft budget."""

    kind: CrossingKind
    percent: int | None
    scope: str
    identity: str
    model: str
    name: str
    spent: int
    budget: int | None
    soft: int | None
    duration: str | None
    reset_at: float | None
    user_id: str | None
    team_id: str | None
    organization_id: str | None


class Watch:
    """Knows the thresholds; ``percents`` of a budget beside its end, and soft budgets. ``tell`` must not raise."""

    def __init__(self, percents: Iterable[int], tell: Callable[[Crossing], None]) -> None:
        self.percents = tuple(percents)
        self._percents = sorted({*self.percents, _WHOLE, _PROJECTED_PERCENT})
        self._told = {*self.percents, _WHOLE}
        self._tell = tell

    def next_above(self, account: Watched) -> int | None:
        """The next amount at which there is something to say; None: never."""
        amounts = [amount for _, _, amount in self._thresholds(account) if amount > account.spent]
        return min(amounts, default=None)

    def crossed(self, account: Watched, before: int) -> None:
        """Spending rose from ``before`` past the next threshold."""
        passed = [one for one in self._thresholds(account) if before < one[2] <= account.spent]
        account.alert_at = self.next_above(account)
        soft = [one for one in passed if one[0] == "soft_budget_crossed"]
        hard = [one for one in passed if one[1] in self._told]
        projected = [one for one in passed if one[0] == "projected_limit_exceeded"]
        for kind, percent, _ in (*soft, *(hard[-1:] or projected)):
            user_id, team_id, organization_id = account.parties()
            self._tell(
                Crossing(
                    kind=kind, percent=percent, scope=account.scope, identity=account.identity, model=account.model,
                    name=account.name, spent=account.spent, budget=account.budget, soft=account.soft,
                    duration=account.duration, reset_at=account.reset_at, user_id=user_id, team_id=team_id,
                    organization_id=organization_id,
                )
            )  # fmt: skip

    def _thresholds(self, account: Watched) -> list[tuple[CrossingKind, int | None, int]]:
        """Kind, percent and amount of each, rising."""
        found: list[tuple[CrossingKind, int | None, int]] = []
        if account.soft is not None:
            found.append(("soft_budget_crossed", None, account.soft))
        if account.budget:
            budget = account.budget
            found += [(_kind(percent, self._told), percent, budget * percent // _WHOLE) for percent in self._percents]
        return sorted(found, key=lambda one: one[2])


def _kind(percent: int, told: set[int]) -> CrossingKind:
    if percent == _WHOLE:
        return "budget_crossed"
    return "threshold_crossed" if percent in told else "projected_limit_exceeded"
