"""What limits the use of one key beyond its models: the routes it may call, the addresses it may come from.

And for whom it speaks: a signed token may name the end user of all its calls; and what its requests have to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.exchange import RequestHead
from pointsman.core.identity import KeyRecord
from pointsman.policies.addresses import Network, demand_address, read_networks
from pointsman.policies.route_groups import RoutePermit

__all__ = ["KeyGuard", "guard_of"]

_NOWHERE: Final = ""
"""No address is this, so that nobody comes from there."""


class KeyGuard:
    """Stands before each call of a key that has such limits; most keys have none."""

    __slots__ = ("_networks", "end_user_id", "enforced_params", "permit")

    def __init__(
        self,
        permit: RoutePermit | None,
        networks: tuple[Network, ...] | None,
        end_user_id: str | None = None,
        enforced_params: tuple[str, ...] = (),
    ) -> None:
        self.permit = permit
        self._networks = networks
        self.end_user_id = end_user_id
        self.enforced_params = enforced_params

    def meet(self, head: RequestHead) -> None:
        """Let a request for a model pass.

        Raises:
            Forbidden: see :meth:`demand`.
        """
        route = head.route
        self.demand(route.name, route.paths or (route.name,), head.peer)

    def demand(self, name: str, paths: Iterable[str], address: str) -> None:
        """Raise unless the key may call the route (see :class:`RoutePermit`) from that address.

        Raises:
            Forbidden: it may not.
        """
        if self._networks is not None:
            demand_address(self._networks, address, "This key")
        if self.permit is not None:
            self.permit.demand(name, paths)


class _Said(msgspec.Struct):
    """What metadata may say of it; whatever else is in there is the owner's."""

    allowed_ips: list[str] | None = None
    enforced_params: tuple[str, ...] | None = None


class _Limits(_Said):
    allowed_routes: list[str] | None = None
    end_user_id: str | None = None


_read: Final = msgspec.json.Decoder(_Limits, strict=False).decode
_read_metadata: Final = msgspec.json.Decoder(_Said, strict=False).decode


def guard_of(record: KeyRecord) -> KeyGuard | None:
    """The guard of a key; None: it may call everything from everywhere.

    ``allowed_routes`` is LiteLLM's field, ``allowed_ips`` one of ours, also where it is part of the key's metadata;
    so are ``enforced_params``, which LiteLLM moves there.
    What cannot be understood lets nobody in: a limit that is misspelt must not be none.
    """
    fields, metadata = _limits(record.extra), _said(record.metadata)
    addresses = fields.allowed_ips or metadata.allowed_ips
    enforced = (*(fields.enforced_params or ()), *(metadata.enforced_params or ()))
    if not fields.allowed_routes and not addresses and fields.end_user_id is None and not enforced:
        return None
    try:
        networks = read_networks(addresses) if addresses else None
    except ValueError:
        networks = ()
    permit = RoutePermit(fields.allowed_routes) if fields.allowed_routes else None
    return KeyGuard(permit, networks, fields.end_user_id, enforced)


def _limits(raw: msgspec.Raw) -> _Limits:
    text = bytes(raw)
    if b"allowed_" not in text and b"end_user_id" not in text and b"enforced_params" not in text:
        return _Limits()
    try:
        return _read(raw)
    except msgspec.MsgspecError:
        return _Limits(allowed_ips=[_NOWHERE])


def _said(raw: msgspec.Raw) -> _Said:
    text = bytes(raw)
    if b"allowed_ips" not in text and b"enforced_params" not in text:
        return _Said()
    try:
        return _read_metadata(raw)
    except msgspec.MsgspecError:
        return _Said(allowed_ips=[_NOWHERE])
