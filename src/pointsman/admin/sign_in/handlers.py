"""The routes of signing in: LiteLLM's paths, and ``/session`` and ``/logout`` of ours."""

from __future__ import annotations

from typing import Final

from pointsman.admin.office import Office
from pointsman.admin.pages.sign_in import sign_in_page, signed_in_page
from pointsman.admin.rights import rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.sign_in.desk import HOME, Arrived, SignedIn, SignInDesk
from pointsman.admin.sign_in.shapes import (
    ChangePasswordReply,
    ChangePasswordRequest,
    LoginReply,
    LoginRequest,
    LogoutReply,
    ReadinessReply,
    SessionReply,
    SessionRow,
    SessionsReply,
    SsoCallbackQuery,
    SsoStartQuery,
)
from pointsman.admin.timestamps import iso
from pointsman.core.errors import Forbidden, GatewayError, LimitReached, NotFound, Unauthenticated
from pointsman.core.secret import Secret
from pointsman.policies.sign_in.sessions import csrf_token
from pointsman.stores.directory.kinds import TEAM_MEMBERS, USERS
from pointsman.stores.directory.ports import DirectoryQuery

__all__ = [
    "change_password",
    "desk_of",
    "end_other_sessions",
    "home",
    "list_sessions",
    "login",
    "login_form",
    "login_page",
    "logout",
    "password_page",
    "show_session",
    "signed_in_reply",
    "sso_callback",
    "sso_readiness",
    "sso_start",
]

_SEE_OTHER: Final = 303
_OUR_FAULT: Final = 500
_TEAMS_MAX: Final = 1000


def desk_of(office: Office) -> SignInDesk:
    """Where people sign in.

    Raises:
        NotFound: nowhere.
    """
    if office.sign_in is None:
        raise NotFound("Nobody can sign in here.", hint="Set a master key.")
    return office.sign_in


async def login_page(office: Office, visit: Visit[SsoStartQuery, Nothing]) -> Answer:
    """The page that asks who it is, or straight to the identity provider where the operator wants that."""
    if desk_of(office).settings.starts_with_provider:
        return await sso_start(office, visit)
    return await password_page(office, visit)


async def password_page(office: Office, visit: Visit[SsoStartQuery, Nothing]) -> Answer:
    """The page that asks who it is, even then."""
    return _asking(desk_of(office), 200, None, visit.query.return_to)


async def login_form(office: Office, visit: Visit[Nothing, LoginRequest]) -> Answer:
    """Sign in with the form of that page."""
    desk = desk_of(office)
    try:
        arrived = await desk.enter(visit.body.username, Secret(visit.body.password), visit.sender)
    except (Unauthenticated, LimitReached) as refused:
        return _asking(desk, refused.status, refused.told(), None)
    return _gone_on(arrived)


async def login(office: Office, visit: Visit[Nothing, LoginRequest]) -> Answer:
    """Sign in with JSON; the session is in the cookie of the answer."""
    arrived = await desk_of(office).enter(visit.body.username, Secret(visit.body.password), visit.sender)
    return signed_in_reply(arrived)


def signed_in_reply(arrived: Arrived) -> Answer:
    """The answer for who has just signed in, to a program."""
    reply = LoginReply(HOME, csrf_token(arrived.opened.token.reveal()))
    return Answer(reply, headers=tuple(("set-cookie", line) for line in arrived.cookies))


async def sso_start(office: Office, visit: Visit[SsoStartQuery, Nothing]) -> Answer:
    """Send somebody to an identity provider; without one, to the page that asks for a password."""
    desk, query = desk_of(office), visit.query
    if not desk.settings.parties:
        return _asking(desk, 200, None, query.return_to)
    try:
        departed = await desk.depart(query.provider, query.return_to, visit.sender)
    except GatewayError as away:
        return _away(desk, away, query.return_to)
    return Answer(b"", _SEE_OTHER, (("location", departed.url), ("set-cookie", departed.cookie)), "text/plain")


async def sso_callback(office: Office, visit: Visit[SsoCallbackQuery, Nothing]) -> Answer:
    """Sign in whom an identity provider sent back."""
    desk, query = desk_of(office), visit.query
    try:
        arrived = await desk.arrive(query.code, query.state, query.iss, visit.sender)
    except (Unauthenticated, Forbidden) as refused:
        return _asking(desk, refused.status, refused.told(), None)
    except GatewayError as away:
        return _away(desk, away, None)
    visit.changes.extend(arrived.changes)
    return _gone_on(arrived)


async def sso_readiness(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """Whether people can sign in with an identity provider."""
    names = tuple(party.party.name for party in desk_of(office).settings.parties)
    said = f"Set up: {', '.join(names)}" if names else "No SSO provider configured"
    return Answer(ReadinessReply("healthy", bool(names), said, names))


async def home(_office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Where somebody is sent who has signed in."""
    signed_in = visit.signed_in
    who = None if signed_in is None else _shown(signed_in)
    page, policy = signed_in_page(who)
    return _page(page, policy, 200)


async def logout(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """End this session, here and in the browser."""
    desk = desk_of(office)
    if visit.signed_in is not None:
        desk.demand_intent(visit.sender, visit.signed_in)
        await desk.sessions.end(visit.signed_in.session)
    reply = LogoutReply(redirect_url=desk.settings.logout_url)
    return Answer(reply, headers=(("set-cookie", desk.leave_line(visit.sender)),))


async def show_session(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Who asks, and what a browser needs to change something."""
    signed_in, record = visit.signed_in, visit.caller.record
    user = None if signed_in is None else signed_in.user
    if user is None and record.user_id is not None:
        user = await office.directory.get(USERS, record.user_id)
    rights = await rights_of(office, visit.caller)
    teams = tuple(rights.teams)
    if visit.caller.admin and record.user_id is not None:
        query = DirectoryQuery(owner=record.user_id, size=_TEAMS_MAX)
        teams = tuple(member.team_id for member in (await office.directory.find(TEAM_MEMBERS, query)).records)
    return Answer(
        SessionReply(
            user_id=record.user_id,
            user_email=None if user is None else user.email,
            user_alias=None if user is None else user.alias,
            user_role=rights.role.value,
            login_method=None if signed_in is None else signed_in.session.method,
            expires_at=None if signed_in is None else iso(signed_in.session.expires_at),
            csrf_token=None if signed_in is None else csrf_token(signed_in.token.reveal()),
            teams=teams,
        )
    )


async def list_sessions(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The sessions of whoever asks."""
    signed_in = _demand_session(visit.signed_in)
    found = await desk_of(office).sessions.of(signed_in.session.user_id)
    rows = (
        SessionRow(
            session_id=session.digest,
            login_method=session.method,
            created_at=iso(session.created_at),
            last_used_at=iso(session.seen_at),
            expires_at=iso(session.expires_at),
            ip_address=session.peer,
            current=session.digest == signed_in.session.digest,
        )
        for session in sorted(found, key=lambda one: -one.seen_at)
    )
    return Answer(SessionsReply(tuple(rows)))


async def end_other_sessions(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Sign out everywhere else."""
    signed_in = _demand_session(visit.signed_in)
    ended = await desk_of(office).sessions.end_all(signed_in.session.user_id, but=signed_in.session)
    return Answer(ChangePasswordReply("signed_out", ended))


async def change_password(office: Office, visit: Visit[Nothing, ChangePasswordRequest]) -> Answer:
    """Change one's own password; all other sessions end."""
    signed_in, body = _demand_session(visit.signed_in), visit.body
    desk = desk_of(office)
    ended = await desk.change_password(
        signed_in, Secret(body.current_password), Secret(body.new_password), visit.sender.peer
    )
    user_id = signed_in.session.user_id
    return Answer(ChangePasswordReply("password_changed", ended, user_id, "The password is changed."))


def _demand_session(signed_in: SignedIn | None) -> SignedIn:
    if signed_in is None:
        raise Forbidden("This is for whoever is signed in, not for keys.", hint="Sign in first: /login.")
    return signed_in


def _shown(signed_in: SignedIn) -> str:
    user = signed_in.user
    return signed_in.session.user_id if user is None else user.alias or user.email or user.user_id


def _gone_on(arrived: Arrived) -> Answer:
    headers = (("location", arrived.place), *(("set-cookie", line) for line in arrived.cookies))
    return Answer(b"", _SEE_OTHER, headers, "text/plain")


def _asking(desk: SignInDesk, status: int, message: str | None, place: str | None) -> Answer:
    settings = desk.settings
    passwords = settings.passwords or settings.operator is not None
    names = tuple(party.party.name for party in settings.parties)
    page, policy = sign_in_page(names, passwords=passwords, message=message, place=place)
    return _page(page, policy, status)


def _away(desk: SignInDesk, error: GatewayError, place: str | None) -> Answer:
    """The page for who cannot be signed in now, through no fault of theirs.

    Raises:
        GatewayError: ``error``, where whoever asks is to blame for it.
    """
    if error.status < _OUR_FAULT:
        raise error
    return _asking(desk, error.status, error.told(), place)


def _page(page: bytes, policy: str, status: int) -> Answer:
    guards = (
        ("content-security-policy", policy),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    )
    return Answer(page, status, guards, "text/html")
