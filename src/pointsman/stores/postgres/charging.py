"""What new calls add to the days, to keys and to every other account, in the transaction that adds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.stores.directory.ports import Account
from pointsman.stores.ports import Appended
from pointsman.stores.postgres.activity import add_activity
from pointsman.stores.postgres.directory_statements import CHARGE_ACCOUNTS, FORGET_NEWS, NOTE_ENTRIES, NOTE_SPENDING
from pointsman.stores.postgres.filing import Filing
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import (
    ADD_DAILY_ENERGY,
    CHARGE_DELETED_KEYS,
    CHARGE_KEYS,
    NOTE_KEYS,
    SUCCESSORS,
    TOGETHER,
)
from pointsman.stores.postgres.text import indexed, kept, told
from pointsman.stores.records import Charge, added_up, saturated
from pointsman.stores.spend_news import NEWS_SECONDS, SPENDING, names_of

__all__ = ["account_names", "count"]

_ROTATIONS_MAX: Final = 100


async def count(session: Session, filing: Filing, calls: int, sets: Iterable[Sequence[CallRecord]]) -> Appended:
    """Add up new calls, which ``filing`` files. No other replica adds up from here to the end of the transaction."""
    sums = added_up(sets)
    if calls:
        await session.execute(TOGETHER)
        charges = {kept(token): charge for token, charge in sums.charges.items()}
        successors = await _charge_keys(session, charges)
        await _charge_accounts(session, sums.accounts, successors)
        await filing.resolve_lines(session, {cell.line for cell in sums.activity})
        await add_activity(session, sums.activity, sums.failures, filing.lines)
    if sums.energy:
        drawn = [(*map(indexed, group), *msgspec.structs.astuple(tally)) for group, tally in sums.energy.items()]
        await session.execute(ADD_DAILY_ENERGY, *_columns(drawn))
    return Appended(calls, {token: charge.amount for token, charge in sums.charges.items()}, sums.accounts)


def account_names(account: Account) -> tuple[str, str, str]:
    """An account as it is written."""
    return account.scope, indexed(account.identity), indexed(account.model)


async def _charge_keys(session: Session, charges: dict[str, Charge]) -> list[str]:
    """Add to what keys spent, and give the keys that were charged in the place of others: their successors."""
    successors: list[str] = []
    for _ in range(_ROTATIONS_MAX):
        rows = [(token, charge.amount, charge.at) for token, charge in charges.items()]
        charged = {str(token) for (token,) in await session.rows(CHARGE_KEYS, *_columns(rows))}
        left = [token for token in charges if token not in charged]
        if not left:
            break
        # The master key, and nobody's calls, have no row to charge.
        removed = {str(token): successor for token, successor in await session.rows(SUCCESSORS, left)}
        final = [token for token, successor in removed.items() if successor is None]
        if final:
            rows = [(token, charges[token].amount, charges[token].at) for token in final]
            await session.execute(CHARGE_DELETED_KEYS, *_columns(rows))
        following: dict[str, Charge] = {}
        for token, successor in removed.items():
            if successor is not None:
                charge = following.setdefault(str(successor), Charge())
                charge.amount = saturated(charge.amount + charges[token].amount)
                charge.at = max(charge.at, charges[token].at)
        if not following:
            break
        successors += [told(token) for token in following]
        charges = following
    return successors


async def _charge_accounts(session: Session, accounts: dict[Account, int], successors: Sequence[str]) -> None:
    """Add to what accounts spent, and let others learn of it, and of the keys ``successors``."""
    if not accounts:
        return
    merged: dict[tuple[str, str, str], int] = {}
    for account, amount in accounts.items():
        names = account_names(account)
        merged[names] = saturated(merged.get(names, 0) + amount)
    await session.execute(CHARGE_ACCOUNTS, *_columns([(*names, amount) for names, amount in merged.items()]))
    older = await session.whole(NOTE_SPENDING, names_of(accounts, successors))
    await session.execute(FORGET_NEWS, NEWS_SECONDS)
    if older:
        owners = list({f"{scope}/{identity}" for scope, identity, _ in merged})
        await session.execute(NOTE_ENTRIES, [SPENDING] * len(owners), owners)
        tokens = {kept(account.identity) for account in accounts if account.scope == "key"}
        await session.execute(NOTE_KEYS, [*tokens.union(map(kept, successors))])


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
