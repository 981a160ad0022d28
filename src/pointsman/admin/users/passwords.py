"""A password that an administrator gives a user: only its digest is kept, and nothing shows either."""

from __future__ import annotations

from msgspec import UnsetType

from pointsman.admin.office import Office
from pointsman.admin.rights import Rights, demand
from pointsman.core.errors import Forbidden
from pointsman.core.secret import Secret

__all__ = ["end_sessions", "given_digest"]


async def given_digest(office: Office, rights: Rights, password: str | UnsetType | None) -> str | None:
    """The digest of the password that a request gives a user; None: it gives none.

    Raises:
        Forbidden: who asks is no administrator, or nobody signs in with a password here.
        Malformed: it does not keep the rules.
        LimitReached: too many wait for theirs.
    """
    if not isinstance(password, str) or not password:
        return None
    demand(rights.is_admin, "give users a password")
    if office.sign_in is None or not office.sign_in.settings.passwords:
        raise Forbidden(
            "Nobody signs in with a password here.", hint="Leave it out; users sign in with the identity provider."
        )
    return await office.sign_in.digest(Secret(password))


async def end_sessions(office: Office, user_id: str) -> None:
    """End what was begun with the password that the user had before."""
    if office.sign_in is not None:
        await office.sign_in.sessions.end_all(user_id)
