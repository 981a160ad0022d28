"""What calls came to, added up by day as they are recorded, so that reports never look at single calls.

A call is counted once in scope ``line`` (by everything that reports tell apart), once in ``all`` (without its owners),
once for its team (or for ``""``), its organisation, its project and its customer, and once for each of its tags.
Customers and tags keep the owners, the others do not: who asks for those with their keys asks ``line``. So that reports
of customers and tags need not add up all keys, these are counted a second time without owners, in ``customer_sum`` and
``tag_sum``; who asks for ``customer`` or ``tag`` without owners is answered from there (:func:`cheapest`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import date
from operator import attrgetter
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from pointsman.core.address import host_of
from pointsman.core.outcome import CallRecord
from pointsman.stores.charges import project_of
from pointsman.stores.directory.ports import INTEGER_MAX

__all__ = [
    "EPOCH",
    "LOOKED_FOR_MAX",
    "SCOPES",
    "ActivityQuery",
    "ActivityRow",
    "Cell",
    "Counts",
    "Dimension",
    "FailureGroup",
    "FailureQuery",
    "FailureRow",
    "Line",
    "Owners",
    "Ranked",
    "Scope",
    "cheapest",
    "day_number",
    "line_of",
    "owners_of",
    "sum_up",
    "summed_without_owners",
    "without_owners",
]

Scope = Literal["line", "all", "team", "organization", "customer", "tag", "customer_sum", "tag_sum", "project"]

SCOPES: Final[Mapping[Scope, int]] = {
    "line": 0, "all": 1, "team": 2, "organization": 3, "customer": 4, "tag": 5, "customer_sum": 6, "tag_sum": 7,
    "project": 8,
}  # fmt: skip
"""The numbers that the scopes are stored as."""

EPOCH: Final = date(1970, 1, 1)

Owners = Literal["key", "user", "team"]
"""By which owners the lines of a query are found: keys, a user, or teams and organisations; the others hold, too."""

LOOKED_FOR_MAX: Final = 50_000
"""Sums of customers and tags that are looked for one by one; to go through all of the days is quicker beyond that."""

Dimension = Literal[
    "day", "identity", "key_token", "user_id", "team_id", "organization_id", "model_group", "model", "provider", "route"
]


class Line(NamedTuple):
    """What reports tell calls apart by; ``""`` for nobody and nothing.

    Calls that reached no deployment have no model group, so that no client can invent models here.
    """

    key_token: str = ""
    user_id: str = ""
    team_id: str = ""
    organization_id: str = ""
    model_group: str = ""
    model: str = ""
    provider: str = ""
    route: str = ""


class Cell(NamedTuple):
    """One sum: of a day (days since 1970), of a scope, of whom in it (``""`` where the scope is of nobody)."""

    day: int
    scope: Scope
    identity: str
    line: Line


class FailureGroup(NamedTuple):
    """What failures are counted by; ``host`` is an address without path, ``""`` where no deployment was reached."""

    day: int
    model_group: str
    host: str
    http_status: int


class Counts(msgspec.Struct):
    """The sums of calls. Money is in picodollars, energy in milliwatt-hours; ``failures`` did not succeed."""

    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    spend: int = 0
    energy_mwh: int = 0
    energy_cost: int = 0
    milliseconds: int = 0

    def add(self, other: Counts) -> None:
        """Count ``other`` in, not beyond the range of whole numbers."""
        self.calls += other.calls
        self.failures += other.failures
        self.prompt_tokens = min(self.prompt_tokens + other.prompt_tokens, INTEGER_MAX)
        self.completion_tokens = min(self.completion_tokens + other.completion_tokens, INTEGER_MAX)
        self.cached_tokens = min(self.cached_tokens + other.cached_tokens, INTEGER_MAX)
        self.cache_write_tokens = min(self.cache_write_tokens + other.cache_write_tokens, INTEGER_MAX)
        self.reasoning_tokens = min(self.reasoning_tokens + other.reasoning_tokens, INTEGER_MAX)
        self.spend = min(self.spend + other.spend, INTEGER_MAX)
        self.energy_mwh = min(self.energy_mwh + other.energy_mwh, INTEGER_MAX)
        self.energy_cost = min(self.energy_cost + other.energy_cost, INTEGER_MAX)
        self.milliseconds = min(self.milliseconds + other.milliseconds, INTEGER_MAX)

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def successes(self) -> int:
        """Calls that succeeded."""
        return self.calls - self.failures


class ActivityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sums to give, both days included. Filters hold together; those that are None do not count.

    ``by`` is what the rows tell apart; the rest is added up. ``identities`` and ``but_not`` are of the scope. Only the
    scopes ``line``, ``customer`` and ``tag`` know owners. ``order``: the greatest spending first, or by the names. Of
    ``team_ids`` and ``organization_id`` together, one has to hold: that is how an organisation's teams are counted in.
    """

    first_day: date
    last_day: date
    scope: Scope = "all"
    by: tuple[Dimension, ...] = ("day",)
    identities: tuple[str, ...] | None = None
    but_not: tuple[str, ...] = ()
    key_tokens: tuple[str, ...] | None = None
    user_id: str | None = None
    team_ids: tuple[str, ...] | None = None
    organization_id: str | None = None
    model: str | None = None
    order: Literal["names", "spend"] = "names"
    limit: int = 100_000
    offset: int = 0


class ActivityRow(msgspec.Struct, frozen=True):
    """One sum. ``day`` is EPOCH, and names are ``""``, where the query did not tell them apart."""

    day: date
    identity: str
    line: Line
    counts: Counts


class Ranked(NamedTuple):
    """Whose, how many calls, and what they cost in picodollars."""

    identity: str
    calls: int
    spend: int


class FailureQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which failures to count, both days included."""

    first_day: date
    last_day: date
    model_group: str
    http_status: int


class FailureRow(NamedTuple):
    """How many calls failed on a day at a host."""

    day: date
    host: str
    calls: int


_Sums: TypeAlias = dict[Cell, Counts]
_OWNERS: Final[frozenset[Dimension]] = frozenset({"key_token", "user_id", "team_id", "organization_id"})
_WITHOUT_OWNERS: Final[Mapping[Scope, Scope]] = {"customer": "customer_sum", "tag": "tag_sum"}
_owners_and_way = attrgetter(
    "key_token", "user_id", "team_id", "organization_id", "model_group", "model", "provider", "route", "deployment_id"
)


def line_of(record: CallRecord) -> Line:
    """What a call is told apart by."""
    key_token, user_id, team_id, organization_id, group, model, provider, route, deployment_id = _owners_and_way(record)
    group, model = (group, model) if deployment_id else ("", "")
    return Line(key_token, user_id or "", team_id or "", organization_id or "", group, model, provider, route)


def without_owners(scope: Scope) -> Scope:
    """The scope that counts the same without owners."""
    return _WITHOUT_OWNERS.get(scope, scope)


def cheapest(query: ActivityQuery) -> ActivityQuery:
    """A query with the same answer that looks at as few sums as may be."""
    owners = (query.key_tokens, query.user_id, query.team_ids, query.organization_id)
    if query.scope not in _WITHOUT_OWNERS or any(one is not None for one in owners) or _OWNERS.intersection(query.by):
        return query
    return msgspec.structs.replace(query, scope=without_owners(query.scope))


def owners_of(query: ActivityQuery) -> Owners | None:
    """How the lines of a query are found; None: there is no index for what it asks for."""
    if query.scope not in {"line", *_WITHOUT_OWNERS}:
        return None
    if query.key_tokens is not None:
        return "key"
    if query.user_id is not None:
        return "user"
    return None if query.team_ids is None and query.organization_id is None else "team"


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def sum_up(
    sums: _Sums, failures: dict[FailureGroup, int], day: int, tags: tuple[str, ...], records: Sequence[CallRecord]
) -> Counts:
    """Count records of one day in that agree in their line, charges and tags, and give what they come to."""
    counts = _counts(records)
    line = line_of(records[0])
    lane = Line("", "", "", "", *line[4:])
    _add(sums, Cell(day, "line", "", line), counts)
    _add(sums, Cell(day, "all", "", lane), counts)
    _add(sums, Cell(day, "team", line.team_id, lane), counts)
    if line.organization_id:
        _add(sums, Cell(day, "organization", line.organization_id, lane), counts)
    project = project_of(records[0])
    if project is not None:
        _add(sums, Cell(day, "project", project, lane), counts)
    for tag in dict.fromkeys(tags):
        _add(sums, Cell(day, "tag", tag, line), counts)
        _add(sums, Cell(day, "tag_sum", tag, lane), counts)
    for customer, of_customer in _by_customer(records):
        whole = len(of_customer) == len(records)
        its = counts if whole else _counts(of_customer)
        _add(sums, Cell(day, "customer", customer, line), its)
        _add(sums, Cell(day, "customer_sum", customer, lane), its)
    if counts.failures:
        _count_failures(failures, day, line.model_group, records)
    return counts


def summed_without_owners(sums: Mapping[Cell, Counts]) -> dict[Cell, Counts]:
    """What sums of customers and tags come to without owners."""
    found: _Sums = {}
    for (day, scope, identity, line), counts in sums.items():
        if scope in _WITHOUT_OWNERS:
            _add(found, Cell(day, _WITHOUT_OWNERS[scope], identity, Line("", "", "", "", *line[4:])), counts)
    return found


def _add(sums: _Sums, cell: Cell, counts: Counts) -> None:
    known = sums.get(cell)
    if known is None:
        sums[cell] = copy(counts)  # which most cells of a batch keep
    else:
        known.add(counts)


def _counts(records: Sequence[CallRecord]) -> Counts:
    """Add up by columns, since a loop over the records takes twice as long."""
    if len(records) == 1:
        return _counts_of_one(records[0])
    usages = [record.usage for record in records]
    milliseconds = [(record.ended_at - record.started_at) * 1000 for record in records]
    return Counts(
        len(records),
        len(records) - [record.status for record in records].count("success"),
        _whole(sum([usage.prompt for usage in usages])),
        _whole(sum([usage.completion for usage in usages])),
        _whole(sum([usage.cached for usage in usages])),
        _whole(sum([usage.cache_write for usage in usages])),
        _whole(sum([usage.reasoning for usage in usages])),
        _whole(sum([record.cost for record in records])),
        _whole(sum([record.energy_mwh for record in records])),
        _whole(sum([record.energy_cost for record in records])),
        _whole(round(sum([each for each in milliseconds if 0.0 < each < 1e15]))),
    )


def _counts_of_one(record: CallRecord) -> Counts:
    usage = record.usage
    milliseconds = (record.ended_at - record.started_at) * 1000
    return Counts(
        1,
        0 if record.status == "success" else 1,
        _whole(usage.prompt),
        _whole(usage.completion),
        _whole(usage.cached),
        _whole(usage.cache_write),
        _whole(usage.reasoning),
        _whole(record.cost),
        _whole(record.energy_mwh),
        _whole(record.energy_cost),
        round(milliseconds) if 0.0 < milliseconds < 1e15 else 0,
    )


def _whole(number: int) -> int:
    return number if -INTEGER_MAX <= number <= INTEGER_MAX else max(-INTEGER_MAX, min(number, INTEGER_MAX))


def _by_customer(records: Sequence[CallRecord]) -> Iterable[tuple[str, Sequence[CallRecord]]]:
    named = [record for record in records if record.end_user]
    groups: dict[str, list[CallRecord]] = {}
    for record in named:
        groups.setdefault(record.end_user or "", []).append(record)
    return groups.items()


def _count_failures(
    failures: dict[FailureGroup, int], day: int, model_group: str, records: Sequence[CallRecord]
) -> None:
    for record in records:
        if record.status != "success":
            host = host_of(record.api_base) if record.deployment_id and record.api_base else ""
            group = FailureGroup(day, model_group, host, record.http_status)
            failures[group] = failures.get(group, 0) + 1
