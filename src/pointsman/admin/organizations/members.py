"""``/organization/member_add``, ``member_update`` and ``member_delete``."""

from __future__ import annotations

import msgspec

from pointsman.admin.governance.entries import author, replaced, tell
from pointsman.admin.office import Office
from pointsman.admin.organizations.handlers import existing_organization
from pointsman.admin.organizations.requests import (
    OrganizationMemberAddRequest,
    OrganizationMemberDeleteRequest,
    OrganizationMemberUpdateRequest,
)
from pointsman.admin.people.accounts import demand_known, user_meant, user_or_new
from pointsman.admin.people.joining import join_organization, leave_organization
from pointsman.admin.people.noting import note_member
from pointsman.admin.rights import demand, demand_changes, rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.users.replies import membership_rows, user_rows
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.price import picodollars
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS
from pointsman.stores.directory.records import NO_LIMITS, Limits, OrganizationMember, Role, User, member_id

__all__ = ["add_members", "delete_member", "update_member"]


async def add_members(office: Office, visit: Visit[Nothing, OrganizationMemberAddRequest]) -> Answer:
    """Add one member or several; who is named by an address and does not exist is made."""
    wanted, by = visit.body, author(visit)
    await _demand_administered(office, visit, wanted.organization_id)
    members = wanted.member if isinstance(wanted.member, tuple) else (wanted.member,)
    if not members:
        raise Malformed("member must not be empty.", param="member")
    users, added = [], []
    for member in members:
        user = await user_or_new(office, member.user_id, member.user_email, by)
        limits = _limits(wanted.max_budget_in_organization)
        added.append(await join_organization(office, wanted.organization_id, user, Role(member.role), by, limits))
        users.append(user)
        note_member(visit, "created", None, added[-1])
    return Answer(
        {
            "organization_id": wanted.organization_id,
            "updated_users": await user_rows(office, users),
            "updated_organization_memberships": await membership_rows(office, added),
        }
    )


async def update_member(office: Office, visit: Visit[Nothing, OrganizationMemberUpdateRequest]) -> Answer:
    """Change the role or the budget of a member."""
    wanted, by, now = visit.body, author(visit), office.clock.wall()
    await _demand_administered(office, visit, wanted.organization_id)
    user = demand_known(await user_meant(office, wanted.user_id, wanted.user_email), wanted.user_id, wanted.user_email)
    await _existing_member(office, wanted.organization_id, user)
    identity = member_id(wanted.organization_id, user.user_id)

    def change(before: OrganizationMember) -> OrganizationMember:
        limits = before.limits
        if wanted.max_budget_in_organization is not None:
            limits = msgspec.structs.replace(limits, max_budget=picodollars(wanted.max_budget_in_organization))
        role = before.role if wanted.role is None else Role(wanted.role)
        return msgspec.structs.replace(before, role=role, limits=limits, updated_at=now, updated_by=by)

    before, member = await replaced(office, ORGANIZATION_MEMBERS, identity, change)
    tell(office, ORGANIZATION_MEMBERS, identity)
    note_member(visit, "updated", before, member)
    return Answer((await membership_rows(office, (member,)))[0])


async def delete_member(office: Office, visit: Visit[Nothing, OrganizationMemberDeleteRequest]) -> Answer:
    """End a membership, and show what it was."""
    wanted = visit.body
    await _demand_administered(office, visit, wanted.organization_id)
    user = demand_known(await user_meant(office, wanted.user_id, wanted.user_email), wanted.user_id, wanted.user_email)
    member = await _existing_member(office, wanted.organization_id, user)
    row = (await membership_rows(office, (member,)))[0]
    await leave_organization(office, wanted.organization_id, user.user_id)
    note_member(visit, "deleted", member)
    return Answer(row)


async def _demand_administered(
    office: Office,
    visit: Visit[Nothing, OrganizationMemberAddRequest]
    | Visit[Nothing, OrganizationMemberUpdateRequest]
    | Visit[Nothing, OrganizationMemberDeleteRequest],
    organization_id: str,
) -> None:
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    demand(rights.administers_organization(organization_id), "change the members of this organisation")
    await existing_organization(office, organization_id)


async def _existing_member(office: Office, organization_id: str, user: User) -> OrganizationMember:
    member = await office.directory.get(ORGANIZATION_MEMBERS, member_id(organization_id, user.user_id))
    if member is None:
        raise NotFound(
            f"User {user.user_id} is not a member of organization {organization_id}",
            hint="POST /organization/member_add adds them.",
            param="user_id",
            code="organization_member_not_found",
        )
    return member


def _limits(budget: float | None) -> Limits:
    return NO_LIMITS if budget is None else Limits(max_budget=picodollars(budget))
