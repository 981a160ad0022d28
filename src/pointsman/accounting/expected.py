"""What a request will cost, as far as can be told before: the bound that budgets reserve, and what is likely."""

from __future__ import annotations

from typing import Final

from pointsman.core.price import FEMTODOLLARS_PER_PICODOLLAR
from pointsman.core.upstream import Deployment

__all__ = ["OUTPUT_TOKENS_ASSUMED", "cost_bound", "likely_cost"]

_OUTPUT_TOKENS_LIKELY: Final = 256

OUTPUT_TOKENS_ASSUMED: Final = 1024
"""Tokens of an answer to which the client sets no limit."""


def cost_bound(
    deployment: Deployment, prompt_tokens: int, output_limit: int | None, choices: int = 1, *, dearest: bool = True
) -> int | None:
    """Picodollars that a request costs at most, or probably where it sets no limit; None: nobody told the price.

    On its ``dearest`` service tier, or on the usual one: which one serves a call, only its answer says.
    """
    price = deployment.price
    if not deployment.charges:
        return 0
    if price is None:
        return None
    output = OUTPUT_TOKENS_ASSUMED if output_limit is None else output_limit * choices
    total = price.per_request + prompt_tokens * price.input + output * price.output
    if price.units is None and not price.tiers:
        return -(-total // FEMTODOLLARS_PER_PICODOLLAR)
    if dearest:
        for tier in price.tiers:
            if prompt_tokens > tier.above_tokens:
                rates = tier.price
                of_tier = rates.per_request + prompt_tokens * rates.input + output * rates.output
                total = max(total, of_tier)
        bound = -(-total // FEMTODOLLARS_PER_PICODOLLAR)
    else:
        bound = price.bound(prompt_tokens, output)
    return bound if price.units is None else bound + price.units.bound(choices, prompt_tokens)


def likely_cost(
    deployment: Deployment, prompt_tokens: int, output_tokens: int | None, output_limit: int | None, choices: int = 1
) -> int | None:
    """As :func:`cost_bound`, for an answer as long as they were lately: ``output_tokens``, None where nobody knows."""
    output = _OUTPUT_TOKENS_LIKELY if output_tokens is None else output_tokens
    output = output if output_limit is None else min(output, output_limit)
    return cost_bound(deployment, prompt_tokens, output, choices, dearest=False)
