"""``/key/generate`` and ``/key/regenerate``. The key itself is in the answer, once, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.key_names import demand_alias
from pointsman.admin.keys.changes import changes_of
from pointsman.admin.keys.customers import demand_customer_budget
from pointsman.admin.keys.defaults import bounded, for_member, with_defaults
from pointsman.admin.keys.guarding import demand_grantable
from pointsman.admin.keys.lookup import changed_by, token_meant
from pointsman.admin.keys.meanwhile import attempted, demand_unchanged
from pointsman.admin.keys.noting import note_key
from pointsman.admin.keys.permits import key_to_change, permit_new_key, permit_update
from pointsman.admin.keys.requests import GenerateKeyRequest, KeyFields, RegenerateKeyQuery, RegenerateKeyRequest
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.keys.rotating import planned, rotation_of
from pointsman.admin.keys.rows import generated_row, updated_by
from pointsman.admin.keys.throughput import demand_throughput
from pointsman.admin.office import Office
from pointsman.admin.projects.keys import demand_project_fits
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.said_in_metadata import with_said
from pointsman.core.clock import fresh_token
from pointsman.core.errors import Forbidden, Malformed, Unauthenticated, Unsupported
from pointsman.core.identity import KeyRecord, token_of
from pointsman.policies.durations import ends_at
from pointsman.policies.key_terms import terms_of
from pointsman.policies.keyring import Keyring
from pointsman.stores.ports import Conflict, KeyChanges
from pointsman.stores.records import changed_record
from pointsman.wire.json_fields import read_body

__all__ = ["generate_key", "make_key", "regenerate_key"]

_KEY_CHARACTERS_MIN: Final = 16

_decode_generate: Final = msgspec.json.Decoder(GenerateKeyRequest, strict=False).decode


async def generate_key(office: Office, visit: Visit[Nothing, GenerateKeyRequest]) -> Answer:
    """A new virtual key."""
    row, unheeded = await make_key(office, visit, visit.fields)
    return Answer(row, headers=not_enforced_header(unheeded))


async def make_key(
    office: Office, visit: Visit[Any, Any], body: Mapping[str, msgspec.Raw], *, permitted: bool = False
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Make a key as ``body`` says and show it, with the names of what is not heeded.

    ``permitted``: it has been found out already that whoever asks may.
    """
    body = with_said(body)
    fields = with_said(with_defaults(body, office.key_defaults)) if office.key_defaults else body
    wanted = bounded(read_body(msgspec.json.encode(dict(fields)), _decode_generate), office.key_bounds)
    demand_alias(office.alias_rule, wanted.key_alias)
    wanted = await for_member(office, visit.caller, wanted)
    now = office.clock.wall()
    changes, unheeded = changes_of(wanted, fields, now, office.reset_clock)
    if not permitted:
        changes = await permit_new_key(office, visit.caller, changes, body)
    key = _chosen_key(office, wanted.key)
    record = changed_record(_blank(key, now, changed_by(visit)), changes)
    demand_grantable(visit.caller, msgspec.json.decode(record.extra, type=dict[str, msgspec.Raw]))
    await demand_throughput(office, record)
    await demand_project_fits(office, record)
    await demand_customer_budget(office, record)
    await office.keys.insert(record)
    await planned(office, record)
    note_key(visit, "created", None, record)
    office.on_key_change(record.token, record)
    return await generated_row(office, record, key, _said(wanted)), unheeded


async def regenerate_key(office: Office, visit: Visit[RegenerateKeyQuery, RegenerateKeyRequest]) -> Answer:
    """A new key in the place of another, which stops working: at once, or after ``grace_period``."""
    wanted = visit.body
    if wanted.new_master_key:
        raise Unsupported(
            "The master key is not changed over HTTP.",
            hint="Change it in the configuration or the environment.",
            param="new_master_key",
        )
    meant = visit.path.get("key") or wanted.key or visit.query.key
    if not isinstance(meant, str):
        raise Malformed("key is required.", param="key")
    old = await key_to_change(office, visit, token_meant(meant), "/key/regenerate")
    key = _chosen_key(office, wanted.new_key)

    async def attempt(seen: KeyRecord) -> Answer:
        return await _regenerated(office, visit, seen, key)

    return await attempted(office, old, attempt)


async def _regenerated(
    office: Office, visit: Visit[RegenerateKeyQuery, RegenerateKeyRequest], old: KeyRecord, key: str
) -> Answer:
    wanted, now = visit.body, office.clock.wall()
    demand_alias(office.alias_rule, wanted.key_alias)
    within = await for_member(office, visit.caller, bounded(wanted, office.key_bounds, new=False), old)
    fields = with_said(visit.fields, old.extra)
    changes, unheeded = changes_of(within, fields, now, office.reset_clock, extra=old.extra)
    _demand_no_spend(changes)
    await permit_update(office, visit.caller, old, changes, fields, "/key/regenerate")
    kept = msgspec.structs.replace(old, token=token_of(key), key_name=_shown(key), created_by=changed_by(visit))
    changed = changed_record(kept, changes)
    demand_grantable(visit.caller, msgspec.json.decode(changed.extra, type=dict[str, msgspec.Raw]))
    if _promises_otherwise(old, changed):
        await demand_throughput(office, changed, in_place_of=old.token)
    await demand_project_fits(office, changed, old)
    await demand_customer_budget(office, changed, old)
    extra = updated_by(changed.extra, changed_by(visit), changed.created_by)
    changed = msgspec.structs.replace(changed, extra=extra)

    def renew(current: KeyRecord) -> KeyRecord:
        demand_unchanged(old, current)
        return changed

    until = ends_at(wanted.grace_period, now, "grace_period") if wanted.grace_period else None
    record = await rotation_of(office).replace(old, renew, until)
    note_key(visit, "rotated", old, record)
    row = await generated_row(office, record, key, _said(wanted))
    return Answer(row, headers=not_enforced_header(unheeded))


def _chosen_key(office: Office, chosen: str | UnsetType | None) -> str:
    """The key that was asked for, or a random one.

    Raises:
        Forbidden: the operator lets nobody choose.
        Malformed: it is none that could be a key.
        Conflict: it is the master key.
    """
    if not isinstance(chosen, str):
        return fresh_token()
    if not office.own_keys:
        raise Forbidden("Keys are made here and cannot be chosen.", hint="Leave it out to have one made.", param="key")
    if not chosen.startswith("sk-") or len(chosen) < _KEY_CHARACTERS_MIN or not _is_visible(chosen):
        raise Malformed(
            f"A key must start with sk- and have at least {_KEY_CHARACTERS_MIN} visible ASCII characters.",
            hint="Leave it out to have one made.",
            param="key",
        )
    if _is_master(office.keyring, chosen):
        raise Conflict(
            "This key exists already.", hint="Leave it out to have one made.", param="key", code="key_exists"
        )
    return chosen


def _is_master(keyring: Keyring, key: str) -> bool:
    with suppress(Unauthenticated, Forbidden):
        return keyring.recall(token_of(key)) is keyring.master
    return False


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _blank(key: str, now: float, by: str) -> KeyRecord:
    return KeyRecord(token=token_of(key), key_name=_shown(key), created_at=now, updated_at=now, created_by=by)


def _shown(key: str) -> str:
    """As LiteLLM shows a key that nobody can be told again."""
    return f"sk-...{key[-4:]}"


def _said(wanted: KeyFields) -> str | None:
    return wanted.duration if isinstance(wanted.duration, str) else None


def _promises_otherwise(old: KeyRecord, new: KeyRecord) -> bool:
    return old.team_id != new.team_id or terms_of(old).limits != terms_of(new).limits


def _demand_no_spend(changes: KeyChanges) -> None:
    if changes.spend is not UNSET:
        raise Unsupported(
            "A regenerated key goes on with what the old one has spent.",
            hint="Use /key/update or /key/{key}/reset_spend.",
            param="spend",
        )
