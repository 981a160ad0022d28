"""The routes of invitations, in LiteLLM's paths and fields."""

from __future__ import annotations

from pointsman.admin.office import Office
from pointsman.admin.rights import demand, rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.sign_in.handlers import desk_of, signed_in_reply
from pointsman.admin.sign_in.invitations import Invitation, Invitations
from pointsman.admin.sign_in.shapes import (
    ClaimInvitationRequest,
    InvitationIdRequest,
    InvitationQuery,
    InvitationReply,
    NewInvitationRequest,
    OnboardingQuery,
    OnboardingReply,
    UpdateInvitationRequest,
)
from pointsman.admin.timestamps import iso, iso_or_none
from pointsman.core.errors import Forbidden, NotFound, Unauthenticated
from pointsman.core.secret import Secret
from pointsman.policies.principal import Principal
from pointsman.policies.sign_in.browser import demand_own_page

__all__ = [
    "claim_invitation",
    "delete_invitation",
    "invitation_info",
    "make_invitation",
    "show_onboarding",
    "update_invitation",
]


async def make_invitation(office: Office, visit: Visit[Nothing, NewInvitationRequest]) -> Answer:
    """Invite a user to choose a password."""
    user_id = visit.body.user_id
    await _demand_admin(office, visit.caller)
    if await desk_of(office).accounts.user(user_id) is None:
        raise NotFound("There is no such user.", hint="Make it first: POST /user/new.", param="user_id")
    return Answer(_reply(await _invitations(office).make(user_id, _name(visit.caller))))


async def invitation_info(office: Office, visit: Visit[InvitationQuery, Nothing]) -> Answer:
    """Show an invitation."""
    await _demand_admin(office, visit.caller)
    return Answer(_reply(await _invitations(office).find(visit.query.invitation_id)))


async def update_invitation(office: Office, visit: Visit[Nothing, UpdateInvitationRequest]) -> Answer:
    """Take an invitation back, or have it be good again."""
    await _demand_admin(office, visit.caller)
    body = visit.body
    changed = await _invitations(office).mark(body.invitation_id, _name(visit.caller), accepted=body.is_accepted)
    return Answer(_reply(changed))


async def delete_invitation(office: Office, visit: Visit[Nothing, InvitationIdRequest]) -> Answer:
    """Delete an invitation."""
    await _demand_admin(office, visit.caller)
    return Answer(_reply(await _invitations(office).remove(visit.body.invitation_id)))


async def show_onboarding(office: Office, visit: Visit[OnboardingQuery, Nothing]) -> Answer:
    """Who is invited; for whoever has the invitation."""
    desk, link = desk_of(office), visit.query.invite_link
    desk.throttle.demand_patience("invitation", visit.sender.peer)
    try:
        invitation = await _invitations(office).find(link)
    except NotFound:
        desk.throttle.failed("invitation", visit.sender.peer)
        raise
    user = await desk.accounts.user(invitation.user_id)
    if user is None or invitation.accepted_at is not None:
        raise _used_up()
    return Answer(OnboardingReply(f"/ui/onboarding?invitation_id={link}", link, user.email))


async def claim_invitation(office: Office, visit: Visit[Nothing, ClaimInvitationRequest]) -> Answer:
    """Choose a password, and be signed in."""
    desk, body = desk_of(office), visit.body
    demand_own_page(visit.sender.headers, desk.own_origin(visit.sender))
    desk.throttle.demand_patience("invitation", visit.sender.peer)
    if not desk.settings.passwords:
        raise Forbidden("Nobody signs in with a password here.", hint="Sign in with the identity provider.")
    desk.settings.password_rules.demand(body.password)
    user = await desk.accounts.user(body.user_id)
    if user is None or user.blocked or not await _invitations(office).use(body.invitation_link, body.user_id):
        desk.throttle.failed("invitation", visit.sender.peer)
        raise _used_up()
    await desk.set_password(user.user_id, Secret(body.password))
    await desk.sessions.end_all(user.user_id)
    return signed_in_reply(await desk.open_for(user, visit.sender))


async def _demand_admin(office: Office, caller: Principal) -> None:
    """Whoever may invite somebody may become them, so that only administrators may."""
    rights = await rights_of(office, caller)
    demand(rights.is_admin, "invite users")


def _invitations(office: Office) -> Invitations:
    if office.invitations is None:
        raise NotFound("Nobody can be invited here.", hint="Set a master key.")
    return office.invitations


def _name(caller: Principal) -> str:
    return caller.record.user_id or caller.record.key_alias or caller.record.token


def _reply(invitation: Invitation) -> InvitationReply:
    return InvitationReply(
        id=invitation.id,
        user_id=invitation.user_id,
        is_accepted=invitation.accepted_at is not None,
        accepted_at=iso_or_none(invitation.accepted_at),
        expires_at=iso(invitation.expires_at),
        created_at=iso(invitation.created_at),
        created_by=invitation.created_by,
        updated_at=iso(invitation.updated_at),
        updated_by=invitation.updated_by,
    )


def _used_up() -> Unauthenticated:
    return Unauthenticated(
        "This invitation is not good any more, or not for this user.",
        hint="Ask an administrator for a new one.",
        code="invitation_invalid",
    )
