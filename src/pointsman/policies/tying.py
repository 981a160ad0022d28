"""Finding out whom a key belongs to: team, user, membership, organisation, and budgets that these share by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pointsman.policies.accounts import Account, merged
from pointsman.policies.gates import Gate, gate_of, groups_by_name
from pointsman.policies.general_limits import GeneralLimits
from pointsman.policies.key_terms import priority_in
from pointsman.policies.own_routing import OwnRouting, own_routing_in
from pointsman.policies.principal import NO_TIES, Principal, Ties
from pointsman.stores.charges import MODEL_GROUP, PROJECT
from pointsman.stores.directory.kinds import (
    ACCESS_GROUPS,
    BUDGETS,
    MODEL_GROUP_BUDGETS,
    ORGANIZATION_MEMBERS,
    ORGANIZATIONS,
    PROJECTS,
    TAGS,
    TEAM_MEMBERS,
    TEAMS,
    USERS,
    Kind,
)
from pointsman.stores.directory.ports import Changed, DirectoryQuery, DirectoryStore
from pointsman.stores.directory.records import (
    NO_LIMITS,
    AccessGroup,
    Budget,
    Limits,
    ModelGroupBudget,
    Organization,
    OrganizationMember,
    Project,
    Tag,
    Team,
    TeamMember,
    User,
    member_id,
)

__all__ = ["Directory", "MakeAccount", "tie"]

_GROUPS_MAX: Final = 10_000

MakeAccount = Callable[[str, str, str, Limits], Account]
"""Gives the account of a scope and an id, by that name and with those limits."""


class Directory:
    """Reads entries; access groups and the budgets of groups, of which there are few, are kept until they change."""

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store
        self._groups: Mapping[str, AccessGroup] | None = None
        self._group_budgets: Mapping[str, ModelGroupBudget] | None = None

    async def look_up(self, wanted: Sequence[tuple[Kind[Any], str]]) -> tuple[Any | None, ...]:
        """See :meth:`DirectoryStore.look_up`; asks nobody for nothing."""
        return await self._store.look_up(wanted) if wanted else ()

    async def budgets(self, identities: Iterable[str | None]) -> dict[str, Budget]:
        """Those of the budgets that exist, by id.

        Raises:
            StorageUnavailable: nobody can say.
        """
        names = sorted({identity for identity in identities if identity})
        found = await self.look_up([(BUDGETS, name) for name in names])
        return {name: budget for name, budget in zip(names, found, strict=True) if budget is not None}

    async def groups(self) -> Mapping[str, AccessGroup]:
        """The access groups, by id and by name.

        Raises:
            StorageUnavailable: nobody can say.
        """
        if self._groups is None:
            page = await self._store.find(ACCESS_GROUPS, DirectoryQuery(size=_GROUPS_MAX))
            self._groups = groups_by_name(page.records)
        return self._groups

    async def group_budgets(self) -> Mapping[str, ModelGroupBudget]:
        """The budgets of groups of models, by the group's name.

        Raises:
            StorageUnavailable: nobody can say.
        """
        if self._group_budgets is None:
            page = await self._store.find(MODEL_GROUP_BUDGETS, DirectoryQuery(size=_GROUPS_MAX))
            self._group_budgets = {one.name: one for one in page.records}
        return self._group_budgets

    def forget_groups(self) -> None:
        """One of the access groups has changed, or of the budgets of groups."""
        self._groups = self._group_budgets = None


class _Kept(msgspec.Struct, frozen=True):
    """What is heeded of ``Team.extra``."""

    router_settings: msgspec.Raw = msgspec.Raw()


_decode_kept: Final = msgspec.json.Decoder(_Kept).decode


class _Found(msgspec.Struct):
    """The entries that a key's record leads to; None where there are none."""

    team: Team | None = None
    user: User | None = None
    member: TeamMember | None = None
    organization: Organization | None = None
    organization_member: OrganizationMember | None = None
    project: Project | None = None
    tags: tuple[Tag | None, ...] = ()
    tag_names: tuple[str, ...] = ()
    budgets: dict[str, Budget] = {}
    groups: Mapping[str, AccessGroup] = {}
    group_budgets: tuple[ModelGroupBudget, ...] = ()

    def limits(self, own: Limits, budget_id: str | None) -> Limits:
        """Those of an entry, with those of the budget that it has by name."""
        budget = None if budget_id is None else self.budgets.get(budget_id)
        return own if budget is None else merged(own, budget.limits)


async def tie(principal: Principal, directory: Directory, general: GeneralLimits, make: MakeAccount) -> Ties:
    """Whom the key belongs to, as the directory has it now.

    Raises:
        StorageUnavailable: nobody can say.
    """
    record, terms = principal.record, principal.terms
    tags = record.tags
    if principal.admin or not (
        record.team_id
        or record.user_id
        or terms.organization_id
        or terms.project_id
        or terms.budget_id
        or record.models
        or terms.access_group_ids
        or tags
    ):
        binds = general.bind_calls or (general.each_key != NO_LIMITS and not principal.admin)
        usual = NO_LIMITS if principal.admin else general.each_key
        return Ties(has_general=general.bind_calls, usual=usual) if binds else NO_TIES
    found, sources = await _find(principal, directory)
    unbudgeted = (found.user,) if record.team_id and not general.users_of_teams else ()
    accounts, spared = _accounts(principal, found, general, make, unbudgeted)
    budget = None if terms.budget_id is None else found.budgets.get(terms.budget_id)
    return Ties(
        accounts=accounts,
        no_budgets_of=spared,
        groups={
            one.name: make(MODEL_GROUP, one.name, one.name, found.limits(one.limits, one.budget_id))
            for one in found.group_budgets
        },
        tag_rates=_tag_rates(accounts, make),
        charges=() if found.project is None else (f"{PROJECT}/{found.project.project_id}",),
        usual=merged(NO_LIMITS if budget is None else budget.limits, general.each_key),
        gates=_gates(principal, found),
        aliases={} if found.team is None else found.team.model_aliases,
        tags=_tags_of_others(found),
        organization_id=None if found.organization is None else found.organization.organization_id,
        priority=None if found.team is None else priority_in(found.team.metadata),
        routing=None if found.team is None else _routing_of(found.team),
        user_email=None if found.user is None else found.user.email,
        shut=_shut(found),
        has_general=general.bind_calls,
        sources=sources,
    )


async def _find(principal: Principal, directory: Directory) -> tuple[_Found, tuple[Changed, ...]]:
    record, terms = principal.record, principal.terms
    found = _Found()
    wanted = await _find_own(principal, directory, found)
    more: list[tuple[Kind[Any], str]] = []
    organization_id = terms.organization_id or (None if found.team is None else found.team.organization_id)
    if organization_id:
        more.append((ORGANIZATIONS, organization_id))
        if record.user_id:
            more.append((ORGANIZATION_MEMBERS, member_id(organization_id, record.user_id)))
    found.tag_names = tuple(dict.fromkeys((*record.tags, *_tags_of_others(found))))
    more += [(TAGS, tag) for tag in found.tag_names]
    later = await directory.look_up(more)
    if organization_id:
        found.organization, later = later[0], later[1:]
        if record.user_id:
            found.organization_member, later = later[0], later[1:]
    found.tags = tuple(later)
    names_models = _names_models(principal, found)
    if names_models:
        found.group_budgets = _budgets_of_groups(principal, found, await directory.group_budgets())
    budget_ids = tuple(_budget_ids(terms.budget_id, found))
    found.budgets = await directory.budgets(budget_ids)
    sources = [Changed(kind.name, identity) for kind, identity in (*wanted, *more)]
    sources += [Changed(BUDGETS.name, identity) for identity in budget_ids]
    if names_models:
        found.groups = await directory.groups()
        sources += (Changed(ACCESS_GROUPS.name, ""), Changed(MODEL_GROUP_BUDGETS.name, ""))
    return found, tuple(sources)


async def _find_own(principal: Principal, directory: Directory, found: _Found) -> list[tuple[Kind[Any], str]]:
    """Find what the key's record itself names; gives what was looked for."""
    record, terms = principal.record, principal.terms
    wanted: list[tuple[Kind[Any], str]] = []
    if record.team_id:
        wanted.append((TEAMS, record.team_id))
    if record.user_id:
        wanted.append((USERS, record.user_id))
        if record.team_id:
            wanted.append((TEAM_MEMBERS, member_id(record.team_id, record.user_id)))
    if terms.project_id:
        wanted.append((PROJECTS, terms.project_id))
    for entry in await directory.look_up(wanted):
        if isinstance(entry, Team):
            found.team = entry
        elif isinstance(entry, User):
            found.user = entry
        elif isinstance(entry, TeamMember):
            found.member = entry
        elif isinstance(entry, Project):
            found.project = entry
    return wanted


def _budget_ids(own: str | None, found: _Found) -> Iterable[str]:
    holders = (
        found.team, found.user, found.member, found.organization, found.organization_member, found.project, *found.tags,
        *found.group_budgets,
    )  # fmt: skip
    named = [own, *(holder.budget_id for holder in holders if holder is not None)]
    if found.team is not None:
        named.append(found.team.member_budget_id)
    return (identity for identity in dict.fromkeys(named) if identity)


def _names_models(principal: Principal, found: _Found) -> bool:
    """Whether anybody's models are told, so that access groups may be among them."""
    holders = (found.team, found.user, found.member, found.organization, found.project)
    if principal.record.models or principal.terms.access_group_ids:
        return True
    if found.team is not None and (found.team.access_group_ids or found.team.default_member_models):
        return True
    return any(holder is not None and holder.models for holder in holders) or bool(
        found.user is not None and found.user.access_group_ids
    )


def _budgets_of_groups(
    principal: Principal, found: _Found, budgets: Mapping[str, ModelGroupBudget]
) -> tuple[ModelGroupBudget, ...]:
    """Those of the groups that anybody was given by name whom the key belongs to, as in LiteLLM.

    To ask for a model that is merely in a group charges nobody: with a list of all models no group was given.
    """
    if not budgets:
        return ()
    given = dict.fromkeys((*principal.record.models, *principal.terms.access_group_ids))
    for holder in (found.team, found.member, found.project, found.organization):
        given |= dict.fromkeys(() if holder is None else holder.models)
    if found.team is not None and found.member is not None and not found.member.models:
        given |= dict.fromkeys(found.team.default_member_models)
    return tuple(budgets[name] for name in given if name in budgets)


def _tags_of_others(found: _Found) -> tuple[str, ...]:
    """The tags that a key has from its team and its project."""
    team = () if found.team is None else found.team.tags
    return team if found.project is None else tuple(dict.fromkeys((*team, *found.project.tags)))


def _accounts(
    principal: Principal,
    found: _Found,
    general: GeneralLimits,
    make: MakeAccount,
    unbudgeted: Sequence[object],
) -> tuple[tuple[Account, ...], tuple[Account, ...]]:
    """The accounts that have limits, and those among them whose budgets do not bind this key."""
    record = principal.record
    accounts: list[Account] = []
    spared: list[Account] = []
    team, user, organization = found.team, found.user, found.organization

    def add(scope: str, identity: str, name: str, limits: Limits) -> None:
        if limits != NO_LIMITS:
            accounts.append(make(scope, identity, name, limits))

    if team is not None:
        add("team", team.team_id, team.alias or team.team_id, found.limits(team.limits, team.budget_id))
        if record.user_id:
            member = member_id(team.team_id, record.user_id)
            name = f"{record.user_id} in {team.alias or team.team_id}"
            add("member", member, name, _member_limits(team, found))
    if user is not None:
        before = len(accounts)
        add("user", user.user_id, user.alias or user.user_id, found.limits(user.limits, user.budget_id))
        if user in unbudgeted:
            spared += accounts[before:]
    project = found.project
    if project is not None:
        name = project.alias or project.project_id
        add(PROJECT, project.project_id, name, found.limits(project.limits, project.budget_id))
    if organization is not None:
        name = organization.alias or organization.organization_id
        limits = found.limits(organization.limits, organization.budget_id)
        add("organization", organization.organization_id, name, limits)
        belongs = found.organization_member
        if belongs is not None:
            member, who = member_id(organization.organization_id, belongs.user_id), f"{belongs.user_id} in {name}"
            add("organization_member", member, who, found.limits(belongs.limits, belongs.budget_id))
    for tag_name, tag in zip(found.tag_names, found.tags, strict=True):
        own = NO_LIMITS if tag is None else found.limits(tag.limits, tag.budget_id)
        add("tag", tag_name, tag_name, merged(own, general.tags.get(tag_name, NO_LIMITS)))
    return tuple(accounts), tuple(spared)


def _tag_rates(accounts: Iterable[Account], make: MakeAccount) -> dict[str, tuple[Account, ...]]:
    """What each of these may do under single tags, by tag; every key of theirs counts in it."""
    rates: dict[str, tuple[Account, ...]] = {}
    for account in accounts:
        for tag, limit in account.limits.tag_rpm_limit.items():
            scope, name = f"tag_per_{account.scope}", f"{account.name}:{tag}"
            rate = make(scope, f"{account.identity}/{tag}", name, Limits(rpm_limit=limit))
            rates[tag] = (*rates.get(tag, ()), rate)
    return rates


def _member_limits(team: Team, found: _Found) -> Limits:
    """Those of the member, and the team's usual ones wherever the member has none."""
    usual = found.limits(team.member_limits, team.member_budget_id)
    member = found.member
    return usual if member is None else merged(found.limits(member.limits, member.budget_id), usual)


def _gates(principal: Principal, found: _Found) -> tuple[Gate, ...]:
    """The lists of models to be passed. A user's own counts only where no team has given the key, as in LiteLLM."""
    record, groups = principal.record, found.groups
    team, user, member, organization = found.team, found.user, found.member, found.organization
    gates = [gate_of("key", principal.name, record.models, groups, principal.terms.access_group_ids)]
    if team is not None:
        gates.append(gate_of("team", team.alias or team.team_id, team.models, groups, team.access_group_ids))
        own = () if member is None else member.models
        if record.user_id:
            gates.append(gate_of("member", record.user_id, own or team.default_member_models, groups))
    elif user is not None:
        gates.append(gate_of("user", user.alias or user.user_id, user.models, groups, user.access_group_ids))
    project = found.project
    if project is not None:
        gates.append(gate_of("project", project.alias or project.project_id, project.models, groups))
    if organization is not None:
        name = organization.alias or organization.organization_id
        gates.append(gate_of("organization", name, organization.models, groups))
    return tuple(gate for gate in gates if gate is not None)


def _routing_of(team: Team) -> OwnRouting | None:
    return own_routing_in(_decode_kept(team.extra).router_settings)


def _shut(found: _Found) -> str | None:
    team, user, organization = found.team, found.user, found.organization
    if team is not None and team.blocked:
        return f"Team={team.team_id} is blocked. Update via `/team/unblock` if you're an admin."
    project = found.project
    if project is not None and project.blocked:
        return f"Project={project.project_id} is blocked. Update via `/project/update` if you're an admin."
    if user is not None and user.blocked:
        return f"User={user.user_id} is blocked."
    if organization is not None and organization.blocked:
        return f"Organization={organization.organization_id} is blocked."
    return None
