"""How much may be given away: nobody gives more than they have.

What is asked for (:class:`Grant`) is measured by :class:`Bound`: that of the team, the member, the user and the
organisation to which the receiver will belong, and of the key that asks. Those of the directory are enforced at every
call, whatever the receiver is told; there, to say nothing means "as much as that allows". What a single key may is
enforced for that key alone, so whoever gives on what it has must keep to it in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.governance.limit_fields import COUNTED
from pointsman.admin.governance.periods import budgets_named, joined_limits
from pointsman.admin.office import Office
from pointsman.config.patterns import match
from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.core.price import dollars
from pointsman.stores.directory.records import Limits, Organization, Team, TeamMember, User

__all__ = ["Bound", "Grant", "bound_of_account", "bound_of_key", "bound_of_limits", "demand_within", "grant_of_limits"]

_ALL_MODELS: Final = frozenset({"*", "all-proxy-models", "all-team-models"})
_NEVER_WIDER: Final = frozenset({"all-team-models", "no-default-models"})
_AMOUNTS: Final = ("max_budget", *COUNTED)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be given; UNSET: nothing is said. Money is in picodollars. ``targets`` are where aliases lead."""

    models: tuple[str, ...] | UnsetType = UNSET
    targets: tuple[str, ...] = ()
    max_budget: int | UnsetType | None = UNSET
    rpm_limit: int | UnsetType | None = UNSET
    tpm_limit: int | UnsetType | None = UNSET
    itpm_limit: int | UnsetType | None = UNSET
    otpm_limit: int | UnsetType | None = UNSET
    tpd_limit: int | UnsetType | None = UNSET
    max_parallel_requests: int | UnsetType | None = UNSET


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What the giver has: ``what`` names it in a sentence. No ``models``: all of them; amounts None: unlimited.

    ``enforced``: calls of the receiver are measured by it too.
    """

    what: str
    enforced: bool
    models: tuple[str, ...] = ()
    max_budget: int | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    itpm_limit: int | None = None
    otpm_limit: int | None = None
    tpd_limit: int | None = None
    max_parallel_requests: int | None = None


async def bound_of_account(
    office: Office, what: str, account: Organization | Team | TeamMember | User, *, enforced: bool = True
) -> Bound:
    """The bound that an account of the directory, with the budget that it shares, is for whoever belongs to it."""
    budgets = await budgets_named(office, (account.budget_id,))
    limits = joined_limits(account.limits, budgets.get(account.budget_id or ""))
    return bound_of_limits(what, limits, account.models, enforced=enforced)


def bound_of_limits(what: str, limits: Limits, models: tuple[str, ...] = (), *, enforced: bool = True) -> Bound:
    """The bound that such limits and models are."""
    amounts = {name: getattr(limits, name) for name in _AMOUNTS}
    return Bound(what=what, enforced=enforced, models=models, **amounts)


def bound_of_key(what: str, record: KeyRecord) -> Bound:
    """The bound that a key is for what it gives on, or for itself when its owner changes it."""
    return Bound(
        what=what,
        enforced=False,
        models=record.models,
        max_budget=record.max_budget,
        rpm_limit=record.rpm_limit,
        tpm_limit=record.tpm_limit,
        max_parallel_requests=record.max_parallel_requests,
    )


def grant_of_limits(limits: Limits, models: tuple[str, ...] = (), targets: tuple[str, ...] = ()) -> Grant:
    """What an account of the directory would have, all of it said."""
    return Grant(models=models, targets=targets, **{name: getattr(limits, name) for name in _AMOUNTS})


def demand_within(office: Office, grant: Grant, bounds: Sequence[Bound], *, new: bool) -> None:
    """Raise unless everything in the grant is within every bound.

    ``new``: what the grant does not speak of will be unlimited, and not remain as it is.

    Raises:
        Malformed: something is beyond (400, as LiteLLM); ``param`` is the field.
    """
    for bound in bounds:
        _demand_models(office, grant, bound, new=new)
        for name in _AMOUNTS:
            limit, wanted = getattr(bound, name), getattr(grant, name)
            if limit is None:
                continue
            unlimited = wanted is None or (wanted is UNSET and new)
            if (isinstance(wanted, int) and wanted > limit) or (unlimited and not bound.enforced):
                shown = dollars(limit) if name == "max_budget" else limit
                raise _beyond(name, f"{name} must be at most {shown}, for {bound.what} has no more.")


def _demand_models(office: Office, grant: Grant, bound: Bound, *, new: bool) -> None:
    if not bound.models or not _ALL_MODELS.isdisjoint(bound.models):
        return
    wanted: tuple[str, ...] = () if isinstance(grant.models, UnsetType) else grant.models
    if not wanted and not bound.enforced and (new or grant.models == ()):
        raise _beyond("models", f"models must be given, for {bound.what} may not use all.", bound)
    for name in wanted:
        if not _covers(office, bound, name):
            raise _beyond("models", f"The model {name!r} cannot be given, for {bound.what} may not use it.", bound)
    for name in grant.targets:
        if not _covers(office, bound, name):
            text = f"An alias cannot lead to the model {name!r}, for {bound.what} may not use it."
            raise _beyond("aliases", text, bound)


def _covers(office: Office, bound: Bound, name: str) -> bool:
    if name in bound.models or name == "no-default-models" or (bound.enforced and name in _NEVER_WIDER):
        return True
    if any("*" in pattern and match(pattern, name) is not None for pattern in bound.models):
        return True
    group = None if "*" in name else office.table().resolve(name)
    return group is not None and all(not one.access_groups.isdisjoint(bound.models) for one in group.deployments)


def _beyond(param: str, message: str, bound: Bound | None = None) -> Malformed:
    has = "" if bound is None else f" It may use: {', '.join(bound.models[:10])}."
    return Malformed(message, hint=f"Ask for less, or ask who administers it.{has}", param=param, code="beyond_grantor")
