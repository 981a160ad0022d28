"""What the metadata of a key says to the gateway, and who may say it: most of it is free for its owner's own notes.

A key's ``metadata`` is also where LiteLLM keeps some of its limits, so that whoever may change the one could be rid of
the other.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.rights import demand
from pointsman.core.identity import KeyRecord
from pointsman.stores.ports import KeyChanges

__all__ = ["demand_metadata", "restrictions_in"]

_OPERATORS: Final = ("default_priority", "priority", "queue_weight")
"""Who comes first is the operator's to say."""

_NARROWING: Final = ("allowed_ips", "batch", "enforced_params", "tags")
"""Those that an owner may say of a new key, and not change of one that has them."""

_RESTRICTIONS: Final = ("allowed_ips", "enforced_params")
_SERVICE: Final = "service_account_id"
"""Requests of a service need name no end user, so that a key that is somebody's is none."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def demand_metadata(changes: KeyChanges, old: KeyRecord | None, *, administers: bool) -> None:
    """Raise unless who asks, who is no administrator of the gateway, may say this in the metadata of a key.

    ``old`` None: the key is new. ``administers``: they administer its team, beyond owning it.

    Raises:
        Forbidden: they may not.
    """
    if isinstance(changes.metadata, UnsetType):
        return
    before = {} if old is None else _decode(old.metadata)
    after = _decode(changes.metadata)
    for name in _OPERATORS:
        demand(after.get(name) == before.get(name), f"set the {name} of a key")
    owner = old.user_id if old is not None and changes.user_id is UNSET else changes.user_id
    if isinstance(owner, str):
        demand(after.get(_SERVICE) == before.get(_SERVICE), f"set the {_SERVICE} of a key that is somebody's")
    if old is None or administers:
        return
    for name in _NARROWING:
        demand(after.get(name) == before.get(name), f"set {name} of your own key")


def restrictions_in(record: KeyRecord) -> tuple[str, ...]:
    """What of the metadata restricts the key, so that it must not make others that are free of it."""
    said = _decode(record.metadata)
    return tuple(name for name in _RESTRICTIONS if said.get(name))
