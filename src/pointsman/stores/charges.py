"""Whose spending a call adds to: every account that it was made for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pointsman.core.outcome import CallRecord
from pointsman.stores.directory.ports import INTEGER_MAX, Account
from pointsman.stores.directory.records import member_id

__all__ = ["EVERYTHING", "KEY_CUSTOMER", "MODEL_GROUP", "PROJECT", "accounts_of", "charged_accounts", "project_of"]

PROJECT: Final = "project"
MODEL_GROUP: Final = "model_group"
KEY_CUSTOMER: Final = "key_customer"
"""Customers as those keys serve them that bring a budget for whoever has none; the id is that budget's and theirs."""

_WITH_MODELS: Final = frozenset({PROJECT, KEY_CUSTOMER})

EVERYTHING: Final = Account("global", "")
"""What all calls together are charged to."""


def charged_accounts(sets: Iterable[Sequence[CallRecord]]) -> dict[Account, int]:
    """Picodollars by account. The records of one set agree in everything but time, numbers and end user."""
    charged: dict[Account, int] = {}
    for records in sets:
        cost = sum([record.cost for record in records])
        if not cost:
            continue
        for account in accounts_of(records[0]):
            charged[account] = charged.get(account, 0) + cost
        for record in records:
            if record.end_user and record.cost:
                account = Account("customer", record.end_user)
                charged[account] = charged.get(account, 0) + record.cost
    return {account: min(amount, INTEGER_MAX) for account, amount in charged.items()}


def project_of(record: CallRecord) -> str | None:
    """The project that a call was made for; None: for none."""
    for charge in record.charges:
        if charge.startswith("project/"):
            return charge[8:]
    return None


def accounts_of(record: CallRecord) -> list[Account]:
    """The accounts of a call but its end user's: as a whole, and with its model where models may have budgets."""
    model = record.model_group if record.deployment_id else ""
    owners = [("key", record.key_token)] if record.key_token else []
    if record.team_id:
        owners.append(("team", record.team_id))
    if record.user_id:
        owners.append(("user", record.user_id))
        if record.team_id:
            owners.append(("member", member_id(record.team_id, record.user_id)))
    if record.organization_id:
        owners.append(("organization", record.organization_id))
    groups: list[tuple[str, str]] = []
    for charge in record.charges:
        scope, _, identity = charge.partition("/")
        (owners if scope in _WITH_MODELS else groups).append((scope, identity))
    accounts = [Account(*owner) for owner in (*owners, *groups)]
    if record.organization_id and record.user_id:
        accounts.append(Account("organization_member", member_id(record.organization_id, record.user_id)))
    accounts.append(EVERYTHING)
    if record.provider:
        accounts.append(Account("provider", record.provider))
    accounts += [Account("tag", tag) for tag in record.tags]
    if model:
        accounts += [Account(*owner, model) for owner in owners]
        accounts += [Account("model", model), Account("deployment", record.deployment_id)]
    return accounts
