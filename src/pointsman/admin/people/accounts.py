"""The periods of people and groups, the defaults of new users, and who is meant by an id or an e-mail address."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.admin.governance.entries import tell
from pointsman.admin.office import Office
from pointsman.admin.people.fields import demand_email
from pointsman.admin.rights import demand
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.price import picodollars
from pointsman.policies.periods import schedule
from pointsman.stores.directory.kinds import USERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import NO_LIMITS, Limits, Role, User

__all__ = [
    "begin",
    "default_limits",
    "demand_known",
    "demand_not_reserved",
    "new_user_record",
    "user_meant",
    "user_or_new",
    "users_by_id",
]


async def begin(office: Office, scope: str, identity: str, limits: Limits) -> None:
    """Have the periods of the account end as its limits say, from now on."""
    await schedule(office.spend, scope, identity, limits, office.clock.wall(), office.reset_clock)


def default_limits(office: Office, role: Role) -> Limits:
    """What bounds a new user of whom nothing else is said: ``default_internal_user_params`` and its kin.

    As in LiteLLM administrators have no defaults, and the budget of internal users is for those alone.
    """
    if role is Role.ADMIN:
        return NO_LIMITS
    defaults = office.user_defaults
    budget, duration = defaults.max_budget, defaults.budget_duration
    if role is Role.USER:
        budget = office.user_budget if budget is None else budget
        duration = office.user_budget_duration if duration is None else duration
    return Limits(
        max_budget=None if budget is None else picodollars(budget),
        budget_duration=duration,
        rpm_limit=defaults.rpm_limit,
        tpm_limit=defaults.tpm_limit,
    )


def new_user_record(office: Office, user_id: str | None, email: str | None, by: str) -> User:
    """A user as one is made who was only named: with the operator's defaults."""
    defaults, now = office.user_defaults, office.clock.wall()
    role = Role(defaults.user_role) if defaults.user_role is not None else Role.USER
    return User(
        user_id=user_id or call_id(),
        email=email,
        role=role,
        models=defaults.models,
        limits=default_limits(office, role),
        created_at=now,
        updated_at=now,
        created_by=by,
        updated_by=by,
    )


async def user_meant(office: Office, user_id: str | None, email: str | None) -> User | None:
    """The user with the id; without one, with the e-mail address.

    Raises:
        Malformed: neither is given, it is no address, or several users have it.
    """
    if user_id:
        return await office.directory.get(USERS, user_id)
    address = demand_email(email)
    if address is None:
        raise Malformed("user_id or user_email is required.", param="user_id")
    found = await office.directory.find(USERS, DirectoryQuery(alias=address, size=2))
    if found.total > 1:
        raise Malformed("Multiple users with this email found in db. Please use 'user_id' instead.", param="user_email")
    return found.records[0] if found.records else None


async def user_or_new(office: Office, user_id: str | None, email: str | None, by: str) -> User:
    """The user who is meant, made if nobody is; LiteLLM makes members so that are invited by an address.

    Raises:
        Malformed: see :func:`user_meant`; or another user has the address.
    """
    found = await user_meant(office, user_id, email)
    if found is not None:
        return found
    address = demand_email(email)
    if user_id and address is not None and (named := await user_meant(office, None, address)) is not None:
        return named
    if user_id is not None and not user_id.isprintable():
        raise Malformed("user_id must not have control characters.", param="user_id")
    demand_not_reserved(office, user_id)
    user = new_user_record(office, user_id, address, by)
    await office.directory.insert(USERS, user)
    await begin(office, "user", user.user_id, user.limits)
    tell(office, USERS, user.user_id)
    return user


def demand_not_reserved(office: Office, user_id: str | None) -> None:
    """Raise where a user would be made under the name of whom the operator calls an administrator.

    Whoever may sign in as that user would be one.

    Raises:
        Forbidden: it is ``PROXY_ADMIN_ID``.
    """
    desk = office.sign_in
    reserved = user_id is not None and desk is not None and desk.settings.admin_id == user_id
    demand(not reserved, "make this user, who is the administrator of the gateway")


async def users_by_id(office: Office, user_ids: Sequence[str]) -> dict[str, User]:
    """The users with these ids, those that exist."""
    wanted = tuple(dict.fromkeys(user_ids))
    found = await office.directory.look_up([(USERS, user_id) for user_id in wanted])
    return {user.user_id: user for user in found if isinstance(user, User)}


def demand_known(user: User | None, user_id: str | None, email: str | None) -> User:
    """The user, if there is one.

    Raises:
        NotFound: in LiteLLM's words.
    """
    if user is None:
        raise NotFound(
            f"User not found for user_id={user_id} and user_email={email}", param="user_id", code="user_not_found"
        )
    return user
