"""The one place where tokens become money."""

from __future__ import annotations

from typing import Final

from pointsman.core.price import FEMTODOLLARS_PER_PICODOLLAR, Price, UnitPrice
from pointsman.core.usage import Units, Usage

__all__ = ["cost_of", "output_cost_of"]

_MILLISECONDS_PER_SECOND: Final = 1000


def cost_of(usage: Usage, price: Price | None) -> int:
    """Picodollars of a call, rounded up; None is a price nobody told us, and charges nothing.

    Cached, cache-write, reasoning and audio tokens are charged once, each at its own rate.
    """
    if price is None:
        return 0
    rates = price.at(usage.prompt, usage.service) if price.tiers else price
    if rates.units is not None and usage.units is not None:
        return _of_kinds(usage, rates) + _of_units(usage.units, rates.units)
    if usage.cached or usage.cache_write or usage.reasoning or usage.audio_input or usage.audio_output:
        return _of_kinds(usage, rates)
    total = rates.per_request + usage.prompt * rates.input + usage.completion * rates.output
    return -(-total // FEMTODOLLARS_PER_PICODOLLAR)


def output_cost_of(usage: Usage, price: Price | None) -> int:
    """The part of :func:`cost_of` that is for what the model said, in picodollars, rounded up."""
    if price is None:
        return 0
    rates = price.at(usage.prompt, usage.service) if price.tiers else price
    plain, total = usage.completion, 0
    if usage.reasoning and rates.reasoning is not None:
        plain -= usage.reasoning
        total += usage.reasoning * rates.reasoning
    if usage.audio_output and rates.audio_output is not None:
        plain -= usage.audio_output
        total += usage.audio_output * rates.audio_output
    if plain > 0:
        total += plain * rates.output
    return -(-total // FEMTODOLLARS_PER_PICODOLLAR)


def _of_units(units: Units, rates: UnitPrice) -> int:
    # Lists give both for a model whose pictures are tokens; those are what is charged where they were counted.
    images = 0 if rates.image_output is not None and units.image_output else units.images
    total = images * rates.image + units.characters * rates.character + units.queries * rates.query
    total += units.milliseconds * rates.second // _MILLISECONDS_PER_SECOND
    return -(-total // FEMTODOLLARS_PER_PICODOLLAR)


def _of_kinds(usage: Usage, rates: Price) -> int:
    plain_input = usage.prompt
    plain_output = usage.completion
    total = rates.per_request
    if usage.cached and rates.cache_read is not None:
        plain_input -= usage.cached
        total += usage.cached * rates.cache_read
    if usage.cache_write and rates.cache_write is not None:
        plain_input -= usage.cache_write
        total += usage.cache_write * rates.cache_write
    if usage.audio_input and rates.audio_input is not None:
        plain_input -= usage.audio_input
        total += usage.audio_input * rates.audio_input
    if usage.audio_output and rates.audio_output is not None:
        plain_output -= usage.audio_output
        total += usage.audio_output * rates.audio_output
    if usage.reasoning and rates.reasoning is not None:
        plain_output -= usage.reasoning
        total += usage.reasoning * rates.reasoning
    if rates.units is not None and usage.units is not None:
        if rates.units.image_input is not None:
            plain_input -= usage.units.image_input
            total += usage.units.image_input * rates.units.image_input
        if rates.units.image_output is not None:
            plain_output -= usage.units.image_output
            total += usage.units.image_output * rates.units.image_output
    total += max(plain_input, 0) * rates.input + max(plain_output, 0) * rates.output
    return -(-total // FEMTODOLLARS_PER_PICODOLLAR)
