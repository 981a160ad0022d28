"""Fields of a key that limit its use beyond models and money: read with care, since what is misread is a hole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Forbidden, Malformed, Unsupported
from pointsman.policies.addresses import read_networks
from pointsman.policies.principal import Principal
from pointsman.policies.route_groups import KEY_TYPES, ROUTE_GROUPS, is_within
from pointsman.wire.json_fields import decode_field

__all__ = ["GUARDING_FIELDS", "demand_grantable", "guarding", "routes_of_key_type"]

GUARDING_FIELDS: Final = frozenset({"allowed_routes", "allowed_ips"})
"""Kept with what else a key has, and heeded by :mod:`pointsman.policies.key_guard`."""

_ENTRIES_MAX: Final = 1_000
_decode_texts: Final = msgspec.json.Decoder(list[str]).decode


def guarding(name: str, raw: msgspec.Raw) -> msgspec.Raw | None:
    """The field as it is kept; None: it limits nothing.

    Raises:
        Malformed: it names what is no route, no group of routes, or no address.
    """
    entries = decode_field(name, raw, _decode_texts)
    if len(entries) > _ENTRIES_MAX:
        raise Malformed(f"{name} has more than {_ENTRIES_MAX} entries.", param=name)
    if not entries:
        return None
    if name == "allowed_ips":
        try:
            read_networks(entries)
        except ValueError as wrong:
            raise Malformed(f"allowed_ips: {wrong}.", hint="Write 10.0.0.7 or 10.0.0.0/8.", param=name) from None
    else:
        for entry in entries:
            if entry not in ROUTE_GROUPS and not entry.startswith("/"):
                known = ", ".join(ROUTE_GROUPS)
                raise Malformed(f"allowed_routes: {entry[:64]!r} is no route.", hint=f"Groups: {known}.", param=name)
    return msgspec.Raw(msgspec.json.encode(entries))


def routes_of_key_type(value: object) -> msgspec.Raw | None:
    """The ``allowed_routes`` that a ``key_type`` means; None: all.

    Raises:
        Unsupported: there is no such type.
    """
    if not (isinstance(value, str) and value in KEY_TYPES):
        raise Unsupported(f"key_type must be {', '.join(KEY_TYPES)}.", param="key_type")
    return msgspec.Raw(msgspec.json.encode(KEY_TYPES[value])) if KEY_TYPES[value] else None


def demand_grantable(giver: Principal, fields: Mapping[str, msgspec.Raw]) -> None:
    """Raise where a key would get more routes than whoever gives it has; administrators may give what they like.

    ``fields`` are those of a record's ``extra``, as they are to be.

    Raises:
        Forbidden: it would.
    """
    permit = None if giver.guard is None or giver.admin else giver.guard.permit
    if permit is None:
        return
    raw = fields.get("allowed_routes")
    wanted = [] if raw is None else decode_field("allowed_routes", raw, _decode_texts)
    if not is_within(wanted, permit.allowed):
        raise Forbidden(
            "A key cannot be given routes that its giver may not call.",
            hint=f"Set allowed_routes to some of: {', '.join(permit.allowed[:10])}.",
            param="allowed_routes",
            kind="auth_error",
        )
