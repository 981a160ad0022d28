"""What a configuration says of people who sign in: ``pointsman.sign_in``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pointsman.core.secret import Secret

__all__ = ["SignInGroup", "SignInProvider", "SignInSection"]

_Seconds = Annotated[float, Meta(ge=60, le=31_536_000)]
_Text = Annotated[str, Meta(min_length=1, description="text")]
_Name = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="a name of letters, numbers, dots and dashes")
]
_Address = Annotated[
    str,
    Meta(pattern=r"^https?://[^\s/?#@]+([/?][^\s#]*)?$", description="an address such as https://id.example.com"),
]
_Role = Annotated[
    str,
    Meta(
        pattern=r"^(proxy_admin|proxy_admin_viewer|internal_user|internal_user_viewer)$",
        description="proxy_admin, proxy_admin_viewer, internal_user or internal_user_viewer",
    ),
]


class SignInProvider(msgspec.Struct, frozen=True, kw_only=True):
    """One OpenID provider, or with the addresses of its endpoints one of plain OAuth 2.0: ``providers[]``."""

    name: _Name
    client_id: _Text
    client_secret: Secret | None = None
    issuer: _Address | None = None
    authorization_endpoint: _Address | None = None
    token_endpoint: _Address | None = None
    userinfo_endpoint: _Address | None = None
    jwks_url: _Address | None = None
    scope: _Text = "openid email profile"
    user_id_claim: _Text = "sub"
    email_claim: _Text = "email"
    name_claim: _Text = "name"
    role_claim: _Text | None = None
    groups_claim: _Text | None = None
    trust_email: bool | None = None


class SignInGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What members of a group at the provider are here: ``groups[]``."""

    group: _Text
    teams: tuple[_Text, ...] = ()
    role: _Role | None = None


class SignInSection(msgspec.Struct, frozen=True, kw_only=True):
    """``pointsman.sign_in``. Times are in seconds."""

    providers: tuple[SignInProvider, ...] = ()
    groups: tuple[SignInGroup, ...] = ()
    default_role: _Role = "internal_user_viewer"
    create_users: bool = True
    local_passwords: bool = True
    session_seconds_max: _Seconds = 86_400.0
    session_idle_seconds_max: _Seconds = 28_800.0
