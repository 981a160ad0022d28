"""LiteLLM's sums of single days, so that reports go on where its own end.

What it served stays apart from what is served here, by its routes: so its sums can be written again, as often as wanted
and with what was added meanwhile, and no call is counted twice. Source of the columns: LiteLLM 1.109.1,
``proxy/schema.prisma``; it has one table for each thing by which it adds up, and a row in it for each day, key, model,
provider and endpoint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from msgspec.structs import astuple

from pointsman.cli.migrate.report import Report
from pointsman.cli.migrate.rows import Row
from pointsman.cli.migrate.source import LiteLLMDatabase
from pointsman.core.price import dollars
from pointsman.policies.keyring import MASTER_TOKEN
from pointsman.stores.activity import Cell, Counts, Line, Scope, day_number
from pointsman.stores.ports import LedgerStore

__all__ = ["ROUTES_OF_LITELLM", "Days"]

ROUTES_OF_LITELLM: Final = "litellm:"
"""Before the endpoints of calls that LiteLLM served."""

_MASTER_KEY: Final = "litellm_proxy_master_key"
"""What stands for the master key in its sums, instead of a hash."""


class _Table(NamedTuple):
    name: str
    scope: Scope
    column: str
    has_owners: bool


_TABLES: Final = (
    _Table("LiteLLM_DailyTeamSpend", "team", "team_id", has_owners=False),
    _Table("LiteLLM_DailyOrganizationSpend", "organization", "organization_id", has_owners=False),
    _Table("LiteLLM_DailyEndUserSpend", "customer", "end_user_id", has_owners=True),
    _Table("LiteLLM_DailyTagSpend", "tag", "tag", has_owners=True),
)


class _Owner(NamedTuple):
    user_id: str
    team_id: str
    organization_id: str


_NOBODY: Final = _Owner("", "", "")


class _Passed:
    """What was read of one table, and what of it is new here."""

    def __init__(self) -> None:
        self.rows = self.changed = self.spend = 0
        self.days: set[int] = set()
        self.unread = 0


class _InStep:
    """Days that are read beside others, in the same order."""

    def __init__(self, days: AsyncIterator[tuple[int, list[Row]]]) -> None:
        self._days = days
        self._next: tuple[int, list[Row]] | None = None
        self._ended = False

    async def rows_of(self, day: int) -> list[Row]:
        """The rows of a day, which is none before the last that was asked for."""
        while not self._ended and (self._next is None or self._next[0] < day):
            self._next = await anext(self._days, None)
            self._ended = self._next is None
        return self._next[1] if self._next is not None and self._next[0] == day else []


class Days:
    """One run over all tables. The master key's calls are told by ``master_tokens``."""

    def __init__(
        self, source: LiteLLMDatabase, ledger: LedgerStore, report: Report, master_tokens: frozenset[str]
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._report = report
        self._master_tokens = master_tokens
        self._owners: dict[str, _Owner] = {}
        self._teamless: dict[int, dict[Line, Counts]] = {}

    async def run(self) -> None:
        """Take the days over.

        Raises:
            StorageUnavailable: one of the databases does not answer.
        """
        for name in ("LiteLLM_DeletedVerificationToken", "LiteLLM_VerificationToken"):
            async for row in self._source.rows(name):
                owner = _Owner(row.named("user_id"), row.named("team_id"), row.named("organization_id"))
                self._owners[row.named("token")] = owner
        await self._take_users()
        for table in _TABLES:
            await self._take(table)
        for day in sorted(self._teamless):
            await self._ledger.set_activity(day, ROUTES_OF_LITELLM, self._without_team(day))

    async def _take_users(self) -> None:
        """The table in which each call is once: the sums by line, and those of everybody together."""
        passed = _Passed()
        of_teams = _InStep(self._by_day("LiteLLM_DailyTeamSpend", _Passed()))
        async for day, rows in self._by_day("LiteLLM_DailyUserSpend", passed):
            sums: dict[Cell, Counts] = {}
            teams = {row.named("api_key"): row.named("team_id") for row in await of_teams.rows_of(day)}
            for row in rows:
                line, counts = self._line(row, teams), _counts(row)
                lane = Line("", "", "", "", *line[4:])
                _count_in(sums, Cell(day, "line", "", line), counts)
                _count_in(sums, Cell(day, "all", "", lane), counts)
                self._teamless.setdefault(day, {}).setdefault(lane, Counts()).add(counts)
            passed.changed += await self._ledger.set_activity(day, ROUTES_OF_LITELLM, sums)
        self._tell("LiteLLM_DailyUserSpend", passed)

    async def _take(self, table: _Table) -> None:
        passed = _Passed()
        async for day, rows in self._by_day(table.name, passed):
            sums: dict[Cell, Counts] = {}
            for row in rows:
                identity = row.named(table.column)
                if not identity:
                    continue
                line, counts = self._line(row, {}), _counts(row)
                lane = Line("", "", "", "", *line[4:])
                _count_in(sums, Cell(day, table.scope, identity, line if table.has_owners else lane), counts)
                if table.scope == "team" and lane in self._teamless.get(day, {}):
                    _take_out(self._teamless[day][lane], counts)
            if table.scope == "team":
                sums |= self._without_team(day)
            passed.changed += await self._ledger.set_activity(day, ROUTES_OF_LITELLM, sums)
        self._tell(table.name, passed)

    def _without_team(self, day: int) -> dict[Cell, Counts]:
        """The sums of a day, which then is done, that no team has a part in."""
        lanes = self._teamless.pop(day, {})
        return {Cell(day, "team", "", lane): counts for lane, counts in lanes.items() if counts.calls}

    async def _by_day(self, table: str, passed: _Passed) -> AsyncIterator[tuple[int, list[Row]]]:
        """The rows of each day together."""
        held: list[Row] = []
        held_day = 0
        async for row in self._source.rows(table):
            day = _day(row)
            if day is None:
                passed.unread += 1
                continue
            if held and day != held_day:
                yield held_day, held
                held = []
            held_day = day
            held.append(row)
            passed.rows += 1
            passed.days.add(day)
            passed.spend += row.money("spend") or 0
        if held:
            yield held_day, held

    def _line(self, row: Row, teams: Mapping[str, str]) -> Line:
        """``teams`` are those of the keys on that day; where there are none, a key's team of today is taken for it."""
        token, provider = row.named("api_key"), row.named("custom_llm_provider")
        model = row.named("model").removeprefix(f"{provider}/")  # as it is called here
        owner = self._owners.get(token, _NOBODY)
        return Line(
            MASTER_TOKEN if token == _MASTER_KEY or token in self._master_tokens else token,
            row.named("user_id") or owner.user_id,
            teams.get(token, "") if teams else owner.team_id,
            owner.organization_id,
            row.named("model_group") or model,
            model,
            provider,
            f"{ROUTES_OF_LITELLM}{row.named('endpoint')}",
        )

    def _tell(self, table: str, passed: _Passed) -> None:
        if not passed.rows and not passed.unread:
            return
        notes = [f"{passed.rows} rows of {len(passed.days)} days, {dollars(passed.spend):.6f} USD."]
        if passed.unread:
            notes.append(f"{passed.unread} rows have no day that can be read, and do not come over.")
        self._report.add("daily spending", table, "imported" if passed.changed else "unchanged", notes=notes)


def _day(row: Row) -> int | None:
    try:
        return day_number(date.fromisoformat(row.named("date")))
    except ValueError:
        return None


def _counts(row: Row) -> Counts:
    def whole(column: str) -> int:
        return max(row.whole(column) or 0, 0)

    return Counts(
        calls=whole("api_requests"),
        failures=whole("failed_requests"),
        prompt_tokens=whole("prompt_tokens"),
        completion_tokens=whole("completion_tokens"),
        cached_tokens=whole("cache_read_input_tokens"),
        cache_write_tokens=whole("cache_creation_input_tokens"),
        spend=max(row.money("spend") or 0, 0),
        milliseconds=whole("total_response_time_ms"),
    )


def _count_in(sums: dict[Cell, Counts], cell: Cell, counts: Counts) -> None:
    sums.setdefault(cell, Counts()).add(counts)


def _take_out(whole: Counts, part: Counts) -> None:
    """What is left of ``whole`` without ``part``."""
    left = (max(one - other, 0) for one, other in zip(astuple(whole), astuple(part), strict=True))
    for name, number in zip(Counts.__struct_fields__, left, strict=True):
        setattr(whole, name, number)
