"""Request, token and concurrency limits of accounts. A refused request burns nothing."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import LimitReached
from pointsman.policies.accounts import Account

__all__ = ["demand_rate", "give_back", "reached", "scope_of", "take", "take_rate"]

_BUSY_RETRY_SECONDS: Final = 1

_NAMES: Final = {"key": "api_key", "member": "team_member", "customer": "end_user", "key_customer": "end_user"}
"""What LiteLLM calls those that it calls otherwise."""


def take_rate(account: Account, tokens: int, second: int, parallel_max: int | None) -> None:
    """Take one request of about ``tokens`` tokens from what the limits of a minute leave, or raise and take nothing.

    Raises:
        LimitReached: with the seconds after which it fits.
    """
    parallel = account.parallel if account.parallel is not None else parallel_max
    if parallel is not None and account.in_flight >= parallel:
        raise reached(account, "max_parallel_requests", parallel, _BUSY_RETRY_SECONDS)
    limit = account.rpm
    if limit is not None and not account.requests.take(1, limit, second):
        raise reached(account, "requests", limit, account.requests.seconds_until(1, limit, second))
    limit = account.tpm
    if limit is not None and not account.tokens.take(tokens, limit, second):
        if account.rpm is not None:
            account.requests.replace(1, second, 0, second)
        wait, left = account.tokens.seconds_until(tokens, limit, second), limit - account.tokens.used(second)
        raise reached(account, "tokens", limit, wait, needed=tokens, left=left)


def demand_rate(account: Account, tokens: int, second: int, parallel_max: int | None = None, eased: str = "") -> None:
    """Raise unless there is room for one request of about ``tokens`` tokens; takes nothing.

    ``eased`` names the rates of a minute that do not bind now: ``r`` for requests, ``t`` for tokens.

    Raises:
        LimitReached: with the seconds after which it fits.
    """
    parallel = account.parallel if account.parallel is not None else parallel_max
    if parallel is not None and account.in_flight >= parallel:
        raise reached(account, "max_parallel_requests", parallel, _BUSY_RETRY_SECONDS)
    if account.eases is not None and account.eases(second):
        return
    limit = account.rpm
    if limit is not None and account.requests.used(second) >= limit and "r" not in eased:
        raise reached(account, "requests", limit, account.requests.seconds_until(1, limit, second))
    limit = account.tpm
    if limit is not None and account.tokens.used(second) + tokens > limit and "t" not in eased:
        wait, left = account.tokens.seconds_until(tokens, limit, second), limit - account.tokens.used(second)
        raise reached(account, "tokens", limit, wait, needed=tokens, left=left)
    limit, day = account.tpd, account.day
    if limit is not None and day is not None and day.used(second) + tokens > limit:
        wait, left = day.seconds_until(tokens, limit, second), limit - day.used(second)
        raise reached(account, "tokens_per_day", limit, wait, needed=tokens, left=left)


def take(account: Account, second: int) -> None:
    """Count one request that begins now; there is room for it."""
    account.in_flight += 1
    if account.rpm is not None:
        account.requests.add(1, second)


def give_back(account: Account, then: int, second: int) -> None:
    """As if the request that began at second ``then`` had never come here."""
    account.in_flight -= 1
    if account.rpm is not None:
        account.requests.replace(1, then, 0, second)


def scope_of(account: Account) -> str:
    """What LiteLLM calls whom the account is of."""
    scope = _NAMES.get(account.scope, account.scope)
    if account.model:
        scope = f"model_per_{scope.removeprefix('api_')}"
    return f"{scope}_{account.kind[0]}tpm" if account.kind else scope


def reached(account: Account, what: str, limit: int, wait: int, needed: int = 1, left: int = 0) -> LimitReached:
    """The refusal of a request that would need ``needed`` of what an account may have, and may have in ``wait`` s.

    ``left`` is what it may have at once.
    """
    name, kind = account.name, "tokens" if "tokens" in what else what
    if account.model:
        name = f"{account.name}:{account.model}"
    period = " per day" if what == "tokens_per_day" else ""
    hint = f"Try again in {wait} s."
    if needed > limit:
        hint = f"This request needs about {needed} {kind}, more than the limit allows at all."
    error = LimitReached(
        f"Rate limit exceeded for {scope_of(account)}: {name}. Limit type: {kind}{period}. Current limit: {limit}.",
        hint=hint,
        retry_after=float(wait),
    )
    error.limit_kind = what if account.kind else kind
    error.limit, error.left = limit, max(0, left)
    return error
