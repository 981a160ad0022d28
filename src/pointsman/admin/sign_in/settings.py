"""What the operator says of signing in, in the form that it is used in."""

from __future__ import annotations

import msgspec

from pointsman.core.secret import Secret
from pointsman.policies.sign_in.passwords import PasswordRules
from pointsman.providers.identity import IdentityParty
from pointsman.stores.directory.records import Role

__all__ = ["GroupRule", "OperatorAccount", "SignInParty", "SignInSettings"]


class GroupRule(msgspec.Struct, frozen=True, kw_only=True):
    """What members of a provider's group are here: in which teams, and with which role (None: whatever they are)."""

    group: str
    teams: tuple[str, ...] = ()
    role: Role | None = None


class SignInParty(msgspec.Struct, frozen=True, kw_only=True):
    """A provider and what is believed of it.

    ``trusts_email`` True: its e-mail addresses are believed unless it says that one is not verified; False: only those
    that it says are; None: for ``email_domains`` the former, to find a user by the latter.
    """

    party: IdentityParty
    trusts_email: bool | None = None


class OperatorAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs in as the operator: ``UI_USERNAME`` and ``UI_PASSWORD`` of LiteLLM, or else the master key."""

    username: str
    password: Secret
    user_id: str


class SignInSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    ``base_url`` is the gateway's own address as browsers see it, without a slash at its end; None: only known where it
    is this machine. ``admin_id`` is the user who is an administrator whatever anybody says. No ``email_domains``: any.
    """

    parties: tuple[SignInParty, ...] = ()
    operator: OperatorAccount | None = None
    base_url: str | None = None
    logout_url: str | None = None
    admin_id: str | None = None
    email_domains: tuple[str, ...] = ()
    default_role: Role = Role.USER_VIEWER
    groups: tuple[GroupRule, ...] = ()
    passwords: bool = True
    password_rules: PasswordRules = PasswordRules()
    creates_users: bool = True
    starts_with_provider: bool = False
    state_key: Secret = Secret("")
