"""Who asks where the gateway sends a request that no client waits for: its cost is the operator's, and no key's."""

from __future__ import annotations

from typing import Final

from pointsman.core.identity import KeyRecord
from pointsman.policies.principal import Principal

__all__ = ["GATEWAY", "gateway_principal"]

GATEWAY: Final = "gateway"
"""What stands in the ledger in place of a key's digest."""


def gateway_principal() -> Principal:
    """The gateway as the one who asks."""
    return Principal(KeyRecord(token=GATEWAY, key_name="the gateway itself", key_alias=GATEWAY), admin=True)
