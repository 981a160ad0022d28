"""The fields of LiteLLM's keys that are not enforced here.

Those that would narrow what a key may do are refused, for a restriction that is silently ignored is a hole. The others
are kept and shown again, and those that say something are named in the header ``x-pointsman-not-enforced``, together
with fields that LiteLLM does not know either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.keys.further_fields import demand_well_formed
from pointsman.admin.keys.guarding import GUARDING_FIELDS, guarding, routes_of_key_type
from pointsman.admin.permission_fields import is_ignorable
from pointsman.config.findings import nearest
from pointsman.core.errors import Malformed, Unsupported
from pointsman.policies.key_terms import TERMS, demand_term
from pointsman.policies.own_routing import demand_own_routing, unheeded_in
from pointsman.wire.json_fields import decode_field

__all__ = [
    "HEEDED_FIELDS",
    "KEPT_FIELDS",
    "NOT_ENFORCED_HEADER",
    "REFUSED_FIELDS",
    "Unenforced",
    "not_enforced_header",
    "unenforced",
]

NOT_ENFORCED_HEADER: Final = "x-pointsman-not-enforced"

REFUSED_FIELDS: Final = frozenset({
    "guardrails", "object_permission", "permissions", "policies",
})  # fmt: skip
"""Each narrows what a key may do, but for what :func:`pointsman.admin.permission_fields.is_ignorable` lets pass."""

KEPT_FIELDS: Final = frozenset({
    "agent_id", "allowed_cache_controls", "allowed_vector_store_indexes", "config",
    "default_estimated_output_tokens", "default_estimated_output_tokens_per_model",
    "disable_global_guardrails", "enable_prompt_caching", "key_type", "mcp_rpm_limit",
    "prompts", "send_invite_email", "throttle_on_budget_exceeded",
})  # fmt: skip
"""Known, harmless to ignore: grants that are not given, hints, or limits of things that are not there."""

HEEDED_FIELDS: Final = TERMS | {"auto_rotate", "enforced_params", "rotation_interval"}
"""Kept with the others and heeded all the same, by those who read what keys keep as JSON."""

_PASSAGE_FIELDS: Final = frozenset({"allowed_passthrough_routes", "denied_passthrough_routes"})
"""Kept with the others and heeded all the same, by :mod:`pointsman.policies.pass_through`."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_NAMED_MAX: Final = 40

_decode_any: Final = msgspec.json.Decoder().decode
_decode_routes: Final = msgspec.json.Decoder(list[str]).decode


class Unenforced(msgspec.Struct, frozen=True):
    """Fields to keep as they came, the names to take away again, and those that say something and are not heeded."""

    kept: Mapping[str, msgspec.Raw]
    dropped: frozenset[str]
    unheeded: tuple[str, ...]


def unenforced(fields: Mapping[str, msgspec.Raw], enforced: frozenset[str]) -> Unenforced:
    """Sort out the fields of a body that are not among the ``enforced``.

    Raises:
        Unsupported: one of :data:`REFUSED_FIELDS` says something.
        Malformed: a name that nobody knows is very like a known one; or a value is not valid JSON.
    """
    kept: dict[str, msgspec.Raw] = {}
    dropped: set[str] = set()
    unheeded: list[str] = []
    for name, raw in fields.items():
        if name in enforced:
            continue
        _demand_no_slip(name, enforced)
        value = decode_field(name, raw, _decode_any)
        if value is None or (name in REFUSED_FIELDS and not is_ignorable(name, value)):
            _demand_silence(name, value)
            dropped.add(name)
            continue
        if name in GUARDING_FIELDS:
            guard = guarding(name, raw)
            if guard is None:
                dropped.add(name)
            else:
                kept[name] = guard
            continue
        demand_well_formed(name, raw)
        if name == "key_type":
            routes = routes_of_key_type(value)
            if routes is not None and "allowed_routes" not in fields:
                kept["allowed_routes"] = routes
        if name in _PASSAGE_FIELDS:
            decode_field(name, raw, _decode_routes)
            kept[name] = msgspec.Raw(bytes(raw))
            continue
        if name in HEEDED_FIELDS:
            if name == "router_settings":
                demand_own_routing(raw)
                unheeded += unheeded_in(raw)
            elif name in TERMS:
                demand_term(name, raw)
            kept[name] = msgspec.Raw(bytes(raw))
            continue
        if name in KEPT_FIELDS or name in REFUSED_FIELDS:
            # A view into the body would keep all of it alive as long as the key.
            kept[name] = msgspec.Raw(bytes(raw))
        if not _says_nothing(value) and name != "key_type":
            unheeded.append(name)
    return Unenforced(kept, frozenset(dropped), tuple(unheeded))


def not_enforced_header(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The header that names what is not heeded; nothing where all is."""
    shown = [name for name in names if _NAME.fullmatch(name)][:_NAMED_MAX]
    return ((NOT_ENFORCED_HEADER, ",".join(shown)),) if shown else ()


def _demand_silence(name: str, value: object) -> None:
    if not _says_nothing(value):
        raise Unsupported(
            f"{name} is not enforced by this gateway yet, and a restriction that is ignored would be a hole.",
            hint="Leave it out, or restrict the key by models, max_budget, rpm_limit and tpm_limit.",
            param=name,
        )


def _demand_no_slip(name: str, enforced: frozenset[str]) -> None:
    known = enforced | REFUSED_FIELDS | HEEDED_FIELDS | KEPT_FIELDS | _PASSAGE_FIELDS | GUARDING_FIELDS
    if name in known:
        return
    meant = nearest(name, known)
    if meant is not None:
        raise Malformed(f"There is no field {name!r}.", hint=f"Did you mean {meant}?", param=name, code="unknown_field")


def _says_nothing(value: object) -> bool:
    # By identity, since 0 equals False, and a limit of 0 says a lot.
    return value is None or value is False or value in ("", [], {})
