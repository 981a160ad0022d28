"""``/tag/…``: words that requests carry, what they lead to and what they may cost.

Source: LiteLLM 1.109.1, ``tag_management_endpoints.py``.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.governance.entries import author, demand_printable, every, existing, replaced, tell
from pointsman.admin.governance.limit_fields import (
    BudgetFields,
    BudgetTable,
    budget_table,
    changed_limits,
    first_reset,
    says_limits,
)
from pointsman.admin.governance.noting import note
from pointsman.admin.governance.periods import begin_periods, budgets_named, joined_limits, spent_by
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.requests import Label, ModelName
from pointsman.admin.office import Office
from pointsman.admin.rights import rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.days import all_days, asked_days
from pointsman.admin.spend.sight import Sight, sight_of
from pointsman.admin.timestamps import iso, read_moment
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.price import dollars
from pointsman.policies.principal import Principal
from pointsman.stores.activity import ActivityQuery
from pointsman.stores.directory.kinds import TAGS
from pointsman.stores.directory.ports import EntryExists, Spent
from pointsman.stores.directory.records import NO_LIMITS, Budget, Tag
from pointsman.stores.ports import KeyQuery

__all__ = [
    "NewTagRequest",
    "TagChangedReply",
    "TagListQuery",
    "TagNameRequest",
    "TagNamesRequest",
    "TagRow",
    "TagSaidReply",
    "UpdateTagRequest",
    "delete_tag",
    "list_tags",
    "new_tag",
    "show_tags",
    "update_tag",
]

_OWN_KEYS_MAX: Final = 1_000
_USED_MAX: Final = 10_000
_PASSING: Final = "A word that requests carried. It is not stored, leads to no models and has no budget."


class _TagFields(BudgetFields, frozen=True, kw_only=True):
    """What can be said about a tag; ``models`` are names of models or ids of deployments."""

    name: Label
    description: Annotated[str, Meta(max_length=4096)] | UnsetType | None = UNSET
    models: tuple[ModelName, ...] | UnsetType | None = UNSET
    model_info: dict[str, str] | UnsetType | None = UNSET
    budget_id: Label | UnsetType | None = UNSET


class NewTagRequest(_TagFields, frozen=True, kw_only=True):
    """A tag."""


class UpdateTagRequest(_TagFields, frozen=True, kw_only=True):
    """Changes to a tag."""


class TagNamesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Several tags."""

    names: Annotated[tuple[Label, ...], Meta(max_length=1000)]


class TagNameRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One tag."""

    name: Label


class TagListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Days, both or none, in which tags were used that are not stored; those that are are listed whatever the days."""

    start_date: str | None = None
    end_date: str | None = None


class TagRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tag (LiteLLM's ``TagConfig``), what it has spent, and what binds it."""

    name: str
    description: str | None
    models: tuple[str, ...] | None
    model_info: dict[str, str]
    created_at: str | None
    updated_at: str | None
    created_by: str | None
    budget_id: str | None
    spend: float
    litellm_budget_table: BudgetTable | UnsetType = UNSET


class TagChangedReply(msgspec.Struct, frozen=True):
    """What was done, and the tag as it is now."""

    message: str
    tag: TagRow


class TagSaidReply(msgspec.Struct, frozen=True):
    """What was done."""

    message: str


async def new_tag(office: Office, visit: Visit[Nothing, NewTagRequest]) -> Answer:
    """Make a tag."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    demand_printable(name=wanted.name)
    await _demand_budget(office, wanted)
    tag = _changed(Tag(name=wanted.name, created_at=now, created_by=by), wanted, now, by)
    try:
        await office.directory.insert(TAGS, tag)
    except EntryExists:
        raise Malformed(
            f"Tag {tag.name} already exists", hint="Change it with POST /tag/update.", param="name"
        ) from None
    await _begin(office, tag, wanted)
    tell(office, TAGS, tag.name)
    row = (await _rows(office, (tag,)))[tag.name]
    note(visit, "created", "LiteLLM_TagTable", tag.name, before=None, after=row)
    return Answer(TagChangedReply(f"Tag {tag.name} created successfully", row))


async def update_tag(office: Office, visit: Visit[Nothing, UpdateTagRequest]) -> Answer:
    """Change what the request names, and leave the rest."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    await existing(office, TAGS, wanted.name, "name", f"Tag {wanted.name} not found")
    await _demand_budget(office, wanted)
    old, tag = await replaced(office, TAGS, wanted.name, lambda one: _changed(one, wanted, now, by))
    before = (await _rows(office, (old,)))[old.name]
    if says_limits(wanted) or wanted.budget_id is not UNSET:
        await _begin(office, tag, wanted)
    tell(office, TAGS, tag.name)
    row = (await _rows(office, (tag,)))[tag.name]
    note(visit, "updated", "LiteLLM_TagTable", tag.name, before=before, after=row)
    return Answer(TagChangedReply(f"Tag {tag.name} updated successfully", row))


async def show_tags(office: Office, visit: Visit[Nothing, TagNamesRequest]) -> Answer:
    """Several tags by their names."""
    names = tuple(dict.fromkeys(visit.body.names))
    found = await office.directory.look_up([(TAGS, name) for name in names])
    tags = tuple(tag for tag in found if isinstance(tag, Tag))
    missing = [name for name in names if name not in {tag.name for tag in tags}]
    if missing:
        raise NotFound(f"Tags not found: {missing}", hint="GET /tag/list has all.", param="names", code="tag_not_found")
    await flushed(office)
    return Answer(await _rows(office, tags))


async def list_tags(office: Office, visit: Visit[TagListQuery, Nothing]) -> Answer:
    """All tags, and the words that requests carried; to somebody who does not see everything, those of their own."""
    _demand_days(visit.query)
    stored = await every(office, TAGS)
    sight = await sight_of(office, visit.caller)
    await flushed(office)
    used = await _used(office, sight, visit.query)
    tags = stored
    if not sight.all:
        own = await _own_tags(office, visit.caller)
        tags = tuple(tag for tag in tags if tag.name in own)
    known = {tag.name for tag in stored}
    spent = await spent_by(office, "tag", [name for name in used if name not in known]) if sight.all else {}
    passing = [_passing(name, spent.get(name)) for name in used if name not in known]
    return Answer([*(await _rows(office, tags)).values(), *passing])


async def delete_tag(office: Office, visit: Visit[Nothing, TagNameRequest]) -> Answer:
    """Delete a tag. Requests may go on carrying the word; it only leads nowhere and costs what it costs."""
    name = visit.body.name
    tag = await existing(office, TAGS, name, "name", f"Tag {name} not found")
    before = (await _rows(office, (tag,)))[name]
    await office.directory.delete(TAGS, (name,))
    await office.spend.forget("tag", name)
    tell(office, TAGS, name)
    note(visit, "deleted", "LiteLLM_TagTable", name, before=before, after=None)
    return Answer(TagSaidReply(f"Tag {name} deleted successfully"))


def _changed(tag: Tag, wanted: _TagFields, now: float, by: str) -> Tag:
    found: dict[str, object] = {}
    for name in ("description", "budget_id"):
        value = getattr(wanted, name)
        if value is not UNSET:
            found[name] = value or None
    if wanted.models is not UNSET:
        found["models"] = wanted.models or ()
    limits = changed_limits(wanted, tag.limits)
    return msgspec.structs.replace(tag, limits=limits, updated_at=now, updated_by=by, **found)


async def _begin(office: Office, tag: Tag, wanted: BudgetFields) -> None:
    budgets = await budgets_named(office, (tag.budget_id,))
    limits = joined_limits(tag.limits, budgets.get(tag.budget_id or ""))
    reset_at = first_reset(wanted, limits, office.clock.wall(), office.reset_clock)
    await begin_periods(office, "tag", tag.name, limits, reset_at)


async def _demand_budget(office: Office, wanted: _TagFields) -> None:
    if isinstance(wanted.budget_id, str) and not await budgets_named(office, (wanted.budget_id,)):
        raise Malformed(
            f"There is no budget {wanted.budget_id!r}.", hint="Make it with POST /budget/new.", param="budget_id"
        )


def _demand_days(query: TagListQuery) -> None:
    if (query.start_date is None) != (query.end_date is None):
        raise Malformed("start_date and end_date must be provided together", param="start_date")
    if query.start_date is None or query.end_date is None:
        return
    if read_moment(query.start_date, "start_date")[0] > read_moment(query.end_date, "end_date")[0]:
        raise Malformed("start_date must be on or before end_date", param="start_date")


async def _used(office: Office, sight: Sight, query: TagListQuery) -> list[str]:
    """The tags of calls that the caller sees."""
    days = asked_days(query.start_date, query.end_date, otherwise=all_days())
    rows = await office.ledger.activity(
        sight.within(
            ActivityQuery(first_day=days.first, last_day=days.last, scope="tag", by=("identity",), limit=_USED_MAX)
        )
    )
    return [row.identity for row in rows]


def _passing(name: str, spent: Spent | None) -> TagRow:
    """A tag that nobody has stored; only who sees everything learns what it cost."""
    return TagRow(
        name=name,
        description=_PASSING,
        models=None,
        model_info={},
        created_at=None,
        updated_at=None,
        created_by=None,
        budget_id=None,
        spend=0.0 if spent is None else dollars(spent.amount),
    )


async def _own_tags(office: Office, caller: Principal) -> frozenset[str]:
    own = set(caller.record.tags)
    rights = await rights_of(office, caller)
    if rights.user_id is not None:
        query = KeyQuery(user_id=rights.user_id, team_id=rights.team_id, size=_OWN_KEYS_MAX)
        page = await office.keys.find(query)
        own.update(tag for record in page.records for tag in record.tags)
    return frozenset(own)


async def _rows(office: Office, tags: tuple[Tag, ...]) -> dict[str, TagRow]:
    spent = await spent_by(office, "tag", [tag.name for tag in tags])
    budgets = await budgets_named(office, [tag.budget_id for tag in tags])
    names = {deployment.id: deployment.group for deployment in office.table().deployments}
    return {tag.name: _row(tag, budgets.get(tag.budget_id or ""), spent[tag.name], names) for tag in tags}


def _row(tag: Tag, budget: Budget | None, spent: Spent, names: dict[str, str]) -> TagRow:
    limits = joined_limits(tag.limits, budget)
    shown = budget_table(limits, tag.budget_id, spent.reset_at, tag.created_at if budget is None else budget.created_at)
    return TagRow(
        name=tag.name,
        description=tag.description,
        models=tag.models,
        model_info={model: names[model] for model in tag.models if model in names},
        created_at=iso(tag.created_at),
        updated_at=iso(tag.updated_at),
        created_by=tag.created_by,
        budget_id=tag.budget_id,
        spend=dollars(spent.amount),
        litellm_budget_table=UNSET if limits == NO_LIMITS and budget is None else shown,
    )
