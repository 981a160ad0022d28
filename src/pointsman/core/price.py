"""What tokens cost, as integers, so that a price times a count is exact and cheap.

Prices are in femtodollars (1e-15 USD) per token, since published ones have up to 15 decimals (1.41953125e-7).
Amounts (a call's cost, a budget, what a key has spent) are in picodollars (1e-12 USD), since a signed 64-bit
database column holds nine million dollars of them.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

import msgspec

__all__ = [
    "DOLLARS_MAX", "FEMTODOLLARS_PER_DOLLAR", "FEMTODOLLARS_PER_PICODOLLAR", "FREE", "PICODOLLARS_PER_DOLLAR", "Price",
    "Tier", "UnitPrice", "dollars", "exact_dollars", "femtodollars", "picodollars",
]  # fmt: skip

FEMTODOLLARS_PER_DOLLAR: Final = 10**15
PICODOLLARS_PER_DOLLAR: Final = 10**12
FEMTODOLLARS_PER_PICODOLLAR: Final = 1000

_CHARACTERS_PER_TOKEN: Final = 4
_SECONDS_ASSUMED: Final = 60

DOLLARS_MAX: Final = 1_000_000
"""No single token or request costs this much; more is a slip of the operator's pen."""


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """Femtodollars per token of each kind, and per request.

    None means that this kind costs what its plainer kind costs: ``cache_read``, ``cache_write`` and
    ``audio_input`` as ``input``; ``reasoning`` and ``audio_output`` as ``output``. Zero means free.
    ``tiers`` ascend; of a prompt longer than a tier's threshold, *all* tokens cost that tier's price. Those of a
    provider's service tiers stand behind them.
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    per_request: int = 0
    tiers: tuple[Tier, ...] = ()
    units: UnitPrice | None = None

    def at(self, prompt_tokens: int, service: str = "") -> Price:
        """The price that a prompt of this length (cached tokens included) is charged at, on a service tier."""
        chosen = self
        for tier in self.tiers:
            if tier.service == service and prompt_tokens > tier.above_tokens:
                chosen = tier.price
        return chosen if chosen is not self or not service else self.at(prompt_tokens)

    def bound(self, prompt_tokens: int, completion_tokens: int, service: str = "") -> int:
        """What a call of plain tokens costs at the most, in picodollars, on a service tier."""
        rates = self.at(prompt_tokens, service) if self.tiers else self
        total = rates.per_request + prompt_tokens * rates.input + completion_tokens * rates.output
        return -(-total // FEMTODOLLARS_PER_PICODOLLAR)

    @property
    def is_free(self) -> bool:
        """Whether no call can cost anything, whatever its tokens."""
        rates = (
            self.input, self.output, self.cache_read, self.cache_write, self.reasoning, self.audio_input,
            self.audio_output, self.per_request,
        )  # fmt: skip
        return not any(rates) and self.units is None and all(tier.price.is_free for tier in self.tiers)


class UnitPrice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Femtodollars per unit of :class:`~pointsman.core.usage.Units`.

    None for a token of an image: it costs what any other costs.
    """

    image: int = 0
    character: int = 0
    second: int = 0
    query: int = 0
    image_input: int | None = None
    image_output: int | None = None

    def bound(self, images: int, prompt_tokens: int) -> int:
        """What a call costs beyond its tokens, as far as can be told before, in picodollars."""
        total = images * self.image + self.query + _CHARACTERS_PER_TOKEN * prompt_tokens * self.character
        total += _SECONDS_ASSUMED * self.second
        return -(-total // FEMTODOLLARS_PER_PICODOLLAR)


class Tier(msgspec.Struct, frozen=True):
    """The price of calls with more than ``above_tokens`` prompt tokens; its own ``tiers`` are empty.

    ``service`` is the provider's service tier (``priority``, ``flex``) that it is of, empty for the usual one; the
    first of a service tier is of calls of any length, with -1 for ``above_tokens``.
    """

    above_tokens: int
    price: Price
    service: str = ""


FREE: Final = Price(input=0, output=0)
"""The price of a model that runs on the operator's own machine."""


def femtodollars(dollars: Decimal | float | str) -> int:
    """An amount in USD as femtodollars, rounded half to even.

    A float counts as the decimal it prints as; the noise that arithmetic leaves behind in published
    prices (``2.0000000000000002e-07``) disappears in the rounding.

    Raises:
        ValueError: Not a number, not finite, negative, or a million dollars and more.
    """
    try:
        amount = Decimal(str(dollars).strip())
    except InvalidOperation:
        message = f"{dollars!r} is not a number"
        raise ValueError(message) from None
    if not amount.is_finite() or not 0 <= amount < DOLLARS_MAX:
        message = f"{dollars!r} is not an amount from 0 to {DOLLARS_MAX} USD"
        raise ValueError(message)
    return int((amount * FEMTODOLLARS_PER_DOLLAR).to_integral_value(ROUND_HALF_EVEN))


def picodollars(usd: Decimal | float | str) -> int:
    """An amount in USD as picodollars, rounded half to even; a float counts as the decimal it prints as.

    Raises:
        ValueError: Not a finite number.
    """
    try:
        amount = Decimal(str(usd)) * PICODOLLARS_PER_DOLLAR
        return int(amount.to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, OverflowError, ValueError):
        message = f"{usd!r} is not an amount of money"
        raise ValueError(message) from None


def dollars(amount: int) -> float:
    """Picodollars as dollars, for display and for LiteLLM's JSON."""
    return amount / PICODOLLARS_PER_DOLLAR


def exact_dollars(amount: int) -> str:
    """Picodollars as dollars with all their digits, as text that every program reads as a decimal number."""
    whole, rest = divmod(abs(amount), PICODOLLARS_PER_DOLLAR)
    return f"{'-' if amount < 0 else ''}{whole}.{rest:012d}"
