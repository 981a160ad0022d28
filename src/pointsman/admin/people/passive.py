"""The fields of LiteLLM's users, teams and organisations that are not enforced here.

As with keys (:mod:`pointsman.admin.keys.restrictions`): those that would narrow what somebody may do are refused, the
others are kept and shown again, and the header ``x-pointsman-not-enforced`` names those that say something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.permission_fields import is_ignorable
from pointsman.config.findings import nearest
from pointsman.core.errors import Malformed, Unsupported
from pointsman.policies.own_routing import demand_own_routing, unheeded_in
from pointsman.wire.json_fields import decode_field

__all__ = ["Passive", "passive"]

_ROUTING: Final = "router_settings"

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any: Final = msgspec.json.Decoder().decode


class Passive(msgspec.Struct, frozen=True):
    """Names of fields that are ``refused`` if they say something, and of those that are ``kept``.

    ``routing``: LiteLLM's ``router_settings`` are kept, too, and heeded.
    """

    refused: frozenset[str]
    kept: frozenset[str]
    routing: bool = False


def passive(
    body: Mapping[str, msgspec.Raw], heeded: frozenset[str], fields: Passive, extra: msgspec.Raw
) -> tuple[msgspec.Raw, tuple[str, ...]]:
    """What is kept now of ``extra`` and of the body's fields that are not ``heeded``; and which of them say something.

    Raises:
        Unsupported: a refused field says something.
        Malformed: a name that nobody knows is very like a known one; or a value is not valid JSON.
    """
    kept = _decode_object(extra)
    unheeded: list[str] = []
    known = heeded | fields.refused | fields.kept | ({_ROUTING} if fields.routing else frozenset())
    for name, raw in body.items():
        if name in heeded:
            continue
        if name not in known and (meant := nearest(name, known)) is not None:
            raise Malformed(
                f"There is no field {name!r}.", hint=f"Did you mean {meant}?", param=name, code="unknown_field"
            )
        value = decode_field(name, raw, _decode_any)
        # By identity, since 0 equals False, and a limit of 0 says a lot.
        silent = value is None or value is False or value in ("", [], {})
        if name in fields.refused and not silent and not is_ignorable(name, value):
            raise Unsupported(
                f"{name} is not enforced by this gateway yet, and a restriction that is ignored would be a hole.",
                hint="Leave it out, or restrict by models, budgets and limits.",
                param=name,
            )
        if name == _ROUTING and fields.routing:
            kept.pop(name, None)
            if value is not None:
                demand_own_routing(raw)
                kept[name] = msgspec.Raw(bytes(raw))
                unheeded += unheeded_in(raw)
            continue
        if name in fields.kept or (name in fields.refused and is_ignorable(name, value)):
            kept.pop(name, None)
            if value is not None:
                kept[name] = msgspec.Raw(bytes(raw))
        if not silent:
            unheeded.append(name)
    return msgspec.Raw(msgspec.json.encode(kept)), tuple(unheeded)
