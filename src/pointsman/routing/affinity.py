"""Keeps a client, a session or a conversation at the deployment that knows it, for a time.

The kinds are LiteLLM's checks (https://docs.litellm.ai/docs/proxy/config_settings, ``optional_pre_call_checks``) and
one of ours, :data:`CONVERSATION`, which is on for local servers: there the prompt of a conversation that goes on need
not be read again by the host that has it in its cache, so it is worth a short wait, but no long one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman.routing.conversation import conversation_of, session_of
from pointsman.routing.pool import Member, Pick, Pool
from pointsman.routing.residency import ahead_of, resident
from pointsman.routing.settings import AffinityRules
from pointsman.routing.wish import Wish

__all__ = ["CONVERSATION", "DEPLOYMENT", "PROMPT_CACHING", "SESSION", "Affinity", "Place", "stay"]

SESSION: Final = "session_affinity"
PROMPT_CACHING: Final = "prompt_caching"
DEPLOYMENT: Final = "deployment_affinity"
CONVERSATION: Final = "conversation"

_PLACES_MAX: Final = 32_768
_CACHED_TOKENS_MIN: Final = 1024
"""Shorter prompts are cached by no provider: https://platform.openai.com/docs/guides/prompt-caching."""
_TOKENS_PER_PLACE: Final = 8_192
"""How many tokens of a prompt that need not be read again are worth waiting for one more request."""

_WORDS: Final = {SESSION: "session", PROMPT_CACHING: "prompt_cache", DEPLOYMENT: "client", CONVERSATION: "affinity"}

Place = tuple[str, str, str]
"""A kind, a pool, and whose or which: what is kept together."""


class Affinity:
    """Remembers where each was served last, as ``rules`` say for how long.

    Unless they repin, whoever had to be served elsewhere goes back when it can. Conversations stay there in any case,
    since that is where their cache is now.
    """

    def __init__(self, rules: AffinityRules) -> None:
        self.rules = rules
        self._places: dict[Place, tuple[str, float]] = {}

    def place(self, pool: Pool, wish: Wish) -> Place | None:
        """What the request is kept together with; None: nothing."""
        for kind in pool.stays:
            name = _name(kind, wish)
            if name is not None:
                return kind, pool.name, f"{wish.key}:{name}"
        return None

    def known(self, place: Place, now: float) -> str | None:
        """The id of the deployment that served it last."""
        known = self._places.get(place)
        return None if known is None or known[1] <= now else known[0]

    def keep(self, place: Place, member: Member, now: float) -> None:
        """It is served by ``member`` now."""
        is_conversation = place[0] == CONVERSATION
        before = self.known(place, now)
        served = before if before is not None and not (self.rules.repins or is_conversation) else member.live.id
        # Taken out and put in anew, so that what was not used for longest stands first.
        self._places.pop(place, None)
        if len(self._places) >= _PLACES_MAX:
            del self._places[next(iter(self._places))]
        seconds = self.rules.conversation_seconds if is_conversation else self.rules.seconds
        self._places[place] = served, now + seconds


def stay(place: Place, known: str, candidates: Sequence[Member], prompt_tokens: int) -> Pick | None:
    """The candidate that served it last and should do so again, and why."""
    for member in candidates:
        if member.live.id == known:
            stays = place[0] != CONVERSATION or _worth(member, candidates, prompt_tokens)
            return (member, _WORDS[place[0]]) if stays else None
    return None


def _name(kind: str, wish: Wish) -> str | None:
    if kind == SESSION:
        return session_of(wish)
    if kind == DEPLOYMENT:
        return "" if wish.key else None
    if kind == PROMPT_CACHING:
        return conversation_of(wish) if wish.prompt_tokens >= _CACHED_TOKENS_MIN else None
    return session_of(wish) or conversation_of(wish)


def _worth(member: Member, candidates: Sequence[Member], prompt_tokens: int) -> bool:
    """Whether a host still has the model, and lets a request in at once or nearly as soon as the least busy one."""
    host = member.host
    if host is None:
        return True
    if host.loaded and resident(host, member.deployment.model) is None and not member.live.in_flight:
        return False
    ahead = ahead_of(host)
    if ahead < (host.slots or 1):
        return True
    least = min(ahead_of(other.host) if other.host is not None else other.live.in_flight for other in candidates)
    return ahead <= least + prompt_tokens // _TOKENS_PER_PLACE
