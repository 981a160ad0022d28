"""An identity provider that people sign in with, as the operator describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.secret import Secret

__all__ = ["DEFAULT_SCOPE", "IdentityParty", "PersonFields"]

DEFAULT_SCOPE: Final = "openid email profile"


class PersonFields(msgspec.Struct, frozen=True, kw_only=True):
    """The claims in which a provider tells who somebody is; dots go into objects. None: it does not tell that.

    ``GENERIC_USER_…_ATTRIBUTE`` of LiteLLM.
    """

    user_id: str = "sub"
    email: str = "email"
    first_name: str = "given_name"
    last_name: str = "family_name"
    display_name: str = "name"
    role: str | None = None
    groups: str | None = None


class IdentityParty(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send people, and where to ask who came back.

    With ``issuer`` everything else is found by its discovery document; addresses that are given win over it. Without an
    issuer (a provider of plain OAuth 2.0), ``userinfo_endpoint`` says who it is. ``extra`` goes into the address that
    people are sent to.
    """

    name: str
    client_id: str
    client_secret: Secret | None = None
    issuer: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    jwks_url: str | None = None
    scope: str = DEFAULT_SCOPE
    fields: PersonFields = PersonFields()
    extra: Mapping[str, str] = {}
