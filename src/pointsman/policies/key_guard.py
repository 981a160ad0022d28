"""What limits the use of one key beyond its models: the routes it may call, and the addresses it may come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.identity import KeyRecord
from pointsman.policies.addresses import Network, demand_address, read_networks
from pointsman.policies.route_groups import RoutePermit

__all__ = ["KeyGuard", "guard_of"]


class KeyGuard:
    """Stands before each call of a key that has such limits; most keys have none."""

    __slots__ = ("_networks", "permit")

    def __init__(self, permit: RoutePermit | None, networks: tuple[Network, ...] | None) -> None:
        self.permit = permit
        self._networks = networks

    def demand(self, name: str, paths: Iterable[str], address: str) -> None:
        """Raise unless the key may call the route (see :class:`RoutePermit`) from that address.

        Raises:
            Forbidden: it may not.
        """
        if self._networks is not None:
            demand_address(self._networks, address, "This key")
        if self.permit is not None:
            self.permit.demand(name, paths)


class _Limits(msgspec.Struct):
    allowed_routes: list[str] | None = None
    allowed_ips: list[str] | None = None


_read: Final = msgspec.json.Decoder(_Limits, strict=False).decode


def guard_of(record: KeyRecord) -> KeyGuard | None:
    """The guard of a key; None: it may call everything from everywhere.

    ``allowed_routes`` is LiteLLM's field, ``allowed_ips`` one of ours, also where it is part of the key's metadata.
    What cannot be understood lets nobody in: a limit that is misspelt must not be none.
    """
    fields, metadata = _limits(record.extra), _limits(record.metadata)
    addresses = fields.allowed_ips or metadata.allowed_ips
    if not fields.allowed_routes and not addresses:
        return None
    try:
        networks = read_networks(addresses) if addresses else None
    except ValueError:
        networks = ()
    return KeyGuard(RoutePermit(fields.allowed_routes) if fields.allowed_routes else None, networks)


def _limits(raw: msgspec.Raw) -> _Limits:
    if b"allowed_" not in bytes(raw):
        return _Limits()
    try:
        return _read(raw)
    except msgspec.MsgspecError:
        return _Limits(allowed_routes=[""], allowed_ips=None)
