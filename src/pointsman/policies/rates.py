"""Request, token and concurrency limits of a key. A refused request burns nothing."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import LimitReached
from pointsman.policies.principal import Principal

__all__ = ["take_rate"]

_BUSY_RETRY_SECONDS: Final = 1


def take_rate(principal: Principal, tokens: int, second: int, parallel_max: int | None) -> None:
    """Take one request of about ``tokens`` tokens from what the limits leave, or raise and take nothing.

    Raises:
        LimitReached: with the seconds after which it fits.
    """
    parallel = principal.parallel if principal.parallel is not None else parallel_max
    if parallel is not None and principal.in_flight >= parallel:
        raise _reached(principal, "max_parallel_requests", parallel, _BUSY_RETRY_SECONDS)
    limit = principal.rpm
    if limit is not None and not principal.requests.take(1, limit, second):
        raise _reached(principal, "requests", limit, principal.requests.seconds_until(1, limit, second))
    limit = principal.tpm
    if limit is not None and not principal.tokens.take(tokens, limit, second):
        if principal.rpm is not None:
            principal.requests.replace(1, second, 0, second)
        wait = principal.tokens.seconds_until(tokens, limit, second)
        raise _reached(principal, "tokens", limit, wait, needed=tokens)


def _reached(principal: Principal, what: str, limit: int, wait: int, needed: int = 1) -> LimitReached:
    name = principal.record.key_alias or principal.record.key_name
    hint = f"Try again in {wait} s."
    if needed > limit:
        hint = f"This request needs about {needed} {what}, more than the limit allows at all."
    return LimitReached(
        f"Rate limit exceeded for api_key: {name}. Limit type: {what}. Current limit: {limit}.",
        hint=hint,
        retry_after=float(wait),
    )
