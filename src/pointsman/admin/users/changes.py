"""From the fields of a request to a user as they will be, and who may ask for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.grants import bound_of_account, demand_within, grant_of_limits
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import demand_not_reserved
from pointsman.admin.people.fields import account_limits, demand_email, json_object
from pointsman.admin.people.passive import Passive, passive
from pointsman.admin.rights import Rights, demand, demand_changes
from pointsman.admin.said_in_metadata import with_said_fields
from pointsman.admin.users.requests import UserFields
from pointsman.core.errors import Forbidden, Malformed
from pointsman.stores.directory.kinds import ORGANIZATIONS, USERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Role, User
from pointsman.stores.ports import Conflict

__all__ = ["changed_user", "demand_may_make", "demand_may_update", "demand_unique"]

_OWN_FIELDS: Final = frozenset({"user_id", "user_alias"})
"""What a user may say of themselves; an address, by which people sign in, and all else is for an administrator."""


def changed_user(
    user: User, fields: UserFields, body: Mapping[str, msgspec.Raw], kinds: Passive, now: float, by: str
) -> tuple[User, tuple[str, ...]]:
    """The user with what the request says; and the names of the fields that are not heeded.

    Raises:
        Malformed, Unsupported: a value that no user can have; ``param`` names the field.
    """
    fields, body = with_said_fields(fields, body, kinds.refused)
    heeded = frozenset(fields.__struct_fields__)
    extra, unheeded = passive(body, heeded, kinds, user.extra)
    _demand_printable(fields)
    found: dict[str, object] = {"extra": extra, "limits": account_limits(fields, user.limits)}
    if isinstance(fields.user_role, str):
        found["role"] = Role(fields.user_role)
    if fields.models:
        found["models"] = fields.models
    if fields.metadata:
        found["metadata"] = json_object(fields.metadata)
    if isinstance(fields.blocked, bool):
        found["blocked"] = fields.blocked
    for name, ours in (("user_alias", "alias"), ("sso_user_id", "sso_user_id")):
        value = getattr(fields, name)
        if isinstance(value, str):
            found[ours] = value or None
    if (email := demand_email(fields.user_email)) is not None:
        found["email"] = email
    return msgspec.structs.replace(user, updated_at=now, updated_by=by, **found), unheeded


async def demand_unique(office: Office, user_id: str | None, email: str | None, but: str | None = None) -> None:
    """Raise if another user has the id or the address (409, as LiteLLM).

    Raises:
        Conflict: ``param`` names which.
    """
    if user_id is not None and await office.directory.get(USERS, user_id) is not None:
        raise Conflict(f"User with id {user_id} already exists", param="user_id", code="user_exists", status=409)
    if email is None:
        return
    page = await office.directory.find(USERS, DirectoryQuery(alias=email, size=2))
    if any(user.user_id != but for user in page.records):
        raise Conflict(
            f"User with email {email} already exists", param="user_email", code="user_email_exists", status=409
        )


async def demand_may_make(
    office: Office, rights: Rights, user: User, organizations: tuple[str, ...], teams: tuple[str, ...]
) -> None:
    """Raise unless who asks may make such a user: an administrator, or one of an organisation for that organisation.

    Raises:
        Forbidden, Malformed: they may not, or not with so much.
    """
    if rights.is_admin:
        return
    demand_changes(rights)
    _demand_plain_role(user.role, "create administrative users (proxy_admin, proxy_admin_viewer)")
    # Whoever comes in by this name, and whatever they are then, would have been here before they came.
    demand(user.sso_user_id is None, "say by which account of an identity provider a user signs in")
    demand_not_reserved(office, user.user_id)
    mine = bool(organizations) and all(map(rights.administers_organization, organizations))
    demand(mine and not teams, "make users, but for an organisation that you administer")
    for one in organizations:
        organization = await office.directory.get(ORGANIZATIONS, one)
        if organization is not None:
            # What they may outside of the organisation is not the organisation's to give.
            bound = await bound_of_account(office, "the organisation", organization, enforced=False)
            demand_within(office, grant_of_limits(user.limits, user.models), (bound,), new=True)


def demand_may_update(rights: Rights, target: str, fields: UserFields, body: Mapping[str, msgspec.Raw]) -> None:
    """Raise unless who asks may say this of the user.

    Raises:
        Forbidden: they may not; users may change how they are called, and nothing that they may do or spend.
    """
    if rights.is_admin:
        return
    demand_changes(rights)
    if fields.user_role is not UNSET and fields.user_role is not None:
        raise Forbidden(
            "Only proxy admins can modify user roles.",
            hint="Ask an administrator.",
            param="user_role",
            kind="auth_error",
        )
    demand(target == rights.user_id, "update this user")
    for name in body:
        demand(name in _OWN_FIELDS, f"set {name} of yourself")


def _demand_plain_role(role: Role, what: str) -> None:
    if role in {Role.ADMIN, Role.VIEWER}:
        raise Forbidden(
            f"Only proxy admins can {what}.", hint="Ask an administrator.", param="user_role", kind="auth_error"
        )


def _demand_printable(fields: UserFields) -> None:
    for name in ("user_id", "user_alias", "sso_user_id"):
        value = getattr(fields, name)
        if isinstance(value, str) and not value.isprintable():
            raise Malformed(f"{name} must not have control characters.", param=name)
    models = () if isinstance(fields.models, UnsetType) else fields.models or ()
    if not all(model.isprintable() for model in models):
        raise Malformed("models must not have control characters.", param="models")
