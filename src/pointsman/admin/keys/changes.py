"""From the fields of a request to what changes of a key: dollars to picodollars, durations to moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.keys.requests import KeyFields
from pointsman.admin.keys.restrictions import Unenforced, unenforced
from pointsman.core.errors import Malformed
from pointsman.core.price import picodollars
from pointsman.policies.durations import ResetClock, ends_at, next_reset
from pointsman.policies.rotation import with_rotation
from pointsman.stores.ports import KeyChanges
from pointsman.wire.json_fields import decode_field

__all__ = ["changes_of"]

_NEVER: Final = "-1"
"""LiteLLM's word for a duration without end."""

_NO_FIELDS: Final = msgspec.Raw(b"{}")

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any: Final = msgspec.json.Decoder().decode

Given = TypeVar("Given")


def changes_of(
    fields: KeyFields,
    body: Mapping[str, msgspec.Raw],
    now: float,
    clock: ResetClock,
    *,
    extra: msgspec.Raw = _NO_FIELDS,
) -> tuple[KeyChanges, tuple[str, ...]]:
    """What the request changes, and the names of the fields that it wants heeded and that are not.

    ``body`` are all fields of the request, ``extra`` is what the key keeps unheeded so far, ``now`` is wall time,
    ``clock`` tells when budgets are reset.

    Raises:
        Malformed, Unsupported: a value that no key can have; ``param`` names the field.
    """
    passive = unenforced(body, frozenset(fields.__struct_fields__))
    _demand_printable(fields)
    changes = KeyChanges(
        updated_at=now,
        key_alias=_or_none(fields.key_alias),
        models=_or_else(fields.models, ()),
        aliases=_or_else(fields.aliases, {}),
        metadata=_metadata(fields.metadata),
        user_id=_or_none(fields.user_id),
        team_id=_or_none(fields.team_id),
        spend=_or_else(_money(fields.spend), 0),
        max_budget=_money(fields.max_budget),
        soft_budget=_money(fields.soft_budget),
        budget_duration=_or_none(fields.budget_duration),
        budget_reset_at=_reset(fields.budget_duration, now, clock),
        rpm_limit=fields.rpm_limit,
        tpm_limit=fields.tpm_limit,
        max_parallel_requests=fields.max_parallel_requests,
        expires=_expiry(fields.duration, now),
        blocked=_or_else(fields.blocked, False),
        tags=_tags(fields),
        extra=_extra(passive, extra, now),
    )
    return changes, passive.unheeded


def _or_none(value: str | UnsetType | None) -> str | UnsetType | None:
    return value or None if isinstance(value, str) else value


def _or_else(value: Given | UnsetType | None, empty: Given) -> Given | UnsetType:
    return empty if value is None else value


def _money(value: float | UnsetType | None) -> int | UnsetType | None:
    return picodollars(value) if isinstance(value, int | float) else value


def _expiry(duration: str | UnsetType | None, now: float) -> float | UnsetType | None:
    if isinstance(duration, str):
        return ends_at(duration, now, "duration") if duration not in {"", _NEVER} else None
    return duration


def _reset(duration: str | UnsetType | None, now: float, clock: ResetClock) -> float | UnsetType | None:
    if isinstance(duration, str):
        return next_reset(duration, now, clock) if duration else None
    return duration


def _metadata(metadata: Mapping[str, msgspec.Raw] | UnsetType | None) -> msgspec.Raw | UnsetType:
    if isinstance(metadata, UnsetType):
        return UNSET
    for name, raw in (metadata or {}).items():
        decode_field(f"metadata.{name}", raw, _decode_any)
    return msgspec.Raw(msgspec.json.encode(metadata or {}))


def _tags(fields: KeyFields) -> tuple[str, ...] | UnsetType:
    """The tags; LiteLLM's documentation puts them into the metadata, so they are found there too."""
    if fields.tags is UNSET and isinstance(fields.metadata, dict) and "tags" in fields.metadata:
        return decode_field("metadata.tags", fields.metadata["tags"], msgspec.json.Decoder(tuple[str, ...]).decode)
    return _or_else(fields.tags, ())


def _extra(passive: Unenforced, extra: msgspec.Raw, now: float) -> msgspec.Raw | UnsetType:
    if not passive.kept and not passive.dropped:
        return UNSET
    before = {name: raw for name, raw in _decode_object(extra).items() if name not in passive.dropped}
    kept = msgspec.Raw(msgspec.json.encode({**before, **passive.kept}))
    touched = {"auto_rotate", "rotation_interval"} & {*passive.kept, *passive.dropped}
    return with_rotation(kept, now) if touched else kept


def _demand_printable(fields: KeyFields) -> None:
    """Names travel on into headers, metrics and logs."""
    for name in ("key_alias", "user_id", "team_id"):
        value = getattr(fields, name)
        if isinstance(value, str) and not value.isprintable():
            raise Malformed(f"{name} must not have control characters.", param=name)
    for name in ("models", "tags", "aliases"):
        values = getattr(fields, name)
        texts = [] if values is None or values is UNSET else list(values)
        texts += values.values() if isinstance(values, dict) else []
        if not all(text.isprintable() for text in texts):
            raise Malformed(f"{name} must not have control characters.", param=name)
