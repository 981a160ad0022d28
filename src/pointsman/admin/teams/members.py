"""``/team/member_add``, ``member_delete``, ``member_update``, ``bulk_member_add`` and what members have spent."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.amounts import usd
from pointsman.admin.governance.entries import author, replaced, tell
from pointsman.admin.governance.limit_fields import BudgetFields, changed_limits
from pointsman.admin.governance.periods import spent_by
from pointsman.admin.grants import bound_of_account, demand_within, grant_of_limits
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import begin, demand_known, user_meant, user_or_new
from pointsman.admin.people.fields import model_budgets
from pointsman.admin.people.joining import existing_team, join_team, leave_team
from pointsman.admin.people.noting import note_member
from pointsman.admin.rights import Rights, demand, demand_changes, rights_of, team_members
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.teams.replies import (
    MemberInfoReply,
    MemberUpdateReply,
    ResetMemberBudgetReply,
    ResetMemberSpendReply,
    membership_rows,
    team_rows,
)
from pointsman.admin.teams.requests import (
    BulkMemberAddRequest,
    Member,
    MemberAddRequest,
    MemberDeleteRequest,
    MemberUpdateRequest,
    ResetMemberSpendRequest,
)
from pointsman.admin.timestamps import iso_or_none, read_moment
from pointsman.admin.users.replies import user_rows
from pointsman.core.errors import Malformed, NotFound, Refused
from pointsman.core.price import dollars, picodollars
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.ports import DirectoryQuery, Meter
from pointsman.stores.directory.records import NO_LIMITS, Limits, Team, TeamMember, User, member_id

__all__ = [
    "add_members",
    "bulk_add_members",
    "delete_member",
    "own_membership",
    "reset_member_budget",
    "reset_member_spend",
    "update_member",
]

_AT_ONCE_MAX: Final = 500


async def add_members(office: Office, visit: Visit[Nothing, MemberAddRequest]) -> Answer:
    """Add one member or several; who is named by an address and does not exist is made."""
    wanted, by = visit.body, author(visit)
    rights = await rights_of(office, visit.caller)
    members = wanted.member if isinstance(wanted.member, tuple) else (wanted.member,)
    if not members:
        raise Malformed("member must not be empty.", param="member")
    limits = _new_limits(wanted.max_budget_in_team, wanted.budget_duration)
    models = wanted.allowed_models or ()
    team = await _team_to_join(office, rights, wanted.team_id, members, says_more=limits != NO_LIMITS or bool(models))
    await _demand_within_team(office, team, limits, models)
    users, added = [], []
    for member in members:
        user = await user_or_new(office, member.user_id, member.user_email, by)
        known = await office.directory.get(TEAM_MEMBERS, member_id(team.team_id, user.user_id))
        if known is not None and len(members) > 1:
            continue
        added.append(await join_team(office, team, user, member.role, by, limits=limits, models=models))
        users.append(user)
        note_member(visit, "created", None, added[-1])
    if not added:
        raise Malformed("All users are already in team.", param="member", code="team_member_already_in_team")
    row = (await team_rows(office, (team,)))[0]
    memberships = await membership_rows(office, team, added)
    return Answer({**row, "updated_users": await user_rows(office, users), "updated_team_memberships": memberships})


async def bulk_add_members(office: Office, visit: Visit[Nothing, BulkMemberAddRequest]) -> Answer:
    """Add several members, each for itself: where one cannot be added, the others still are."""
    wanted = visit.body
    rights = await rights_of(office, visit.caller)
    team = await _team_to_change(office, rights, wanted.team_id)
    members = await _bulk_members(office, rights, wanted)
    limits = _new_limits(wanted.max_budget_in_team, None)
    await _demand_within_team(office, team, limits, ())
    results = [await _attempt(office, visit, team, member, limits) for member in members]
    done = sum(result["success"] is True for result in results)
    return Answer(
        {
            "team_id": team.team_id,
            "results": results,
            "total_requested": len(results),
            "successful_additions": done,
            "failed_additions": len(results) - done,
            "updated_team": (await team_rows(office, (team,)))[0],
        }
    )


async def delete_member(office: Office, visit: Visit[Nothing, MemberDeleteRequest]) -> Answer:
    """End a membership. The keys that the member has in the team go with it."""
    wanted = visit.body
    team = await _team_to_change(office, await rights_of(office, visit.caller), wanted.team_id)
    user = await user_meant(office, wanted.user_id, wanted.user_email)
    # Who was deleted may still be named by the id.
    user_id = wanted.user_id if user is None else user.user_id
    identity = member_id(team.team_id, user_id or "")
    before = await office.directory.get(TEAM_MEMBERS, identity)
    if user_id is None or not await leave_team(office, team.team_id, user_id, author(visit)):
        raise Malformed(f"User not found in team. Passed in={wanted.user_id or wanted.user_email}", param="user_id")
    note_member(visit, "deleted", before)
    return Answer((await team_rows(office, (team,)))[0])


async def update_member(office: Office, visit: Visit[Nothing, MemberUpdateRequest]) -> Answer:
    """Change the role, the limits or the models of a member."""
    wanted, by, now = visit.body, author(visit), office.clock.wall()
    team = await _team_to_change(office, await rights_of(office, visit.caller), wanted.team_id)
    found = await user_meant(office, wanted.user_id, wanted.user_email)
    user = demand_known(found, wanted.user_id, wanted.user_email)
    before = await _existing_member(office, team, user.user_id)
    after = _changed(before, wanted)
    await _demand_within_team(office, team, after.limits, after.models)
    identity = member_id(team.team_id, user.user_id)
    before, member = await replaced(
        office,
        TEAM_MEMBERS,
        identity,
        lambda one: msgspec.structs.replace(_changed(one, wanted), updated_at=now, updated_by=by),
    )
    if member.limits != before.limits:
        await begin(office, "member", identity, member.limits)
    tell(office, TEAM_MEMBERS, identity)
    note_member(visit, "updated", before, member)
    return Answer(_updated(user, member))


async def own_membership(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """What the caller may spend in the team, and has."""
    rights = await rights_of(office, visit.caller)
    team_id, user_id = visit.path["team_id"], rights.user_id or ""
    demand(rights.sees_all or team_id in rights.teams, "look at this team")
    team = await existing_team(office, team_id)
    member = await _existing_member(office, team, user_id)
    await flushed(office)
    shown = (await membership_rows(office, team, (member,)))[0]
    user = await office.directory.get(USERS, user_id)
    return Answer(
        MemberInfoReply(
            **msgspec.structs.asdict(shown),
            role=member.role,
            user_email=None if user is None else user.email,
            team_alias=team.alias,
        )
    )


async def reset_member_spend(office: Office, visit: Visit[Nothing, ResetMemberSpendRequest]) -> Answer:
    """Set what a member has spent in the team to a lower amount."""
    team = await _team_to_change(office, await rights_of(office, visit.caller), visit.path["team_id"])
    member = await _existing_member(office, team, visit.path["user_id"])
    identity = member_id(team.team_id, member.user_id)
    await flushed(office)
    before = (await spent_by(office, "member", (identity,)))[identity]
    amount = picodollars(visit.body.reset_to)
    if amount > before.amount:
        raise Malformed(
            f"reset_to must be at most what the member has spent, {dollars(before.amount)}.", param="reset_to"
        )
    after = await office.spend.set_amount(Meter("member", identity), amount)
    tell(office, TEAM_MEMBERS, identity)
    limits = member.limits if member.limits != NO_LIMITS else team.member_limits
    return Answer(
        ResetMemberSpendReply(
            team_id=team.team_id,
            user_id=member.user_id,
            spend=dollars(after.amount),
            previous_spend=dollars(before.amount),
            max_budget=usd(limits.max_budget),
            budget_reset_at=iso_or_none(after.reset_at),
        )
    )


async def reset_member_budget(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Take away the limits that the member has of their own, so that the team's for its members hold."""
    by, now = author(visit), office.clock.wall()
    team = await _team_to_change(office, await rights_of(office, visit.caller), visit.path["team_id"])
    before = await _existing_member(office, team, visit.path["user_id"])
    identity = member_id(team.team_id, before.user_id)
    before, after = await replaced(
        office,
        TEAM_MEMBERS,
        identity,
        lambda one: msgspec.structs.replace(one, limits=NO_LIMITS, budget_id=None, updated_at=now, updated_by=by),
    )
    await begin(office, "member", identity, team.member_limits)
    tell(office, TEAM_MEMBERS, identity)
    note_member(visit, "updated", before, after)
    return Answer(
        ResetMemberBudgetReply(
            team_id=team.team_id,
            user_id=before.user_id,
            budget_id=team.member_budget_id,
            previous_budget_id=before.budget_id,
            budget_source="none" if team.member_limits == NO_LIMITS else "team_default",
        )
    )


async def _team_to_change(office: Office, rights: Rights, team_id: str) -> Team:
    demand_changes(rights)
    if not rights.is_admin:
        team = await office.directory.get(TEAMS, team_id)
        demand(team is not None and rights.administers_team(team), "change the members of this team")
    return await existing_team(office, team_id)


async def _team_to_join(
    office: Office, rights: Rights, team_id: str, members: tuple[Member, ...], *, says_more: bool
) -> Team:
    """The team, if who asks may add these; whoever wants to may join one that is open to all, as a plain member."""
    demand_changes(rights)
    oneself = all(
        member.user_id == rights.user_id and member.role == "user" and member.user_email is None for member in members
    )
    if oneself and rights.user_id is not None and not says_more and team_id in office.user_defaults.available_teams:
        return await existing_team(office, team_id)
    return await _team_to_change(office, rights, team_id)


def _new_limits(max_budget: float | None, duration: str | None) -> Limits:
    fields = BudgetFields(
        max_budget=UNSET if max_budget is None else max_budget, budget_duration=UNSET if duration is None else duration
    )
    return changed_limits(fields, NO_LIMITS)


async def _demand_within_team(office: Office, team: Team, limits: Limits, models: tuple[str, ...]) -> None:
    bound = await bound_of_account(office, "the team", team)
    demand_within(office, grant_of_limits(limits, models), (bound,), new=True)


async def _bulk_members(office: Office, rights: Rights, wanted: BulkMemberAddRequest) -> tuple[Member, ...]:
    if wanted.all_users:
        demand(rights.is_admin, "add all users to a team")
        page = await office.directory.find(USERS, DirectoryQuery(size=_AT_ONCE_MAX))
        if page.total > _AT_ONCE_MAX:
            raise Malformed(f"Maximum {_AT_ONCE_MAX} members can be added at once. Found {page.total} users.")
        known = {member.user_id for member in await team_members(office, wanted.team_id)}
        return tuple(Member(user_id=user.user_id) for user in page.records if user.user_id not in known)
    if not wanted.members:
        raise Malformed("Must provide either 'members' or 'all_users'.", param="members")
    return wanted.members


async def _attempt(
    office: Office, visit: Visit[Any, Any], team: Team, member: Member, limits: Limits
) -> dict[str, Any]:
    by = author(visit)
    result: dict[str, Any] = {
        "user_id": member.user_id, "user_email": member.user_email, "success": False, "error": None,
        "updated_user": None, "updated_team_membership": None,
    }  # fmt: skip
    try:
        user = await user_or_new(office, member.user_id, member.user_email, by)
        joined = await join_team(office, team, user, member.role, by, limits=limits)
    except Refused as refused:
        return {**result, "error": refused.told()}
    note_member(visit, "created", None, joined)
    row = (await user_rows(office, (user,)))[0]
    membership = (await membership_rows(office, team, (joined,)))[0]
    return {
        **result, "user_id": user.user_id, "success": True, "updated_user": row, "updated_team_membership": membership,
    }  # fmt: skip


async def _existing_member(office: Office, team: Team, user_id: str) -> TeamMember:
    member = await office.directory.get(TEAM_MEMBERS, member_id(team.team_id, user_id))
    if member is None:
        raise NotFound(
            f"User {user_id} is not a member of team {team.team_id}",
            hint="POST /team/member_add adds them.",
            param="user_id",
            code="team_member_not_found",
        )
    return member


def _changed(member: TeamMember, wanted: MemberUpdateRequest) -> TeamMember:
    fields = BudgetFields(
        max_budget=wanted.max_budget_in_team,
        budget_duration=wanted.budget_duration,
        tpm_limit=wanted.tpm_limit,
        rpm_limit=wanted.rpm_limit,
        model_max_budget=wanted.model_max_budget,
    )
    limits = changed_limits(fields, member.limits)
    if not isinstance(wanted.temp_budget_increase, UnsetType) or not isinstance(wanted.temp_budget_expiry, UnsetType):
        limits = _with_increase(limits, wanted)
    models = member.models if isinstance(wanted.allowed_models, UnsetType) else wanted.allowed_models or ()
    return msgspec.structs.replace(member, role=wanted.role or member.role, limits=limits, models=models)


def _with_increase(limits: Limits, wanted: MemberUpdateRequest) -> Limits:
    increase = wanted.temp_budget_increase or None
    until = wanted.temp_budget_expiry or None
    if (increase is None) != (until is None):
        raise Malformed(
            "temp_budget_increase and temp_budget_expiry must be set together.", param="temp_budget_increase"
        )
    return msgspec.structs.replace(
        limits,
        temp_budget_increase=picodollars(increase) if isinstance(increase, float) else None,
        temp_budget_expiry=read_moment(until, "temp_budget_expiry")[0].timestamp() if isinstance(until, str) else None,
    )


def _updated(user: User, member: TeamMember) -> MemberUpdateReply:
    limits = member.limits
    return MemberUpdateReply(
        team_id=member.team_id,
        user_id=member.user_id,
        user_email=user.email,
        max_budget_in_team=usd(limits.max_budget),
        budget_duration=limits.budget_duration,
        tpm_limit=limits.tpm_limit,
        rpm_limit=limits.rpm_limit,
        allowed_models=member.models or None,
        temp_budget_increase=usd(limits.temp_budget_increase),
        temp_budget_expiry=iso_or_none(limits.temp_budget_expiry),
        model_max_budget=model_budgets(limits.model_limits) or None,
    )
