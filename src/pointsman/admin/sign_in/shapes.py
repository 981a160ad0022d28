"""What the routes of signing in take and give, in LiteLLM's fields where it has them."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

__all__ = [
    "ChangePasswordReply",
    "ChangePasswordRequest",
    "ClaimInvitationRequest",
    "InvitationIdRequest",
    "InvitationQuery",
    "InvitationReply",
    "LoginReply",
    "LoginRequest",
    "LogoutReply",
    "NewInvitationRequest",
    "OnboardingQuery",
    "OnboardingReply",
    "ReadinessReply",
    "SessionReply",
    "SessionRow",
    "SessionsReply",
    "SsoCallbackQuery",
    "SsoStartQuery",
    "UpdateInvitationRequest",
]

_PASSWORD_MAX: Final = 4096

_Name = Annotated[str, Meta(min_length=1, max_length=320)]
_Password = Annotated[str, Meta(min_length=1, max_length=_PASSWORD_MAX)]
_Id = Annotated[str, Meta(min_length=1, max_length=512)]


class LoginRequest(msgspec.Struct):
    """Who wants to sign in: a user's id or e-mail address, or the operator's name."""

    username: _Name
    password: _Password


class LoginReply(msgspec.Struct, frozen=True):
    """Where to go; the session is in the cookie. ``csrf_token`` goes with requests that change something."""

    redirect_url: str
    csrf_token: str


class SsoStartQuery(msgspec.Struct, frozen=True):
    """``provider``: by name, where there are several. ``return_to``: a path of the gateway."""

    provider: str | None = None
    return_to: str | None = None
    source: str | None = None
    key: str | None = None


class SsoCallbackQuery(msgspec.Struct, frozen=True):
    """What a provider sends people back with (RFC 6749, sections 4.1.2 and 4.1.2.1)."""

    code: str | None = None
    state: str | None = None
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None


class ReadinessReply(msgspec.Struct, frozen=True):
    """Whether people can sign in with a provider."""

    status: str
    sso_configured: bool
    message: str
    providers: tuple[str, ...] = ()


class LogoutReply(msgspec.Struct, frozen=True):
    """Signed out; ``redirect_url`` is where to go then (PROXY_LOGOUT_URL), if anywhere."""

    status: str = "signed_out"
    redirect_url: str | None = None


class SessionReply(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. ``login_method`` is ``password``, ``operator``, a provider's name, or None with a key."""

    user_id: str | None
    user_email: str | None
    user_alias: str | None
    user_role: str
    login_method: str | None
    expires_at: str | None
    csrf_token: str | None
    teams: tuple[str, ...] = ()


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One session; ``session_id`` is not what opens it."""

    session_id: str
    login_method: str
    created_at: str
    last_used_at: str
    expires_at: str
    ip_address: str
    current: bool


class SessionsReply(msgspec.Struct, frozen=True):
    """All sessions of whoever asks, the latest first."""

    sessions: tuple[SessionRow, ...]


class ChangePasswordRequest(msgspec.Struct):
    """The old one and the new one."""

    current_password: _Password
    new_password: _Password


class ChangePasswordReply(msgspec.Struct, frozen=True):
    """Done; so many other sessions ended with it."""

    status: str
    sessions_ended: int
    user_id: str | None = None
    message: str | None = None


class NewInvitationRequest(msgspec.Struct):
    """For whom it is: a user who is there already."""

    user_id: _Id


class InvitationIdRequest(msgspec.Struct):
    """Which one is meant."""

    invitation_id: _Id


class UpdateInvitationRequest(msgspec.Struct):
    """Taken back (``is_accepted`` true: it is not good any more), or good again."""

    invitation_id: _Id
    is_accepted: bool


class InvitationQuery(msgspec.Struct, frozen=True):
    """Which one is meant."""

    invitation_id: _Id


class InvitationReply(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation, in LiteLLM's fields. Whoever has its ``id`` can choose the user's password."""

    id: str
    user_id: str
    is_accepted: bool
    accepted_at: str | None
    expires_at: str
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str


class OnboardingQuery(msgspec.Struct, frozen=True):
    """The id of the invitation."""

    invite_link: _Id


class OnboardingReply(msgspec.Struct, frozen=True):
    """Who is invited, and where to choose a password. ``token`` is the invitation's id once more."""

    login_url: str
    token: str
    user_email: str | None


class ClaimInvitationRequest(msgspec.Struct):
    """The password that the invited user chooses."""

    invitation_link: _Id
    user_id: _Id
    password: _Password
