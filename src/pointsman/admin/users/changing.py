"""``/user/update``, ``/user/bulk_update`` and ``/user/delete``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from pointsman.admin.governance.entries import author, replaced, tell
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import begin, default_limits, user_meant
from pointsman.admin.people.fields import demand_email
from pointsman.admin.people.joining import delete_keys_of, leave_organization, leave_team
from pointsman.admin.people.noting import note_user
from pointsman.admin.rights import Rights, demand, demand_changes, rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.users.changes import changed_user, demand_may_update, demand_unique
from pointsman.admin.users.passwords import end_sessions, given_digest
from pointsman.admin.users.replies import user_rows
from pointsman.admin.users.requests import (
    USER_PASSIVE,
    BulkUpdateUsersRequest,
    DeleteUsersRequest,
    UpdateUserRequest,
)
from pointsman.core.errors import Malformed, NotFound, Refused
from pointsman.core.price import picodollars
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, TEAM_MEMBERS, USERS
from pointsman.stores.directory.ports import DirectoryQuery, Meter
from pointsman.stores.directory.records import Role, User
from pointsman.stores.ports import KeyQuery
from pointsman.wire.json_fields import read_body

__all__ = ["bulk_update_users", "delete_users", "update_user"]

_AT_ONCE_MAX: Final = 500
_MEMBERSHIPS_MAX: Final = 10_000

_decode_update: Final = msgspec.json.Decoder(UpdateUserRequest, strict=False).decode


async def update_user(office: Office, visit: Visit[Nothing, UpdateUserRequest]) -> Answer:
    """Change what the request names, and leave the rest."""
    rights = await rights_of(office, visit.caller)
    user, unheeded = await _update(office, visit, rights, visit.body, visit.fields)
    row = (await user_rows(office, (user,)))[0]
    return Answer({"user_id": user.user_id, "data": row}, headers=not_enforced_header(unheeded))


async def bulk_update_users(office: Office, visit: Visit[Nothing, BulkUpdateUsersRequest]) -> Answer:
    """Change several users, each for itself: where one cannot be changed, the others still are."""
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    wanted = await _wanted(office, rights, visit.body)
    results = [await _attempt(office, visit, rights, one) for one in wanted]
    done = sum(result["success"] is True for result in results)
    counts = {"total_requested": len(results), "successful_updates": done, "failed_updates": len(results) - done}
    return Answer({"results": results, **counts})


async def delete_users(office: Office, visit: Visit[Nothing, DeleteUsersRequest]) -> Answer:
    """Delete users with their keys and memberships. What their calls cost stays in the ledger.

    The answer is the number of users that are gone, as in LiteLLM.
    """
    rights, by = await rights_of(office, visit.caller), author(visit)
    demand_changes(rights)
    demand(rights.is_admin, "delete users")
    wanted = tuple(dict.fromkeys(visit.body.user_ids))
    if not wanted:
        raise Malformed("No user id passed in", param="user_ids")
    found = await office.directory.look_up([(USERS, user_id) for user_id in wanted])
    missing = [user_id for user_id, user in zip(wanted, found, strict=True) if user is None]
    if missing:
        raise NotFound(f"User not found, passed user_id={missing[0]}", param="user_ids", code="user_not_found")
    for user_id in wanted:
        await _leave_everything(office, user_id, by)
    gone = await office.directory.delete(USERS, wanted)
    for user in found:
        if user is not None:
            note_user(visit, "deleted", user)
    for user_id in gone:
        await office.spend.forget("user", user_id)
        tell(office, USERS, user_id)
    return Answer(len(gone))


async def _update(
    office: Office,
    visit: Visit[Any, Any],
    rights: Rights,
    fields: UpdateUserRequest,
    body: Mapping[str, msgspec.Raw],
) -> tuple[User, tuple[str, ...]]:
    demand_changes(rights)
    by = author(visit)
    user_id = fields.user_id if isinstance(fields.user_id, str) else None
    email = fields.user_email if isinstance(fields.user_email, str) else None
    target = await user_meant(office, user_id, email)
    # Whether there is such a user is not for everybody to know.
    _demand_allowed(rights, target, fields, body)
    if target is None:
        raise NotFound(
            f"User not found for user_id={user_id} and user_email={email}",
            hint="POST /user/new makes one.",
            param="user_id",
            code="user_not_found",
        )
    await demand_unique(office, None, demand_email(fields.user_email), but=target.user_id)
    now = office.clock.wall()
    _, unheeded = changed_user(target, fields, body, USER_PASSIVE, now, by)
    digest = await given_digest(office, rights, fields.password)

    def changed(before: User) -> User:
        after = _changed(office, before, fields, body, now, by)
        return after if digest is None else msgspec.structs.replace(after, password=digest)

    before, user = await replaced(office, USERS, target.user_id, changed)
    if digest is not None:
        await end_sessions(office, user.user_id)
    await _count(office, before, user, fields)
    tell(office, USERS, user.user_id)
    note_user(visit, "updated", before, user)
    return user, unheeded


def _demand_allowed(
    rights: Rights, target: User | None, fields: UpdateUserRequest, body: Mapping[str, msgspec.Raw]
) -> None:
    same_address = target is not None and demand_email(fields.user_email) == target.email
    said = {name: raw for name, raw in body.items() if name != "user_email" or not same_address}
    demand_may_update(rights, "" if target is None else target.user_id, fields, said)


def _changed(
    office: Office, before: User, fields: UpdateUserRequest, body: Mapping[str, msgspec.Raw], now: float, by: str
) -> User:
    user, _ = changed_user(before, fields, body, USER_PASSIVE, now, by)
    if fields.user_role == Role.USER.value and before.role is not Role.USER:
        # Who becomes an internal user has the budget of one, unless something else is said.
        defaults = default_limits(office, Role.USER)
        limits = user.limits
        if limits.max_budget is None and fields.max_budget is UNSET:
            limits = msgspec.structs.replace(limits, max_budget=defaults.max_budget)
        if limits.budget_duration is None and fields.budget_duration is UNSET:
            limits = msgspec.structs.replace(limits, budget_duration=defaults.budget_duration)
        user = msgspec.structs.replace(user, limits=limits)
    return user


async def _count(office: Office, before: User, after: User, fields: UpdateUserRequest) -> None:
    if isinstance(fields.spend, float):
        await flushed(office)
        await office.spend.set_amount(Meter("user", after.user_id), picodollars(fields.spend))
    if after.limits != before.limits:
        await begin(office, "user", after.user_id, after.limits)


async def _wanted(office: Office, rights: Rights, body: BulkUpdateUsersRequest) -> Sequence[Mapping[str, msgspec.Raw]]:
    if body.all_users and body.user_updates is not None:
        demand(rights.is_admin, "update all users at once")
        page = await office.directory.find(USERS, DirectoryQuery(size=_AT_ONCE_MAX))
        if page.total > _AT_ONCE_MAX:
            raise Malformed(f"Maximum {_AT_ONCE_MAX} users can be updated at once. Found {page.total} users.")
        if not page.records:
            raise Malformed("No users found to update")
        fields = {name: raw for name, raw in body.user_updates.items() if name != "user_email"}
        return [{**fields, "user_id": msgspec.Raw(msgspec.json.encode(user.user_id))} for user in page.records]
    if not body.users:
        raise Malformed("Must specify either 'users' or 'all_users' with 'user_updates'", param="users")
    return body.users


async def _attempt(
    office: Office, visit: Visit[Any, Any], rights: Rights, body: Mapping[str, msgspec.Raw]
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "user_id": None,
        "user_email": None,
        "success": False,
        "error": None,
        "updated_user": None,
    }
    try:
        wanted = read_body(msgspec.json.encode(dict(body)), _decode_update)
        result["user_id"] = wanted.user_id if isinstance(wanted.user_id, str) else None
        result["user_email"] = wanted.user_email if isinstance(wanted.user_email, str) else None
        user, _ = await _update(office, visit, rights, wanted, body)
    except Refused as refused:
        return {**result, "error": refused.told()}
    row = (await user_rows(office, (user,)))[0]
    return {**result, "user_id": user.user_id, "success": True, "updated_user": row}


async def _leave_everything(office: Office, user_id: str, by: str) -> None:
    query = DirectoryQuery(owner=user_id, size=_MEMBERSHIPS_MAX)
    for member in (await office.directory.find(TEAM_MEMBERS, query)).records:
        await leave_team(office, member.team_id, user_id, by)
    for one in (await office.directory.find(ORGANIZATION_MEMBERS, query)).records:
        await leave_organization(office, one.organization_id, user_id)
    await delete_keys_of(office, KeyQuery(user_id=user_id), by)
