"""Who can read the encrypted reasoning of a conversation: whoever shares the account in which it was made.

Nothing is remembered and nothing is written into answers: a conversation goes to the account that scores best for it
(rendezvous hashing, https://en.wikipedia.org/wiki/Rendezvous_hashing, by weight), in every process and after every
restart, and in other models of the same accounts, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import inf, log
from typing import Final

from pointsman.core.upstream import Deployment, Operation
from pointsman.routing.conversation import conversation_of, session_of
from pointsman.routing.pool import Member
from pointsman.routing.wish import Wish

__all__ = ["BOUND_REASONING", "at_its_account"]

BOUND_REASONING: Final = "encrypted_content_affinity"
"""LiteLLM's name of the check."""

_REASONING: Final = frozenset({Operation.RESPONSES, Operation.COMPACTION, Operation.MESSAGES})
_RANGE: Final = 2.0**64


def at_its_account(members: Sequence[Member], wish: Wish) -> Sequence[Member]:
    """Those of ``members`` in the account that the conversation is of; all, if the request is of none."""
    name = (session_of(wish) or conversation_of(wish)) if wish.operation in _REASONING else None
    if name is None or len(members) == 1:
        return members
    accounts: dict[str, list[Member]] = {}
    for member in members:
        accounts.setdefault(_account(member.deployment), []).append(member)
    if len(accounts) == 1:
        return members
    return accounts[max(accounts, key=lambda account: _score(account, f"{wish.key}:{name}", accounts[account]))]


def _account(deployment: Deployment) -> str:
    key = "" if deployment.api_key is None else deployment.api_key.reveal()
    return f"{deployment.api_base} {key}"


def _score(account: str, conversation: str, members: Sequence[Member]) -> float:
    weight = sum(member.deployment.weight for member in members)
    digest = blake2b(f"{account} {conversation}".encode(), digest_size=8).digest()
    chance = (int.from_bytes(digest) + 0.5) / _RANGE
    return -weight / log(chance) if weight else -inf
