"""Tags of requests and of deployments, as in LiteLLM: https://docs.litellm.ai/docs/proxy/tag_routing.

A deployment tagged ``default`` takes what has no tags, and what has tags that nothing else has. ``!tag`` in a request
keeps it away from deployments with that tag, ``&tag`` from those without it. The ``tag_patterns`` of a deployment are
regular expressions; one that fits ``User-Agent: `` and what the client calls itself does as well as a tag.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.pool import Member, Screens
from pointsman.routing.wish import Wish

__all__ = ["agent_of", "allowed_by_tags", "tags_of"]

_DEFAULT: Final = "default"
_AGENT: Final = b"user-agent"
_AGENT_CHARACTERS_MAX: Final = 512


def tags_of(wish: Wish, prefix: str = "") -> tuple[str, ...]:
    """The tags of a request and of its key by which it is routed, each once and without the ``prefix``."""
    own: Sequence[str] = wish.rules.tags
    if prefix:
        own = [tag.removeprefix(prefix) for tag in own if tag.startswith(prefix) or tag in wish.tags]
    return tuple(dict.fromkeys((*own, *(tag.removeprefix(prefix) for tag in wish.tags))))


def agent_of(wish: Wish) -> str:
    """The header that patterns are held against; empty: the client does not say what it is."""
    said = next((value for name, value in wish.headers if name == _AGENT), b"")
    return f"User-Agent: {said.decode('latin-1')[:_AGENT_CHARACTERS_MAX]}" if said else ""


class _Asked(msgspec.Struct, frozen=True):
    """What a request asks for."""

    banned: frozenset[str]
    required: frozenset[str]
    wanted: frozenset[str]
    agent: str
    match_any: bool

    def fits(self, deployment: Deployment) -> bool:
        """Whether something that is asked for is there."""
        if self.match_any:
            has_tags = not self.wanted.isdisjoint(deployment.tags)
        else:
            has_tags = bool(self.wanted) and self.wanted.issubset(deployment.tags)
        # Where all tags must fit, a pattern does not get around those that do not.
        counts = self.match_any or not deployment.tags
        return has_tags or (counts and self._is_agent(deployment))

    def _is_agent(self, deployment: Deployment) -> bool:
        return bool(self.agent) and any(re.search(one, self.agent) for one in deployment.tag_patterns)


def allowed_by_tags(members: Sequence[Member], tags: Sequence[str], screens: Screens, agent: str) -> Sequence[Member]:
    """Those of ``members`` that a request with ``tags`` from such an ``agent`` may go to; maybe none."""
    asked = _Asked(
        frozenset(tag[1:] for tag in tags if tag.startswith("!")),
        frozenset(tag[1:] for tag in tags if tag.startswith("&") and len(tag) > 1),
        frozenset(tag for tag in tags if not tag.startswith(("!", "&"))),
        agent,
        screens.match_any,
    )
    left = [
        member
        for member in members
        if asked.banned.isdisjoint(member.deployment.tags) and asked.required.issubset(member.deployment.tags)
    ]
    catch_all = [member for member in left if _DEFAULT in member.deployment.tags]
    by_agent = bool(agent) and not asked.required and any(member.deployment.tag_patterns for member in left)
    if asked.wanted or by_agent:
        fitting = [member for member in left if asked.fits(member.deployment)]
        if fitting or asked.wanted:
            return fitting or catch_all
    return left if asked.required else catch_all or left
