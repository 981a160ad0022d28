"""What was used of the tokens of a day before this process began, so that no restart gives anybody a new day.

It is read from the sums of the ledger, which are kept by the day of UTC, and taken to have been used evenly over each
day: of today all of it counts, of yesterday the part that is not yet 24 hours old.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.core.usage import Usage
from pointsman.policies.accounts import Account
from pointsman.stores.activity import ActivityQuery, ActivityRow, Scope
from pointsman.stores.directory.records import member_of

__all__ = ["DayMemory"]

_DAY_SECONDS: Final = 24 * 60 * 60
_STEP_SECONDS: Final = 300
_SUMMED: Final[dict[str, Scope]] = {
    "team": "team", "organization": "organization", "customer": "customer", "tag": "tag",
    "project": "project",
}  # fmt: skip

_Counted = Callable[[Usage], int]


class DayMemory:
    """``activity`` asks the ledger, ``counted`` tells which tokens count for limits (None: all of them)."""

    def __init__(
        self,
        activity: Callable[[ActivityQuery], Awaitable[Sequence[ActivityRow]]],
        clock: Clock,
        counted: Callable[[], _Counted | None] = lambda: None,
    ) -> None:
        self._activity = activity
        self._clock = clock
        self._counted = counted

    async def recall(self, accounts: Iterable[Account]) -> None:
        """Count in what those have used that have such a limit, once for each.

        While nobody can say, they begin with what they use from now on, and it is made up for at the next occasion.
        """
        for account in accounts:
            day = account.day
            if day is None or day.is_recalled:
                continue
            day.is_recalled = True  # while we wait, somebody else may come to it
            try:
                rows = await self._rows(account)
            except StorageUnavailable:
                day.is_recalled = False
                return
            day.recall(self._spread(rows, account.share), int(self._clock.monotonic()))

    async def _rows(self, account: Account) -> Sequence[ActivityRow]:
        today = datetime.fromtimestamp(self._clock.wall(), UTC).date()
        query = ActivityQuery(first_day=today - timedelta(days=1), last_day=today)
        return await self._activity(_of(account, query))

    def _spread(self, rows: Sequence[ActivityRow], share: int) -> Iterator[tuple[int, int]]:
        """Monotonic seconds, and how many tokens this process takes to have been used then; the oldest first."""
        now, second, counted = self._clock.wall(), int(self._clock.monotonic()), self._counted()
        for row in sorted(rows, key=lambda row: row.day):
            used = Usage(row.counts.prompt_tokens, row.counts.completion_tokens)
            tokens = row.counts.total_tokens if counted is None else counted(used)
            begin = _midnight(row.day)
            for moment, units in _evenly(-(-tokens // share), begin, min(now, begin + _DAY_SECONDS)):
                if moment > now - _DAY_SECONDS:
                    yield second - int(now - moment), units


def _of(account: Account, query: ActivityQuery) -> ActivityQuery:
    """The query about one account."""
    identity = account.identity
    if account.scope in _SUMMED:
        return msgspec.structs.replace(query, scope=_SUMMED[account.scope], identities=(identity,))
    match account.scope:
        case "key":
            return msgspec.structs.replace(query, scope="line", key_tokens=(identity,))
        case "user":
            return msgspec.structs.replace(query, scope="line", user_id=identity)
        case "member":
            team_id, user_id = member_of(identity)
            return msgspec.structs.replace(query, scope="line", team_ids=(team_id,), user_id=user_id)
        case "organization_member":
            organization_id, user_id = member_of(identity)
            return msgspec.structs.replace(query, scope="line", organization_id=organization_id, user_id=user_id)
        case "model":
            return msgspec.structs.replace(query, model=identity)
        case _:
            return query


def _evenly(units: int, begin: float, end: float) -> Iterator[tuple[float, int]]:
    """Units over the steps of a span, each as many as its part of the time; all of them together."""
    steps = max(1, int((end - begin) // _STEP_SECONDS))
    done = 0
    for step in range(steps):
        until = units * (step + 1) // steps
        if until > done:
            yield begin + (end - begin) * (step + 0.5) / steps, until - done
        done = until


def _midnight(day: date) -> float:
    return datetime.combine(day, time.min, UTC).timestamp()
