"""``/organization/new``, ``update``, ``delete``, ``list`` and ``info``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.governance.entries import author, demand_printable, every, replaced, tell
from pointsman.admin.governance.limit_fields import MODEL_RATES, BudgetFields, changed_limits, says_limits
from pointsman.admin.governance.periods import budgets_named, joined_limits
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.office import Office
from pointsman.admin.organizations.replies import organization_rows, whole_rows
from pointsman.admin.organizations.requests import (
    ORGANIZATION_PASSIVE,
    NewOrganizationRequest,
    OrganizationFields,
    OrganizationIdsRequest,
    OrganizationListQuery,
    OrganizationPatchRequest,
    OrganizationQuery,
    OrganizationsRequest,
    UpdateOrganizationRequest,
)
from pointsman.admin.people.accounts import begin
from pointsman.admin.people.fields import json_object
from pointsman.admin.people.joining import disband_team, leave_organization
from pointsman.admin.people.noting import note_organization
from pointsman.admin.people.passive import passive
from pointsman.admin.rights import Rights, demand, demand_changes, org_members, rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.price import picodollars
from pointsman.stores.directory.kinds import BUDGETS, ORGANIZATIONS, TEAMS
from pointsman.stores.directory.ports import DirectoryQuery, EntryExists, Meter
from pointsman.stores.directory.records import NO_LIMITS, Budget, Limits, Organization

__all__ = [
    "delete_organizations",
    "existing_organization",
    "list_organizations",
    "new_organization",
    "organization_info",
    "organizations_info",
    "patch_organization",
    "update_organization",
]

_TEAMS_MAX: Final = 10_000


async def new_organization(office: Office, visit: Visit[Nothing, NewOrganizationRequest]) -> Answer:
    """A new organisation, with a budget of its own unless one is named."""
    wanted, by, now = visit.body, author(visit), office.clock.wall()
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    demand(rights.is_admin, "make an organisation")
    demand_printable(organization_id=wanted.organization_id, organization_alias=wanted.organization_alias)
    blank = Organization(organization_id=wanted.organization_id or call_id(), created_at=now, created_by=by)
    one, unheeded = _changed(blank, wanted, visit.fields, now, by)
    budget = await _budget(office, one, wanted, now, by)
    one = msgspec.structs.replace(one, budget_id=budget.budget_id)
    try:
        await office.directory.insert(ORGANIZATIONS, one)
    except EntryExists:
        raise Malformed(
            f"Organization with id {one.organization_id} already exists.", param="organization_id", code="entry_exists"
        ) from None
    await begin(office, "organization", one.organization_id, joined_limits(one.limits, budget))
    tell(office, ORGANIZATIONS, one.organization_id)
    note_organization(visit, "created", None, one)
    return Answer((await organization_rows(office, (one,)))[0], headers=not_enforced_header(unheeded))


async def update_organization(office: Office, visit: Visit[Nothing, UpdateOrganizationRequest]) -> Answer:
    """Change what the request names, and leave the rest."""
    return await _update(office, visit, visit.body.organization_id, visit.body, visit.body.spend)


async def patch_organization(office: Office, visit: Visit[Nothing, OrganizationPatchRequest]) -> Answer:
    """Change what the request names, and leave the rest."""
    return await _update(office, visit, visit.path["organization_id"], visit.body, visit.body.spend)


async def delete_organizations(office: Office, visit: Visit[Nothing, OrganizationIdsRequest]) -> Answer:
    """Delete organisations with their teams and keys, and show what they were. The ledger keeps what they cost."""
    by = author(visit)
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    demand(rights.is_admin, "delete organisations")
    wanted = tuple(dict.fromkeys(visit.body.organization_ids))
    found = await office.directory.look_up([(ORGANIZATIONS, one) for one in wanted])
    for organization_id, one in zip(wanted, found, strict=True):
        if one is None:
            raise _unknown(organization_id)
    rows = await whole_rows(office, [one for one in found if isinstance(one, Organization)])
    for organization_id in wanted:
        query = DirectoryQuery(parent=organization_id, size=_TEAMS_MAX)
        for team in (await office.directory.find(TEAMS, query)).records:
            await disband_team(office, team.team_id, by)
        for member in await org_members(office, organization_id):
            await leave_organization(office, organization_id, member.user_id)
    await office.directory.delete(ORGANIZATIONS, wanted)
    for one in found:
        note_organization(visit, "deleted", one)
    for organization_id in wanted:
        await office.spend.forget("organization", organization_id)
        tell(office, ORGANIZATIONS, organization_id)
    return Answer(rows)


async def list_organizations(office: Office, visit: Visit[OrganizationListQuery, Nothing]) -> Answer:
    """All organisations, or those of which the caller is a member."""
    query = visit.query
    rights = await rights_of(office, visit.caller)
    found = await every(office, ORGANIZATIONS) if rights.sees_all else await _own(office, rights)
    wanted = [
        one
        for one in found
        if query.org_id in {None, one.organization_id}
        and (not query.org_alias or query.org_alias.lower() in (one.alias or "").lower())
    ]
    await flushed(office)
    return Answer(await whole_rows(office, wanted))


async def organization_info(office: Office, visit: Visit[OrganizationQuery, Nothing]) -> Answer:
    """One organisation with its members and teams."""
    one = await _seen(office, await rights_of(office, visit.caller), visit.query.organization_id)
    await flushed(office)
    return Answer((await whole_rows(office, (one,)))[0])


async def organizations_info(office: Office, visit: Visit[Nothing, OrganizationsRequest]) -> Answer:
    """Several organisations; those that do not exist are left out, as in LiteLLM."""
    rights = await rights_of(office, visit.caller)
    wanted = tuple(dict.fromkeys(visit.body.organizations))
    if not wanted:
        raise Malformed("Specify list of organization id's to query. Passed in=[]", param="organizations")
    for organization_id in wanted:
        demand(rights.sees_organization(organization_id), "look at this organisation")
    found = await office.directory.look_up([(ORGANIZATIONS, one) for one in wanted])
    await flushed(office)
    return Answer(await organization_rows(office, [one for one in found if isinstance(one, Organization)]))


async def existing_organization(office: Office, organization_id: str) -> Organization:
    """The organisation with this id.

    Raises:
        NotFound: there is none.
    """
    one = await office.directory.get(ORGANIZATIONS, organization_id)
    if one is None:
        raise _unknown(organization_id)
    return one


async def _seen(office: Office, rights: Rights, organization_id: str) -> Organization:
    demand(rights.sees_organization(organization_id), "look at this organisation")
    return await existing_organization(office, organization_id)


async def _own(office: Office, rights: Rights) -> list[Organization]:
    found = await office.directory.look_up([(ORGANIZATIONS, one) for one in rights.organizations])
    return [one for one in found if isinstance(one, Organization)]


async def _update(
    office: Office,
    visit: Visit[Any, Any],
    organization_id: str,
    fields: OrganizationFields,
    spend: float | UnsetType | None,
) -> Answer:
    rights, by, now = await rights_of(office, visit.caller), author(visit), office.clock.wall()
    demand_changes(rights)
    demand(rights.administers_organization(organization_id), "change this organisation")
    before = await existing_organization(office, organization_id)
    _demand_own_fields(rights, visit.fields)
    _, unheeded = _changed(before, fields, visit.fields, now, by)
    budget = await _budget(office, before, fields, now, by)

    def change(current: Organization) -> Organization:
        changed, _ = _changed(current, fields, visit.fields, now, by)
        return msgspec.structs.replace(changed, budget_id=budget.budget_id)

    before, after = await replaced(office, ORGANIZATIONS, organization_id, change)
    if isinstance(spend, float):
        await flushed(office)
        await office.spend.set_amount(Meter("organization", organization_id), picodollars(spend))
    if says_limits(fields) or after.budget_id != before.budget_id:
        await begin(office, "organization", organization_id, joined_limits(after.limits, budget))
    tell(office, ORGANIZATIONS, organization_id)
    note_organization(visit, "updated", before, after)
    return Answer((await whole_rows(office, (after,)))[0], headers=not_enforced_header(unheeded))


def _demand_own_fields(rights: Rights, body: Mapping[str, msgspec.Raw]) -> None:
    """What an organisation may spend and use is not for its own admins to say."""
    if rights.is_admin:
        return
    for name in body:
        demand(name in {"organization_id", "organization_alias", "metadata"}, f"set {name} of your own organisation")


def _changed(
    one: Organization, fields: OrganizationFields, body: Mapping[str, msgspec.Raw], now: float, by: str
) -> tuple[Organization, tuple[str, ...]]:
    extra, unheeded = passive(body, frozenset(fields.__struct_fields__), ORGANIZATION_PASSIVE, one.extra)
    found: dict[str, object] = {"extra": extra, "limits": _own_limits(fields, one.limits)}
    if isinstance(fields.organization_alias, str):
        demand_printable(organization_alias=fields.organization_alias)
        found["alias"] = fields.organization_alias
    if not isinstance(fields.models, UnsetType):
        found["models"] = fields.models or ()
    if not isinstance(fields.metadata, UnsetType):
        found["metadata"] = json_object(fields.metadata)
    if not isinstance(fields.blocked, UnsetType):
        found["blocked"] = bool(fields.blocked)
    return msgspec.structs.replace(one, updated_at=now, updated_by=by, **found), unheeded


def _own_limits(fields: OrganizationFields, limits: Limits) -> Limits:
    """The limits that no budget has."""
    found = {name: getattr(fields, name) or {} for name in MODEL_RATES if getattr(fields, name) is not UNSET}
    return msgspec.structs.replace(limits, **found)


async def _budget(office: Office, one: Organization, fields: OrganizationFields, now: float, by: str) -> Budget:
    """The budget of the organisation, with what the request says of it; as in LiteLLM every one has one.

    Raises:
        NotFound: the request names one that does not exist.
    """
    named = fields.budget_id if isinstance(fields.budget_id, str) and fields.budget_id else one.budget_id
    known = (await budgets_named(office, (named,))).get(named or "")
    if known is None and isinstance(fields.budget_id, str) and fields.budget_id:
        raise NotFound(f"Budget not found, passed budget_id={named}", param="budget_id", code="budget_not_found")
    said = BudgetFields(**{name: getattr(fields, name) for name in BudgetFields.__struct_fields__})
    if known is None:
        budget = Budget(
            budget_id=call_id(), limits=changed_limits(said, NO_LIMITS), created_at=now, updated_at=now, created_by=by
        )
        await office.directory.insert(BUDGETS, budget)
    elif says_limits(said):
        budget = await office.directory.update(
            BUDGETS,
            known.budget_id,
            lambda old: msgspec.structs.replace(
                old, limits=changed_limits(said, old.limits), updated_at=now, updated_by=by
            ),
        )
    else:
        return known
    tell(office, BUDGETS, budget.budget_id)
    return budget


def _unknown(organization_id: str) -> NotFound:
    return NotFound(
        f"Organization not found for organization_id={organization_id}",
        hint="GET /organization/list has all.",
        param="organization_id",
        code="organization_not_found",
    )
