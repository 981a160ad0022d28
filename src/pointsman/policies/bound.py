"""Everything whose limits a call has to keep, sorted by what is to be done with each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.policies.accounts import Account
from pointsman.stores.charges import KEY_CUSTOMER, MODEL_GROUP

__all__ = ["Bound", "binding"]

_NAMED_BY_RECORDS: Final = frozenset({MODEL_GROUP, KEY_CUSTOMER})


class Bound(msgspec.Struct, frozen=True):
    """The accounts of a call, the key's first.

    ``purses`` have budgets, ``rated`` have rates or are counted for the number of calls at once, ``minutes`` bound the
    tokens of a minute and ``days`` those of a day. ``payers`` have budgets that do not bind, and are charged all the
    same. ``tpm`` is the smallest of the minutes' limits; ``is_dynamic``: some of the rates bind only while the model
    fails. ``groups`` are accounts that are charged only if the record of the call names them, as it does so: groups of
    models, and customers by the budget that the key brings. ``kinds`` bound one kind of the tokens of a minute.
    """

    purses: tuple[Account, ...]
    rated: tuple[Account, ...]
    minutes: tuple[Account, ...]
    days: tuple[Account, ...]
    tpm: int | None
    payers: tuple[Account, ...] = ()
    is_dynamic: bool = False
    groups: tuple[str, ...] = ()
    kinds: tuple[Account, ...] = ()

    def plus(self, more: Bound) -> Bound:
        """Both together."""
        limits = [limit for limit in (self.tpm, more.tpm) if limit is not None]
        return Bound(
            self.purses + more.purses,
            self.rated + more.rated,
            self.minutes + more.minutes,
            self.days + more.days,
            min(limits) if limits else None,
            self.payers + more.payers,
            self.is_dynamic or more.is_dynamic,
            self.groups + more.groups,
            self.kinds + more.kinds,
        )


def binding(accounts: Iterable[Account], *, no_budgets_of: Iterable[Account] = ()) -> Bound:
    """Accounts sorted as their limits are now; budgets of some do not bind, only their rates."""
    accounts = tuple(dict.fromkeys(accounts))
    spared = frozenset(no_budgets_of)
    minutes = tuple(account for account in accounts if account.tpm is not None)
    return Bound(
        tuple(account for account in accounts if _has_budget(account) and account not in spared),
        tuple(account for account in accounts if account.scope == "key" or _has_rates(account)),
        minutes,
        tuple(account for account in accounts if account.tpd is not None),
        min((account.tpm for account in minutes if account.tpm is not None), default=None),
        tuple(account for account in accounts if account in spared),
        any(_is_dynamic(account) for account in accounts),
        tuple(f"{one.scope}/{one.identity}" for one in accounts if one.scope in _NAMED_BY_RECORDS and not one.model),
        tuple(kind for account in accounts for kind in account.kinds),
    )


def _is_dynamic(account: Account) -> bool:
    return "dynamic" in {account.limits.rpm_limit_type, account.limits.tpm_limit_type}


def _has_budget(account: Account) -> bool:
    return account.budget is not None or account.soft is not None or bool(account.windows)


def _has_rates(account: Account) -> bool:
    return not (account.rpm is None and account.tpm is None and account.tpd is None and account.parallel is None)
