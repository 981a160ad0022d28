"""What the operator says about a model, in the keys of LiteLLM's ``model_info``, and how it wins.

The same reader serves ``scripts/make_price_catalog.py``, so a key means one thing in the configuration and
in the published price map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.catalog.models import CAPABILITY_FLAGS, ModelFacts
from pointsman.catalog.services import EVERY_LENGTH, SERVICE_TIERS, Rates, applied, service_tiers
from pointsman.core.errors import Misconfigured
from pointsman.core.price import Price, Tier, UnitPrice, femtodollars

__all__ = ["NO_OVERRIDES", "Overrides", "Rates", "merge", "read_overrides"]

TOKENS_MAX: Final = 10**9

_RATE_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_cost_per_token": "input",
        "output_cost_per_token": "output",
        "cache_read_input_token_cost": "cache_read",
        "cache_creation_input_token_cost": "cache_write",
        "output_cost_per_reasoning_token": "reasoning",
        "input_cost_per_audio_token": "audio_input",
        "output_cost_per_audio_token": "audio_output",
        "input_cost_per_request": "per_request",
    }
)

_UNIT_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_cost_per_image": "image",
        "output_cost_per_image": "image",
        "input_cost_per_character": "character",
        "output_cost_per_character": "character",
        "input_cost_per_second": "second",
        "output_cost_per_second": "second",
        "input_cost_per_query": "query",
        "input_cost_per_image_token": "image_input",
        "output_cost_per_image_token": "image_output",
    }
)
"""Of two keys for one unit the later counts, unless it is zero: published lists give both for one and the same."""

_TIER_KEY: Final = re.compile(
    rf"({'|'.join(_RATE_KEYS)})(?:_above_([0-9]{{1,9}})(k?)_tokens)?(?:_({'|'.join(SERVICE_TIERS)}))?", re.ASCII
)
"""A price above a length of the prompt, on a service tier, or both. Not of batches, which are not served."""


class Overrides(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was said about one model. ``tiers`` maps a threshold in prompt tokens to what changes above it.

    ``services`` is the same of each service tier, with what changes on it at all lengths under -1.
    """

    context_tokens: int | None = None
    output_tokens_max: int | None = None
    mode: str | None = None
    capabilities_added: frozenset[str] = frozenset()
    capabilities_removed: frozenset[str] = frozenset()
    rates: Rates = Rates()
    tiers: Mapping[int, Rates] = MappingProxyType({})
    services: Mapping[str, Mapping[int, Rates]] = MappingProxyType({})


NO_OVERRIDES: Final = Overrides()


def read_overrides(model_info: Mapping[str, object]) -> Overrides:
    """Read the keys this catalogue knows and ignore all others; a null is as good as absent.

    Known are ``max_input_tokens``, ``max_output_tokens`` (or the older ``max_tokens``), ``mode``, the
    ``supports_…`` flags, prices in USD per token, also with ``_above_200k_tokens`` or a service tier
    (``_priority``) behind them, or both in this order, and ``tiered_pricing``. A number may be a string, since YAML
    reads ``4e-07`` as one.

    Raises:
        Misconfigured: A known key has a value that cannot be meant; the message names the key.
    """
    output_key = "max_output_tokens" if model_info.get("max_output_tokens") is not None else "max_tokens"
    added, removed = _flags(model_info)
    base, tiers = _tiered_pricing(model_info)
    by_service: dict[str, dict[int, Rates]] = {"": tiers}
    for key in model_info:
        match = _TIER_KEY.fullmatch(key)
        if match and (match[2] or match[4]) and (rate := _rate(model_info, key)) is not None:
            threshold = int(match[2]) * (1000 if match[3] else 1) if match[2] else EVERY_LENGTH
            its = by_service.setdefault(match[4] or "", {})
            its[threshold] = msgspec.structs.replace(its.get(threshold, Rates()), **{_RATE_KEYS[match[1]]: rate})
    del by_service[""]
    return Overrides(
        context_tokens=_tokens(model_info, "max_input_tokens"),
        output_tokens_max=_tokens(model_info, output_key),
        mode=_word(model_info, "mode"),
        capabilities_added=added,
        capabilities_removed=removed,
        rates=base if base is not None else _rates(model_info),
        tiers=MappingProxyType(dict(sorted(tiers.items()))),
        services=MappingProxyType({name: dict(sorted(its.items())) for name, its in sorted(by_service.items())}),
    )


def merge(facts: ModelFacts | None, overrides: Overrides, *, name: str = "") -> ModelFacts:
    """The facts as the operator sees them; with none to start from, the operator is the only source.

    A price is never half one list's and half another's: a new ``input`` drops the known prices of cached
    and audio input, a new ``output`` those of reasoning and audio output, either one the known tiers,
    unless they are given as well.
    """
    if facts is None:
        facts = ModelFacts(key=name, source="operator")
    elif overrides != NO_OVERRIDES and not facts.source.endswith("operator"):
        facts = msgspec.structs.replace(facts, source=f"{facts.source} + operator")
    context, output = overrides.context_tokens, overrides.output_tokens_max
    return msgspec.structs.replace(
        facts,
        context_tokens=facts.context_tokens if context is None else context,
        output_tokens_max=facts.output_tokens_max if output is None else output,
        mode=facts.mode if overrides.mode is None else overrides.mode,
        capabilities=(facts.capabilities | overrides.capabilities_added) - overrides.capabilities_removed,
        price=_merge_price(facts.price, overrides),
    )


def _merge_price(known: Price | None, overrides: Overrides) -> Price | None:
    rates, services = overrides.rates, overrides.services
    if rates == Rates() and not overrides.tiers and not services:
        return known
    base = applied(_cleared(known or Price(0, 0), rates), rates)
    if not overrides.tiers and not services:
        return base
    untiered = msgspec.structs.replace(base, tiers=())
    lengths = [tier for tier in base.tiers if not tier.service]
    kept = [tier for tier in base.tiers if tier.service and tier.service not in services]
    if overrides.tiers:
        lengths, kept = _ascending(untiered, overrides.tiers), []
    its = [tier for name, changes in services.items() for tier in service_tiers(untiered, lengths, name, changes)]
    return msgspec.structs.replace(base, tiers=(*lengths, *kept, *its))


def _ascending(untiered: Price, changes: Mapping[int, Rates]) -> list[Tier]:
    """The prices by length of the prompt; what one does not say costs what it does below."""
    tiers: list[Tier] = []
    for threshold, changed in changes.items():
        tiers.append(Tier(threshold, applied(tiers[-1].price if tiers else untiered, changed)))
    return tiers


def _cleared(price: Price, rates: Rates) -> Price:
    """``price`` without what belonged to the input or output price that ``rates`` replaces."""
    if rates.input is not None:
        price = msgspec.structs.replace(price, cache_read=None, cache_write=None, audio_input=None, tiers=())
    if rates.output is not None:
        price = msgspec.structs.replace(price, reasoning=None, audio_output=None, tiers=())
    return price


def _flags(model_info: Mapping[str, object]) -> tuple[frozenset[str], frozenset[str]]:
    added: set[str] = set()
    removed: set[str] = set()
    for key, capability in CAPABILITY_FLAGS.items():
        value = model_info.get(key)
        if value is None:
            continue
        if not isinstance(value, bool):
            raise _wrong(key, value, "true or false")
        (added if value else removed).add(capability)
    return frozenset(added), frozenset(removed)


def _rates(source: Mapping[str, object]) -> Rates:
    rates = msgspec.structs.replace(Rates(), **{name: _rate(source, key) for key, name in _RATE_KEYS.items()})
    units = {name: rate for key, name in _UNIT_KEYS.items() if (rate := _rate(source, key))}
    return msgspec.structs.replace(rates, units=UnitPrice(**units)) if units else rates


def _rate(source: Mapping[str, object], key: str) -> int | None:
    value = source.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(key, value, "an amount of USD")
    try:
        return femtodollars(value)
    except ValueError as problem:
        message = f"{key}: {problem}"
        raise Misconfigured(message) from None


def _tiered_pricing(model_info: Mapping[str, object]) -> tuple[Rates | None, dict[int, Rates]]:
    """``tiered_pricing``: rows of ``range: [from, to]`` (prompt tokens, ``from`` excluded) and prices.

    What a row does not price costs as that row's plainer kind, never as in the row before.
    """
    rows = model_info.get("tiered_pricing")
    if rows is None:
        return None, {}
    if not isinstance(rows, list) or not rows:
        raise _wrong("tiered_pricing", rows, "a list of price ranges")
    by_start: dict[int, Rates] = {}
    for row in rows:
        bounds = row.get("range") if isinstance(row, Mapping) else None
        if not isinstance(bounds, list) or not bounds or not isinstance(bounds[0], int | float):
            raise _wrong("tiered_pricing", row, "prices with a range: [from, to]")
        by_start[int(bounds[0])] = _rates(row)
    base = by_start.pop(min(by_start))
    return base, {start: _spelt_out(rates) for start, rates in by_start.items()}


def _spelt_out(rates: Rates) -> Rates:
    return msgspec.structs.replace(
        rates,
        cache_read=rates.input if rates.cache_read is None else rates.cache_read,
        cache_write=rates.input if rates.cache_write is None else rates.cache_write,
        audio_input=rates.input if rates.audio_input is None else rates.audio_input,
        reasoning=rates.output if rates.reasoning is None else rates.reasoning,
        audio_output=rates.output if rates.audio_output is None else rates.audio_output,
    )


def _tokens(source: Mapping[str, object], key: str) -> int | None:
    value = source.get(key)
    if value is None:
        return None
    try:
        number = None if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except ValueError:
        number = None
    if number is None or not 0 <= number <= TOKENS_MAX or number != int(number):
        raise _wrong(key, value, f"a whole number of tokens, at most {TOKENS_MAX:,}")
    return int(number)


def _word(source: Mapping[str, object], key: str) -> str | None:
    value = source.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(key, value, "a word such as chat or embedding")
    return value


def _wrong(key: str, value: object, wanted: str) -> Misconfigured:
    return Misconfigured(f"{key}: expected {wanted}, not {str(value)[:80]!r}")
