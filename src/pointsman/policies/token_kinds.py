"""Limits of one kind of tokens: of those that go in, or of those that come out.

Whoever has such a limit has an account for each kind (:attr:`pointsman.policies.accounts.Account.kinds`), which counts
nothing else. Source: LiteLLM 1.109.1, ``model_itpm_limit`` and ``model_otpm_limit`` of projects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pointsman.accounting.expected import OUTPUT_TOKENS_ASSUMED
from pointsman.core.upstream import Ask
from pointsman.core.usage import Usage
from pointsman.policies.accounts import INPUT, OUTPUT, Account
from pointsman.policies.rates import reached

__all__ = [
    "NO_TOKENS",
    "KindTokens",
    "demand_kinds",
    "expected_kinds",
    "replace_kinds",
    "take_kinds",
    "used_kinds",
]

_OUTPUT_SHARE_OF_LIMIT: Final = 4


class KindTokens(msgspec.Struct, frozen=True):
    """Tokens of a call by their kind."""

    input: int = 0
    output: int = 0

    def of(self, kind: str) -> int:
        """Those of one kind."""
        return self.input if kind == INPUT else self.output


NO_TOKENS: Final = KindTokens()


def used_kinds(usage: Usage) -> KindTokens:
    """What a call has used. What a cache had is no input, as in LiteLLM and for the limits of deployments."""
    return KindTokens(max(0, usage.prompt - usage.cached), usage.completion)


def expected_kinds(ask: Ask, accounts: Iterable[Account]) -> KindTokens:
    """What a request probably uses, one of each at least, so that nothing passes a limit of none."""
    if ask.output_limit is not None:
        return KindTokens(max(1, ask.prompt_estimate), ask.output_limit * ask.choices)
    limits = [one.tpm for one in accounts if one.kind == OUTPUT and one.tpm is not None]
    output = min([OUTPUT_TOKENS_ASSUMED, *(limit // _OUTPUT_SHARE_OF_LIMIT for limit in limits)])
    return KindTokens(max(1, ask.prompt_estimate), max(1, output))


def demand_kinds(accounts: Sequence[Account], held: KindTokens, second: int) -> None:
    """Raise unless each of the accounts has room for its kind; takes nothing.

    Raises:
        LimitReached: with the seconds after which it fits.
    """
    for account in accounts:
        limit, tokens = account.tpm, held.of(account.kind)
        if limit is not None and account.tokens.used(second) + tokens > limit:
            wait, left = account.tokens.seconds_until(tokens, limit, second), limit - account.tokens.used(second)
            raise reached(account, f"{account.kind}_tokens", limit, wait, needed=tokens, left=left)


def take_kinds(accounts: Sequence[Account], ask: Ask, second: int) -> KindTokens:
    """Take what the request probably uses of each of the accounts, and give what that is.

    Raises:
        LimitReached: nothing has been taken.
    """
    held = expected_kinds(ask, accounts)
    demand_kinds(accounts, held, second)
    replace_kinds(accounts, NO_TOKENS, second, held, second)
    return held


def replace_kinds(accounts: Iterable[Account], held: KindTokens, then: int, used: KindTokens, second: int) -> None:
    """Count what is used of each kind in place of what was held since ``then``."""
    for account in accounts:
        account.tokens.replace(held.of(account.kind), then, used.of(account.kind), second)
