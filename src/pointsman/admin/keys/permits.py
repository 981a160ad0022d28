"""Whether a key may be made or changed by who asks: whose it is, where it belongs, and how much it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.grants import Bound, Grant, bound_of_account, bound_of_key, demand_within
from pointsman.admin.keys.generation import demand_generation
from pointsman.admin.keys.lookup import existing_key
from pointsman.admin.keys.metadata import demand_metadata, restrictions_in
from pointsman.admin.office import Office
from pointsman.admin.rights import Rights, demand, demand_change_of_key, demand_changes, rights_of
from pointsman.admin.route import Visit
from pointsman.admin.timestamps import iso
from pointsman.core.errors import Forbidden, Malformed, NotFound
from pointsman.core.identity import KeyRecord
from pointsman.policies.bearers.claims import SIGNED_IDENTITY
from pointsman.policies.principal import Principal
from pointsman.stores.directory.kinds import ORGANIZATIONS, TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import Team, member_id
from pointsman.stores.ports import KeyChanges

__all__ = ["demand_administered", "key_to_change", "permit_new_key", "permit_update"]

_OPERATORS_FIELDS: Final = frozenset({
    "access_group_ids", "agent_id", "allowed_passthrough_routes", "allowed_vector_store_indexes", "budget_fallbacks",
    "budget_id", "config", "denied_passthrough_routes", "disable_global_guardrails", "end_user_budget_id",
    "object_permission", "permissions", "router_settings", "rpm_limit_type",
    "throttle_on_budget_exceeded", "tpm_limit_type",
})  # fmt: skip
"""Those that widen what a key may do, or put it before others."""

_ADMINISTERED_FIELDS: Final = frozenset({"spend", "temp_budget_expiry", "temp_budget_increase"})
"""Those that an owner may not say of their own key, and who administers its team may."""

_NARROWING_FIELDS: Final = frozenset({
    "allowed_ips", "allowed_routes", "blocked", "budget_duration", "budget_limits", "enforced_params", "guardrails",
    "itpm_limit", "key_type", "model_itpm_limit", "model_max_budget", "model_otpm_limit", "model_rpm_limit",
    "model_tpm_limit", "otpm_limit", "policies", "project_id", "soft_budget", "tag_rpm_limit", "tags", "tpd_limit",
})  # fmt: skip
"""Those that an owner may say of a new key, and not change of one that has them."""

_NOT_GIVEN_ON: Final = frozenset({
    "allowed_ips", "budget_id", "budget_limits", "end_user_budget_id", "enforced_params", "guardrails",
    "itpm_limit", "model_itpm_limit", "model_max_budget", "model_otpm_limit", "model_rpm_limit", "model_tpm_limit",
    "object_permission", "otpm_limit", "permissions", "policies", "project_id", "tag_rpm_limit", "tpd_limit",
})  # fmt: skip
"""A key that is bound by one of these would be rid of it by making another."""

_SAYS_NOTHING: Final = frozenset({b"null", b"[]", b"{}", b'""', b"false"})

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_names: Final = msgspec.json.Decoder(list[str]).decode


async def permit_new_key(
    office: Office, caller: Principal, changes: KeyChanges, body: Mapping[str, msgspec.Raw]
) -> KeyChanges:
    """The new key that who asks may make: theirs, unless they may make it for somebody else.

    Raises:
        Forbidden, Malformed, NotFound: it may not be made, or not with so much.
    """
    rights = await rights_of(office, caller)
    demand_generation(office.key_generation, rights, changes.team_id, body)
    if rights.is_admin:
        return changes
    demand_changes(rights)
    if changes.user_id is UNSET:
        changes = msgspec.structs.replace(changes, user_id=rights.user_id)
    team = await _team_to_join(office, rights, caller, changes.team_id)
    administers = team is not None and rights.administers_team(team)
    await _demand_owner(office, rights, changes.user_id, team, administers=administers)
    _demand_fields(body, administers=administers, new=True)
    demand_metadata(changes, None, administers=administers)
    _demand_organization(rights, team, body)
    _demand_no_way_out(caller.record, body)
    bounds = [*await _bounds_at(office, changes.user_id, team), bound_of_key("the key that asks", caller.record)]
    demand_within(office, _grant(changes), bounds, new=True)
    _demand_bounded(caller.record, changes.max_budget, 0, bounds)
    _demand_end(changes.expires, _end_of(caller.record), "the key that asks", new=True)
    return changes


async def permit_update(
    office: Office,
    caller: Principal,
    old: KeyRecord,
    changes: KeyChanges,
    body: Mapping[str, msgspec.Raw],
    path: str,
) -> None:
    """Raise unless who asks may change the key so.

    Raises:
        Forbidden, Malformed, NotFound: they may not, or not so far.
    """
    rights = await rights_of(office, caller)
    if rights.is_admin:
        return
    administers = await demand_change_of_key(office, rights, old, path)
    moved_to = old.team_id if changes.team_id is UNSET else changes.team_id
    if moved_to != old.team_id:
        demand(administers or old.team_id is None, "take a key out of this team")
        administers = False
    team = await _team_to_join(office, rights, caller, moved_to) if moved_to != old.team_id else None
    if moved_to is not None and team is None:
        team = await office.directory.get(TEAMS, moved_to)
    administers = administers or (team is not None and rights.administers_team(team))
    owner = old.user_id if changes.user_id is UNSET else changes.user_id
    if owner != old.user_id or moved_to != old.team_id:
        # What a key of a user may depends on the team, so its owner is looked at again where it comes from elsewhere.
        await _demand_owner(office, rights, owner, team, administers=administers)
    _demand_fields(body, administers=administers, new=False)
    demand_metadata(changes, old, administers=administers)
    _demand_organization(rights, team, body)
    bounds = await _bounds_at(office, owner, team)
    if not administers:
        bounds.append(bound_of_key("the key as it is", old))
    if old.token != caller.record.token or administers:
        bounds.append(bound_of_key("the key that asks", caller.record))
    demand_within(office, _grant(changes), bounds, new=False)
    if old.token != caller.record.token:
        _demand_bounded(caller.record, changes.max_budget, old.max_budget, bounds)
    if not administers:
        _demand_end(changes.expires, old.expires, "the key as it is", new=False)
    _demand_end(changes.expires, _end_of(caller.record), "the key that asks", new=False)


async def key_to_change(office: Office, visit: Visit[Any, Any], token: str, path: str) -> KeyRecord:
    """The live key under this hash, if who asks may change it in the way of this path.

    Raises:
        NotFound: there is none, and they may change any.
        Forbidden: alike for a key that is not theirs and one that does not exist.
    """
    rights = await rights_of(office, visit.caller)
    if not rights.is_admin:
        await demand_change_of_key(office, rights, await office.keys.get(token), path)
    return await existing_key(office, token)


async def demand_administered(office: Office, visit: Visit[Any, Any], record: KeyRecord, what: str) -> None:
    """Raise unless who asks administers the key, beyond owning it.

    Raises:
        Forbidden: they do not.
    """
    rights = await rights_of(office, visit.caller)
    demand(await demand_change_of_key(office, rights, record, "/key/update"), what)


async def _team_to_join(
    office: Office, rights: Rights, caller: Principal, team_id: str | UnsetType | None
) -> Team | None:
    own = caller.record.team_id
    if own is not None and team_id != own:
        raise Forbidden(
            f"This key belongs to the team {own!r}, and makes keys for that team only.",
            hint="Say its team_id, or ask with a key that belongs to no team.",
            param="team_id",
            kind="auth_error",
        )
    if not isinstance(team_id, str):
        return None
    team = await office.directory.get(TEAMS, team_id)
    demand(team is not None and rights.permitted(team, "/key/generate"), "make keys for this team")
    return team


async def _demand_owner(
    office: Office, rights: Rights, user_id: str | UnsetType | None, team: Team | None, *, administers: bool
) -> None:
    """A key is for oneself, or for a member or for nobody in a team that one administers."""
    if isinstance(user_id, str) and user_id == rights.user_id:
        return
    service = user_id is None and team is not None and rights.permitted(team, "/key/service-account/generate")
    demand(service or (team is not None and administers), "make keys for somebody else")
    if isinstance(user_id, str) and team is not None:
        member = await office.directory.get(TEAM_MEMBERS, member_id(team.team_id, user_id))
        if member is None:
            raise NotFound(
                f"The user {user_id!r} is no member of the team.",
                hint="POST /team/member_add adds them.",
                param="user_id",
            )


def _demand_fields(body: Mapping[str, msgspec.Raw], *, administers: bool, new: bool) -> None:
    mine = frozenset() if administers else _ADMINISTERED_FIELDS if new else _ADMINISTERED_FIELDS | _NARROWING_FIELDS
    for name, raw in body.items():
        if name in _OPERATORS_FIELDS and bytes(raw) not in _SAYS_NOTHING:
            demand(False, f"set {name} of a key")
        if name in mine and not (new and bytes(raw) in {*_SAYS_NOTHING, b"0", b"0.0"}):
            demand(False, f"set {name} of your own key")


def _demand_organization(rights: Rights, team: Team | None, body: Mapping[str, msgspec.Raw]) -> None:
    raw = body.get("organization_id")
    if raw is None or bytes(raw) in _SAYS_NOTHING:
        return
    named = msgspec.json.decode(raw)
    of_team = team is not None and team.organization_id == named
    demand(of_team or named in rights.organizations, "make keys for this organisation")


def _demand_no_way_out(asking: KeyRecord, body: Mapping[str, msgspec.Raw]) -> None:
    """Raise if a key that may do little would make one that may do more."""
    extra = _decode_object(asking.extra)
    said = {name for name in _NOT_GIVEN_ON if name in extra and bytes(extra[name]) not in _SAYS_NOTHING}
    bound = sorted(said.union(restrictions_in(asking)))
    if bound:
        raise Forbidden(
            f"This key is restricted by {', '.join(bound)}, and makes no other keys.",
            hint="Ask with a key that is not.",
            kind="auth_error",
        )
    routes = extra.get("allowed_routes")
    if routes is None or bytes(routes) in _SAYS_NOTHING or bytes(extra.get("key_type", b"")) == b'"management"':
        return
    allowed = frozenset(_decode_names(routes))
    given = body.get("allowed_routes")
    wanted = frozenset() if given is None or bytes(given) in _SAYS_NOTHING else frozenset(_decode_names(given))
    demand(bool(wanted) and wanted <= allowed, "give a key more allowed_routes than this one has")


def _demand_bounded(
    asking: KeyRecord, wanted: int | UnsetType | None, before: int | None, bounds: Sequence[Bound]
) -> None:
    """Raise if a key with a budget would give on money that nothing counts together with its own.

    Each of the keys that it makes could spend as much again, and how many there have been nobody knows. A user, a team
    or an organisation with a budget bounds them all.

    Raises:
        Malformed: it would; ``param`` is the field.
    """
    if asking.max_budget is None or not isinstance(wanted, int) or (before is not None and wanted <= before):
        return
    if not any(bound.enforced and bound.max_budget is not None for bound in bounds):
        raise Malformed(
            "A key with a budget of its own gives none to other keys, for together they could spend more than it may.",
            hint="Give the user or the team that the keys belong to a max_budget: it bounds what they all spend.",
            param="max_budget",
            code="beyond_grantor",
        )


def _demand_end(wanted: float | UnsetType | None, latest: float | None, what: str, *, new: bool) -> None:
    """Raise if a key would outlive what gives it its rights; moments are seconds since the epoch.

    ``new``: to say nothing means for ever, and not as it is.

    Raises:
        Malformed: it would.
    """
    if latest is None or (wanted is UNSET and not new):
        return
    if not isinstance(wanted, float | int) or wanted > latest:
        raise Malformed(
            f"The key must expire by {iso(latest)}: so does {what}.",
            hint="Say a shorter duration, or ask with a key that does not expire.",
            param="duration",
            code="beyond_grantor",
        )


def _end_of(asking: KeyRecord) -> float | None:
    """When a key expires; a signed token is no key but somebody's, as a session is, and soon followed by another."""
    return None if asking.token.startswith(SIGNED_IDENTITY) else asking.expires


async def _bounds_at(office: Office, user_id: str | UnsetType | None, team: Team | None) -> list[Bound]:
    """What bounds the calls of a key that belongs there."""
    owner = user_id if isinstance(user_id, str) else None
    if team is None:
        user = None if owner is None else await office.directory.get(USERS, owner)
        return [] if user is None else [await bound_of_account(office, "the user", user)]
    bounds = [await bound_of_account(office, "the team", team)]
    if owner is not None:
        member = await office.directory.get(TEAM_MEMBERS, member_id(team.team_id, owner))
        if member is not None:
            bounds.append(await bound_of_account(office, "the member of the team", member))
    if team.organization_id is not None:
        organization = await office.directory.get(ORGANIZATIONS, team.organization_id)
        if organization is not None:
            bounds.append(await bound_of_account(office, "the organisation", organization))
    return bounds


def _grant(changes: KeyChanges) -> Grant:
    return Grant(
        models=changes.models,
        targets=() if isinstance(changes.aliases, UnsetType) else tuple(changes.aliases.values()),
        max_budget=changes.max_budget,
        rpm_limit=changes.rpm_limit,
        tpm_limit=changes.tpm_limit,
        max_parallel_requests=changes.max_parallel_requests,
    )
