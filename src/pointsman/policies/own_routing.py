"""What a key or its team says of the way of its requests: LiteLLM's ``router_settings`` of keys and teams (1.109.1).

A key's own count, or else its team's as a whole; they are never mixed. LiteLLM keeps any of its router's settings there
and heeds those of :data:`HEEDED`; the others have no effect, neither there nor here. What a request says itself wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from pointsman.config.fallback_targets import read_target
from pointsman.config.findings import nearest
from pointsman.config.sections import Retries, RetryKind
from pointsman.config.value_types import Name, Seconds, StrategyName
from pointsman.core.errors import Malformed
from pointsman.core.rules import NO_ROUTING_RULES, OwnLists, RoutingRules, Target
from pointsman.wire.json_fields import decode_field

__all__ = ["HEEDED", "OwnRouting", "demand_own_routing", "own_routing_in", "unheeded_in", "with_own"]

_FIELD: Final = "router_settings"
_EMPTY: Final = frozenset({b"", b"null", b"{}", b'""'})
_ENTRIES_MAX: Final = 1_000
_CHARACTERS_MAX: Final = 65_536

_Weight = Annotated[float, Meta(ge=0)]
_Lists = Annotated[tuple[dict[str, tuple[msgspec.Raw, ...]], ...], Meta(max_length=_ENTRIES_MAX)]


class _Alias(msgspec.Struct, frozen=True):
    model: Name
    hidden: bool = False


_TYPES: Final[Mapping[str, Any]] = {
    "content_policy_fallbacks": _Lists,
    "context_window_fallbacks": _Lists,
    "enable_tag_filtering": bool,
    "fallbacks": _Lists,
    "model_group_alias": dict[Name, Name | _Alias],
    "model_group_retry_policy": dict[Name, dict[RetryKind, Retries | None]],
    "num_retries": Retries,
    "routing_strategy": StrategyName,
    "timeout": Seconds,
    "weights": dict[Name, dict[Name, _Weight]],
}
_DECODERS: Final = {name: msgspec.json.Decoder(type_, strict=False) for name, type_ in _TYPES.items()}

HEEDED: Final = frozenset(_TYPES)
"""The settings that act on single requests."""

_KNOWN: Final = HEEDED | {
    "allowed_fails", "cooldown_time", "fallback_on_unsupported_params", "max_retries", "model_group_affinity_config",
    "optional_pre_call_checks", "retry_after", "retry_policy", "routing_groups", "routing_strategy_args",
    "tag_routing_prefix",
}  # fmt: skip
"""LiteLLM's ``UpdateRouterConfig``."""

_decode_settings: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class OwnRouting(msgspec.Struct, frozen=True):
    """``rules`` is what holds for requests that say nothing of it, ``aliases`` are further names for models.

    ``names`` are the settings that it came from.
    """

    rules: RoutingRules = NO_ROUTING_RULES
    aliases: Mapping[str, str] = {}
    names: tuple[str, ...] = ()


def own_routing_in(raw: msgspec.Raw) -> OwnRouting | None:
    """What is stored; None: nothing. A setting that cannot be read has no effect, as in LiteLLM."""
    said: dict[str, Any] = {}
    for name, each in _settings_in(raw).items():
        if name not in HEEDED or bytes(each) == b"null":
            continue
        try:
            said[name] = _understood(name, _DECODERS[name].decode(each))
        except ValueError:  # msgspec's errors are such, too
            continue
    said = {name: value for name, value in said.items() if value is not False and value not in ({}, ())}
    if not said:
        return None
    lists = OwnLists(said.get("fallbacks"), said.get("context_window_fallbacks"), said.get("content_policy_fallbacks"))
    rules = RoutingRules(
        num_retries=said.get("num_retries"),
        timeout=said.get("timeout"),
        lists=None if lists == OwnLists() else lists,
        retry_policies=said.get("model_group_retry_policy"),
        strategy=said.get("routing_strategy", ""),
        weights=said.get("weights", {}),
        filters_by_tags=said.get("enable_tag_filtering", False),
    )
    return OwnRouting(rules, said.get("model_group_alias", {}), tuple(sorted(said)))


def with_own(asked: RoutingRules | None, own: RoutingRules) -> RoutingRules:
    """What a request says, and of what it does not say what its key or team has."""
    if asked is None:
        return own
    return msgspec.structs.replace(
        asked,
        num_retries=own.num_retries if asked.num_retries is None else asked.num_retries,
        timeout=own.timeout if asked.timeout is None else asked.timeout,
        lists=own.lists,
        retry_policies=own.retry_policies,
        strategy=own.strategy,
        weights=own.weights,
        filters_by_tags=own.filters_by_tags,
    )


def demand_own_routing(raw: msgspec.Raw) -> None:
    """Raise unless what a request wants stored can be heeded.

    Raises:
        Malformed: a value is of a wrong form, or a name is very like a known one; ``param`` is its path.
    """
    try:
        settings = _decode_settings(raw)
    except msgspec.MsgspecError:
        raise Malformed(f"{_FIELD} must be a map.", hint='Write {"num_retries": 3}.', param=_FIELD) from None
    if len(raw) > _CHARACTERS_MAX:
        raise Malformed(f"{_FIELD} is longer than {_CHARACTERS_MAX} bytes.", param=_FIELD)
    for name, each in settings.items():
        path = f"{_FIELD}.{name}"
        if name not in _KNOWN and (meant := nearest(name, _KNOWN)) is not None:
            raise Malformed(f"There is no setting {path}.", hint=f"Did you mean {meant}?", param=path)
        if name not in HEEDED or bytes(each) == b"null":
            continue
        value = decode_field(path, each, _DECODERS[name].decode)
        try:
            _understood(name, value)
        except ValueError as wrong:
            raise Malformed(f"{path}: {wrong}", hint="See docs/routing/recovery.md.", param=path) from None


def unheeded_in(raw: msgspec.Raw) -> tuple[str, ...]:
    """The paths of what says something there and has no effect."""
    return tuple(
        f"{_FIELD}.{name}"
        for name, each in _settings_in(raw).items()
        if name not in HEEDED and bytes(each) not in _EMPTY | {b"[]", b"false"}
    )


def _settings_in(raw: msgspec.Raw) -> Mapping[str, msgspec.Raw]:
    """A map, or the text of one, as LiteLLM's database has it."""
    if bytes(raw) in _EMPTY:
        return {}
    try:
        return _decode_settings(_decode_text(raw) if bytes(raw).startswith(b'"') else raw)
    except msgspec.MsgspecError:
        return {}


def _understood(name: str, value: Any) -> Any:  # noqa: ANN401 - of another type for each name, see _TYPES
    reader = _READERS.get(name)
    return value if reader is None else reader(value)


def _read_lists(lists: tuple[dict[str, tuple[msgspec.Raw, ...]], ...]) -> dict[str, tuple[Target, ...]]:
    """One map out of LiteLLM's list of maps; the first that names a model counts."""
    found: dict[str, tuple[Target, ...]] = {}
    for one in lists:
        for model, others in one.items():
            found.setdefault(model, tuple(read_target(each) for each in others))
    return found


def _read_aliases(aliases: dict[str, str | _Alias]) -> dict[str, str]:
    return {name: one.model if isinstance(one, _Alias) else one for name, one in aliases.items()}


def _read_policies(policies: dict[str, dict[str, int | None]]) -> dict[str, dict[str, int]]:
    return {
        model: {name: count for name, count in counts.items() if count is not None}
        for model, counts in policies.items()
    }


def _read_weights(weights: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for model, shares in weights.items():
        if shares and not any(shares.values()):
            message = f"{model}: at least one weight must be above 0."
            raise ValueError(message)
    return weights


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "content_policy_fallbacks": _read_lists,
    "context_window_fallbacks": _read_lists,
    "fallbacks": _read_lists,
    "model_group_alias": _read_aliases,
    "model_group_retry_policy": _read_policies,
    "weights": _read_weights,
}
