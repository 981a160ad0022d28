"""Changing and deleting keys: ``/key/update``, ``block``, ``unblock``, ``delete``, ``reset_spend``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UnsetType

from pointsman.admin.amounts import usd
from pointsman.admin.key_names import demand_alias
from pointsman.admin.keys.changes import changes_of
from pointsman.admin.keys.customers import demand_customer_budget
from pointsman.admin.keys.defaults import bounded, for_member
from pointsman.admin.keys.guarding import demand_grantable
from pointsman.admin.keys.lookup import changed_by, flushed, token_meant, tokens_of_aliases
from pointsman.admin.keys.meanwhile import attempted, demand_unchanged
from pointsman.admin.keys.noting import note_key
from pointsman.admin.keys.permits import demand_administered, key_to_change, permit_update
from pointsman.admin.keys.replies import DeletedKeysReply, ResetSpendReply
from pointsman.admin.keys.requests import KeyFields, KeysRequest, OneKeyRequest, ResetSpendRequest, UpdateKeyRequest
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.keys.rotating import replanned
from pointsman.admin.keys.rows import changed_row, updated_by
from pointsman.admin.keys.throughput import demand_throughput
from pointsman.admin.office import Office
from pointsman.admin.projects.keys import demand_project_fits
from pointsman.admin.rights import demand_change_of_key, demand_changes, rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.said_in_metadata import with_said
from pointsman.admin.timestamps import iso_or_none
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.identity import KeyRecord
from pointsman.core.price import dollars, picodollars
from pointsman.stores.ports import KeyChanges
from pointsman.stores.records import changed_record

__all__ = ["block_key", "delete_keys", "reset_spend", "unblock_key", "update_key", "update_one_key"]


async def update_key(office: Office, visit: Visit[Nothing, UpdateKeyRequest]) -> Answer:
    """Change what the request names, and leave the rest."""
    token = await _token_to_update(office, visit)
    old = await key_to_change(office, visit, token, "/key/update")
    row, unheeded = await update_one_key(office, visit, old, visit.body, visit.fields, "/key/update")
    return Answer({**row, "key": visit.body.key or token}, headers=not_enforced_header(unheeded))


async def update_one_key(
    office: Office,
    visit: Visit[Any, Any],
    old: KeyRecord,
    wanted: KeyFields,
    body: Mapping[str, msgspec.Raw],
    path: str,
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Change a key as ``body`` says and show it, with the names of what is not heeded; ``path`` permits it."""

    async def attempt(seen: KeyRecord) -> tuple[dict[str, object], tuple[str, ...]]:
        return await _attempt(office, visit, seen, wanted, body, path)

    return await attempted(office, old, attempt)


async def _attempt(
    office: Office,
    visit: Visit[Any, Any],
    old: KeyRecord,
    wanted: KeyFields,
    body: Mapping[str, msgspec.Raw],
    path: str,
) -> tuple[dict[str, object], tuple[str, ...]]:
    now = office.clock.wall()
    demand_alias(office.alias_rule, wanted.key_alias)
    wanted = await for_member(office, visit.caller, bounded(wanted, office.key_bounds, new=False), old)
    said = with_said(body, old.extra)
    changes, unheeded = changes_of(wanted, said, now, office.reset_clock, extra=old.extra)
    if isinstance(changes.extra, msgspec.Raw):
        demand_grantable(visit.caller, msgspec.json.decode(changes.extra, type=dict[str, msgspec.Raw]))
    await permit_update(office, visit.caller, old, changes, said, path)
    if isinstance(changes.spend, int):
        # What was spent before is not to be added to what is set now.
        await flushed(office)
    changed = changed_record(old, changes)
    await demand_throughput(office, changed)
    await demand_project_fits(office, changed, old)
    await demand_customer_budget(office, changed, old)
    administers = (await rights_of(office, visit.caller)).is_admin

    def change(current: KeyRecord) -> KeyChanges:
        if not administers:
            # What they may was judged by the key as it was.
            demand_unchanged(old, current)
        again, _ = changes_of(wanted, with_said(body, current.extra), now, office.reset_clock, extra=current.extra)
        return again

    before, record = await _changed(office, visit, old, change)
    note_key(visit, "updated", before, record)
    return await changed_row(office, record), unheeded


async def block_key(office: Office, visit: Visit[Nothing, OneKeyRequest]) -> Answer:
    """Let nobody use the key until it is unblocked."""
    record = await key_to_change(office, visit, token_meant(visit.body.key), "/key/block")
    return await _set_blocked(office, visit, record, blocked=True)


async def unblock_key(office: Office, visit: Visit[Nothing, OneKeyRequest]) -> Answer:
    """Let the key be used again; whose key it is may not say so, for it may have been blocked against them."""
    record = await key_to_change(office, visit, token_meant(visit.body.key), "/key/unblock")
    await demand_administered(office, visit, record, "unblock your own key")
    return await _set_blocked(office, visit, record, blocked=False)


async def delete_keys(office: Office, visit: Visit[Nothing, KeysRequest]) -> Answer:
    """Delete keys; they stop working at once. The history keeps their records, so that the ledger keeps its meaning."""
    keys, aliases = visit.body.keys or (), visit.body.key_aliases or ()
    if not keys and not aliases:
        raise Malformed("keys or key_aliases is required.", param="keys")
    meant = {key: token_meant(key) for key in keys} | await tokens_of_aliases(office, aliases)
    before = {token: await office.keys.get(token) for token in dict.fromkeys(meant.values())}
    rights = await rights_of(office, visit.caller)
    if not rights.is_admin:
        demand_changes(rights)
        for record in before.values():
            await demand_change_of_key(office, rights, record, "/key/delete")
    deleted = await office.keys.delete(list(meant.values()), office.clock.wall(), changed_by(visit))
    for token in deleted:
        note_key(visit, "deleted", before[token])
        office.on_key_change(token, None)
    named = tuple(name for name, token in meant.items() if token in deleted)
    if not named:
        raise NotFound("None of these keys exists.", hint="GET /key/list has all.", param="keys")
    return Answer(DeletedKeysReply(named))


async def reset_spend(office: Office, visit: Visit[Nothing, ResetSpendRequest]) -> Answer:
    """Set what a key has spent to a lower amount."""
    await flushed(office)
    old = await key_to_change(office, visit, token_meant(visit.path["key"]), "/key/{key_id}/reset_spend")
    await demand_administered(office, visit, old, "reset what your own key has spent")
    amount = picodollars(visit.body.reset_to)
    if amount > old.spend:
        raise Malformed(f"reset_to must be at most what the key has spent, {dollars(old.spend)}.", param="reset_to")
    changes = KeyChanges(updated_at=office.clock.wall(), spend=amount)
    before, record = await _changed(office, visit, old, lambda _: changes)
    note_key(visit, "updated", before, record)
    limit = usd(record.max_budget)
    reset_at = iso_or_none(record.budget_reset_at)
    return Answer(ResetSpendReply(record.token, dollars(record.spend), dollars(old.spend), limit, reset_at))


async def _token_to_update(office: Office, visit: Visit[Nothing, UpdateKeyRequest]) -> str:
    wanted = visit.body
    if wanted.key:
        return token_meant(wanted.key)
    if not wanted.key_alias:
        raise Malformed("key or key_alias is required.", param="key")
    found = await tokens_of_aliases(office, (wanted.key_alias,))
    if not found:
        rights = await rights_of(office, visit.caller)
        if not rights.is_admin:
            # Else the answer would tell the aliases of other people's keys.
            await demand_change_of_key(office, rights, None, "/key/update")
        raise NotFound("No key has this alias.", hint="GET /key/list has all keys.", param="key_alias")
    return found[wanted.key_alias]


async def _set_blocked(office: Office, visit: Visit[Any, Any], old: KeyRecord, *, blocked: bool) -> Answer:
    changes = KeyChanges(updated_at=office.clock.wall(), blocked=blocked)
    before, record = await _changed(office, visit, old, lambda _: changes)
    note_key(visit, "blocked" if blocked else "unblocked", before, record)
    return Answer(await changed_row(office, record))


async def _changed(
    office: Office, visit: Visit[Any, Any], old: KeyRecord, changing: Callable[[KeyRecord], KeyChanges]
) -> tuple[KeyRecord, KeyRecord]:
    """The key just before the change, and after it."""
    by = changed_by(visit)
    before = [old]

    def change(current: KeyRecord) -> KeyChanges:
        before[0] = current
        changes = changing(current)
        extra = current.extra if isinstance(changes.extra, UnsetType) else changes.extra
        said = updated_by(extra, by, current.created_by)
        return changes if said == current.extra else msgspec.structs.replace(changes, extra=said)

    record = await office.keys.update(old.token, change)
    office.on_key_change(old.token, record)
    if record.extra != before[0].extra:
        await replanned(office, record)
    return before[0], record
