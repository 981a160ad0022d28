"""What is known of a deployment, from the operator, from its server and from the catalogue, in LiteLLM's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import msgspec

from pointsman.catalog.models import CAPABILITY_FLAGS, ModelFacts
from pointsman.core.price import FEMTODOLLARS_PER_DOLLAR, Price
from pointsman.core.upstream import Deployment

__all__ = ["Described", "Prices", "address_without_secrets", "capability_flags", "described", "prices", "smallest"]


class Described(msgspec.Struct, frozen=True):
    """``context_tokens`` and ``output_tokens`` are the longest prompt and completion; None: nobody said."""

    mode: str
    context_tokens: int | None
    output_tokens: int | None
    capabilities: frozenset[str]


class Prices(msgspec.Struct, frozen=True):
    """USD per token; None: nobody told us."""

    input_cost_per_token: float | None = None
    output_cost_per_token: float | None = None
    cache_read_input_token_cost: float | None = None
    cache_creation_input_token_cost: float | None = None


def described(deployment: Deployment, facts: Callable[[Deployment], ModelFacts | None]) -> Described:
    """What is known; what the deployment itself says is better than the catalogue.

    Who made the deployment knew what the model is for: the catalogue was asked, or better, its server. A server that
    tells how long a prompt may be has told what there is to tell: a row of the same name would only contradict it.
    """
    told = deployment.discovered and deployment.context_tokens is not None
    known = None if told else facts(deployment)
    if known is None:
        known = ModelFacts(key=deployment.model, source="")
    return Described(
        mode=deployment.mode,
        context_tokens=deployment.context_tokens or known.context_tokens,
        output_tokens=deployment.output_tokens_max or known.output_tokens_max,
        capabilities=deployment.capabilities or known.capabilities,
    )


def prices(price: Price | None) -> Prices:
    """What a call is charged at."""
    if price is None:
        return Prices()
    return Prices(
        _dollars(price.input), _dollars(price.output), _dollars(price.cache_read), _dollars(price.cache_write)
    )


def capability_flags(capabilities: frozenset[str]) -> dict[str, bool]:
    """LiteLLM's ``supports_…`` flags."""
    return {flag: capability in capabilities for flag, capability in CAPABILITY_FLAGS.items()}


def smallest(numbers: Iterable[int | None]) -> int | None:
    """What all of several deployments can be relied on for; None if none of them says."""
    return min((number for number in numbers if number is not None), default=None)


def address_without_secrets(address: str) -> str:
    """An upstream's address without the places where credentials can stand: user, query and fragment."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{port}{parts.path}" if host else ""


def _dollars(femtodollars: int | None) -> float | None:
    return None if femtodollars is None else femtodollars / FEMTODOLLARS_PER_DOLLAR
