"""Rows of keys with what is not in their records: what they have spent since ever, and the budgets that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.admin.governance.limit_fields import BudgetTable, budget_table
from pointsman.admin.governance.periods import budgets_named, spent_by
from pointsman.admin.keys.replies import KeyFacts, full_row, generated_key
from pointsman.admin.office import Office
from pointsman.core.identity import KeyRecord
from pointsman.policies.key_terms import terms_of
from pointsman.stores.ports import Removal

__all__ = ["changed_row", "generated_row", "key_facts", "key_rows", "updated_by"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


async def key_facts(office: Office, records: Sequence[KeyRecord]) -> Mapping[str, KeyFacts]:
    """What is to be told of each beyond its record, by its hash."""
    spent = await spent_by(office, "key", [record.token for record in records])
    named = {record.token: terms_of(record).budget_id for record in records}
    budgets = await budgets_named(office, list(named.values()))
    tables: dict[str, BudgetTable] = {
        budget_id: budget_table(one.limits, budget_id, None, one.created_at) for budget_id, one in budgets.items()
    }
    return {token: KeyFacts(spent[token].total, tables.get(budget_id or "")) for token, budget_id in named.items()}


async def key_rows(
    office: Office, records: Sequence[KeyRecord], removals: Sequence[Removal | None] = ()
) -> list[dict[str, object]]:
    """:class:`pointsman.admin.keys.replies.StoredKeyRow` of each; ``removals`` stand beside them, by position."""
    facts = await key_facts(office, records)
    beside = removals or (None,) * len(records)
    return [full_row(one, removal, facts[one.token]) for one, removal in zip(records, beside, strict=True)]


async def changed_row(office: Office, record: KeyRecord) -> dict[str, object]:
    """The same of one key."""
    return (await key_rows(office, (record,)))[0]


async def generated_row(office: Office, record: KeyRecord, key: str, duration: str | None) -> dict[str, object]:
    """:class:`pointsman.admin.keys.replies.GeneratedKeyReply` of a new key."""
    return generated_key(record, key, duration, (await key_facts(office, (record,)))[record.token])


def updated_by(extra: msgspec.Raw, by: str, created_by: str | None) -> msgspec.Raw:
    """What a key keeps as JSON, with who changed it last; who made it need not be said twice."""
    said = _decode_object(extra)
    if "updated_by" not in said and by == created_by:
        return extra
    return msgspec.Raw(msgspec.json.encode({**said, "updated_by": by}))
