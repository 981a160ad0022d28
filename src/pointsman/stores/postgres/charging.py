"""What new calls add to the days, to keys and to every other account, in the transaction that adds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.stores.directory.ports import Account
from pointsman.stores.ports import Appended
from pointsman.stores.postgres.activity import add_activity
from pointsman.stores.postgres.directory_statements import CHARGE_ACCOUNTS, NOTE_ENTRIES
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
from pointsman.stores.postgres.text import indexed, kept
from pointsman.stores.records import Charge, added_up, saturated

__all__ = ["account_names", "count"]

_ROTATIONS_MAX: Final = 100


async def count(session: Session, filing: Filing, calls: int, sets: Iterable[Sequence[CallRecord]]) -> Appended:
    """Add up new calls, which ``filing`` files. No other replica adds up from here to the end of the transaction."""
    sums = added_up(sets)
    if calls:
        await session.execute(TOGETHER)
        await _charge_keys(session, {kept(token): charge for token, charge in sums.charges.items()})
        await _charge_accounts(session, sums.accounts)
        await filing.resolve_lines(session, {cell.line for cell in sums.activity})
        await add_activity(session, sums.activity, sums.failures, filing.lines)
    if sums.energy:
        drawn = [(*map(indexed, group), *msgspec.structs.astuple(tally)) for group, tally in sums.energy.items()]
        await session.execute(ADD_DAILY_ENERGY, *_columns(drawn))
    return Appended(calls, {token: charge.amount for token, charge in sums.charges.items()}, sums.accounts)


def account_names(account: Account) -> tuple[str, str, str]:
    """An account as it is written."""
    return account.scope, indexed(account.identity), indexed(account.model)


async def _charge_keys(session: Session, charges: dict[str, Charge]) -> None:
    """Add to what keys spent, and let others learn of it; a rotated key's calls are its successor's."""
    for _ in range(_ROTATIONS_MAX):
        rows = [(token, charge.amount, charge.at) for token, charge in charges.items()]
        charged = {str(token) for (token,) in await session.rows(CHARGE_KEYS, *_columns(rows))}
        noted = [token for token in charged if charges[token].amount]
        if noted:
            await session.execute(NOTE_KEYS, noted)
        left = [token for token in charges if token not in charged]
        if not left:
            return
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
            return
        charges = following


async def _charge_accounts(session: Session, accounts: dict[Account, int]) -> None:
    if not accounts:
        return
    merged: dict[tuple[str, str, str], int] = {}
    for account, amount in accounts.items():
        names = account_names(account)
        merged[names] = saturated(merged.get(names, 0) + amount)
    await session.execute(CHARGE_ACCOUNTS, *_columns([(*names, amount) for names, amount in merged.items()]))
    owners = list({f"{scope}/{identity}" for scope, identity, _ in merged})
    await session.execute(NOTE_ENTRIES, ["spend"] * len(owners), owners)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
