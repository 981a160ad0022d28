"""May they? Decided on the route object that was matched and on the principal, never on the text of a URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from pointsman.admin.office import Office
from pointsman.admin.rights import caller_role
from pointsman.core.errors import Forbidden, StorageUnavailable
from pointsman.core.identity import Scope
from pointsman.policies.pages import demand_no_foreign_page
from pointsman.policies.principal import Principal
from pointsman.stores.directory.records import Role

__all__ = ["authorise", "own_token"]


async def authorise(
    office: Office, scope: Scope, headers: Sequence[tuple[bytes, bytes]], session: Principal | None = None
) -> Principal | None:
    """The caller, if the scope lets them in; None only where the scope asks nobody's name.

    ``session`` is who is signed in with a browser; a key that is sent beside it counts instead.

    Raises:
        Unauthenticated: no key, an unknown or an expired one.
        Forbidden: a blocked key, one whose user has not the role that is demanded, or a foreign web page.
        StorageUnavailable: nobody can say whose key it is, or what they are.
    """
    if scope is Scope.PUBLIC:
        return None
    keyring = office.keyring
    principal = session if session is not None else await keyring.caller(headers)
    if principal is keyring.anonymous:
        demand_no_foreign_page(headers, local_pages=False)
    if principal is keyring.unverified and scope is not Scope.INFERENCE:
        raise StorageUnavailable("Nobody can say whose key this is, so it may call models and nothing else.")
    match scope:
        case Scope.INFERENCE | Scope.SELF | Scope.MANAGEMENT:
            return principal
        case Scope.ADMIN:
            await _demand_role(office, principal, Role.ADMIN)
            return principal
        case Scope.VIEWER:
            await _demand_role(office, principal, Role.ADMIN, Role.VIEWER)
            return principal
        case _:
            assert_never(scope)


async def _demand_role(office: Office, principal: Principal, *roles: Role) -> None:
    if await caller_role(office, principal) not in roles:
        who = "administrators" if roles == (Role.ADMIN,) else "administrators and their viewers"
        raise Forbidden(
            f"Only the master key and {who} may do this.",
            hint="Ask the operator, or use the master key.",
            code="admin_only",
            kind="auth_error",
        )


def own_token(principal: Principal) -> str | None:
    """The one key that this caller may look at; None: all of them."""
    return None if principal.admin else principal.record.token
