"""Who asks where the gateway sends a request that no client waits for: its cost is the operator's, and no key's."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.identity import KeyRecord
from pointsman.policies.principal import Principal

__all__ = ["GATEWAY", "gateway_principal"]

GATEWAY: Final = "gateway"
"""What stands in the ledger in place of a key's digest."""

_CAN_WAIT: Final = msgspec.Raw(b'{"batch":true}')


def gateway_principal() -> Principal:
    """The gateway as the one who asks; at local servers its requests wait for those of clients."""
    record = KeyRecord(token=GATEWAY, key_name="the gateway itself", key_alias=GATEWAY, metadata=_CAN_WAIT)
    return Principal(record, admin=True)
