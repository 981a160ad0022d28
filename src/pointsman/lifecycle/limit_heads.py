"""Header lines about what is left of the limits that bind a call, in OpenAI's and LiteLLM's names.

Source: LiteLLM 1.109.1, ``parallel_request_limiter_v3.py`` (``x-ratelimit-<scope>-…``) and ``callback_utils.py``
(``x-litellm-key-remaining-…``). Without a scope stands the limit of which least is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from pointsman.core.errors import GatewayError, LimitReached
from pointsman.policies.accounts import INPUT, OUTPUT, Account
from pointsman.policies.bound import Bound
from pointsman.policies.principal import Principal
from pointsman.policies.rates import scope_of

__all__ = ["bound_lines", "refusal_lines"]

_MINUTE: Final = "60s"
"""After so long without requests all of a sliding minute is there again."""

_WORDS: Final = {
    "requests": "requests",
    "tokens": "tokens",
    "input_tokens": "input-tokens",
    "output_tokens": "output-tokens",
}
"""The kinds of limits that headers without a scope have a name for: those of OpenAI, and of LiteLLM for deployments."""


def bound_lines(principal: Principal, bound: Bound, second: int) -> bytes:
    """The lines for a call that several accounts are bound by; ``second`` is monotonic."""
    requests = [(limit, _left(limit, one.requests.used(second)), one) for one in bound.rated if (limit := _rpm(one))]
    tokens = [(limit, _left(limit, one.tokens.used(second)), one) for one in bound.minutes if (limit := _tpm(one))]
    lines = [principal.key_head]
    for what, found in (("requests", requests), ("tokens", tokens)):
        if found:
            limit, left, _ = min(found, key=lambda one: (one[1], one[0]))
            lines.append(f"x-ratelimit-limit-{what}: {limit}\r\nx-ratelimit-remaining-{what}: {left}\r\n")
            lines.append(f"x-ratelimit-reset-{what}: {_MINUTE}\r\n")
        lines.extend(_scoped(found, what))
    lines.extend(_scoped(_parallel(bound), "max_parallel_requests"))
    if bound.kinds:
        lines.extend(_of_kinds(bound.kinds, second))
    return "".join(lines).encode("latin-1", "replace")


def refusal_lines(error: GatewayError, wall: float) -> bytes:
    """What an answer adds that a limit has refused; ``wall`` is the time now.

    Beside LiteLLM's lines those of OpenAI, for the limit that has refused.
    """
    if not isinstance(error, LimitReached) or error.limit_kind is None or error.retry_after is None:
        return b""
    kind, moment = error.limit_kind, datetime.fromtimestamp(wall + error.retry_after, UTC)
    # LiteLLM has one word for tokens of whatever kind.
    limit_type = "tokens" if kind.endswith("_tokens") else kind
    lines = [f"rate_limit_type: {limit_type}", f"reset_at: {moment:%Y-%m-%d %H:%M:%S} UTC"]
    what = _WORDS.get(kind)
    if what is not None:
        lines += [f"x-ratelimit-limit-{what}: {error.limit}", f"x-ratelimit-remaining-{what}: {error.left}"]
        lines += [f"x-ratelimit-reset-{what}: {error.retry_after:.0f}s"]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


_Found = tuple[int, int, Account]


def _scoped(found: Iterable[_Found], what: str) -> Iterable[str]:
    told: set[str] = set()
    for limit, left, account in found:
        scope = scope_of(account)
        if account.scope == "key" and account.model and not account.kind and what != "max_parallel_requests":
            yield f"x-litellm-key-remaining-{what}-{_header_word(account.model)}: {left}\r\n"
        if scope not in told:
            told.add(scope)
            yield f"x-ratelimit-{scope}-limit-{what}: {limit}\r\nx-ratelimit-{scope}-remaining-{what}: {left}\r\n"


def _of_kinds(kinds: Iterable[Account], second: int) -> Iterable[str]:
    """Those of which least is left by their kind, and all of them by their scope, which names the kind."""
    found = [
        (one.limits.tpm_limit or 0, _left(one.limits.tpm_limit or 0, one.tokens.used(second)), one) for one in kinds
    ]
    for kind in (INPUT, OUTPUT):
        of_kind = [one for one in found if one[2].kind == kind]
        if of_kind:
            what = _WORDS[f"{kind}_tokens"]
            limit, left, _ = min(of_kind, key=lambda one: (one[1], one[0]))
            yield f"x-ratelimit-limit-{what}: {limit}\r\nx-ratelimit-remaining-{what}: {left}\r\n"
            yield f"x-ratelimit-reset-{what}: {_MINUTE}\r\n"
    yield from _scoped(found, "tokens")


def _parallel(bound: Bound) -> list[_Found]:
    found = []
    for account in bound.rated:
        limit = account.limits.max_parallel_requests
        if limit is not None:
            found.append((limit, _left(limit, account.in_flight), account))
    return found


def _rpm(account: Account) -> int | None:
    return account.limits.rpm_limit if account.rpm is not None else None


def _tpm(account: Account) -> int | None:
    return account.limits.tpm_limit if account.tpm is not None else None


def _left(limit: int, used: int) -> int:
    return max(0, limit - used)


def _header_word(model: str) -> str:
    """A model's name as a part of a header's, as LiteLLM has it."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "._") else "-" for one in model)
