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

__all__ = ["agent_of", "allowed_all_the_same", "allowed_by_tags", "tags_of"]

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

    def bears(self, deployment: Deployment) -> bool:
        """Whether it has nothing that is banned, and all that is required."""
        return self.banned.isdisjoint(deployment.tags) and self.required.issubset(deployment.tags)

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
    asked = _asked(tags, agent, match_any=screens.match_any)
    left = [member for member in members if asked.bears(member.deployment)]
    catch_all = _catch_all(left)
    by_agent = bool(agent) and not asked.required and any(member.deployment.tag_patterns for member in left)
    if asked.wanted or by_agent:
        fitting = [member for member in left if asked.fits(member.deployment)]
        if fitting or asked.wanted:
            return fitting or catch_all
    return left if asked.required else catch_all or left


def allowed_all_the_same(members: Sequence[Member], tags: Sequence[str], wish: Wish, prefix: str) -> Sequence[Member]:
    """Who serves a request whose ``tags`` nobody fits, where that is to be: what its key is kept to still holds.

    Nobody, if it is only for a tag that no member ever had: without it there would be an answer.
    """
    asked = _asked(tags)
    meant = {tag.removeprefix(prefix)[1:] for tag in wish.rules.tags if prefix and tag.startswith(prefix)}
    known = asked.required.intersection(meant.union(*(member.deployment.tags for member in members)))
    if known and known != asked.required:
        narrower = msgspec.structs.replace(asked, required=known)
        if any(narrower.bears(member.deployment) for member in members):
            return ()
    kept = _asked([tag.removeprefix(prefix) for tag in wish.tags])
    left = [member for member in members if kept.bears(member.deployment)]
    return _catch_all(left) or left


def _asked(tags: Sequence[str], agent: str = "", *, match_any: bool = True) -> _Asked:
    return _Asked(
        frozenset(tag[1:] for tag in tags if tag.startswith("!")),
        frozenset(tag[1:] for tag in tags if tag.startswith("&") and len(tag) > 1),
        frozenset(tag for tag in tags if not tag.startswith(("!", "&"))),
        agent,
        match_any,
    )


def _catch_all(members: Sequence[Member]) -> list[Member]:
    return [member for member in members if _DEFAULT in member.deployment.tags]
