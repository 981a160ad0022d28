"""Tags of requests and of deployments, as in LiteLLM: https://docs.litellm.ai/docs/proxy/tag_routing.

A deployment tagged ``default`` takes what has no tags, and what has tags that nothing else has. ``!tag`` in a request
keeps it away from deployments with that tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman.routing.pool import Member
from pointsman.routing.wish import Wish

__all__ = ["allowed_by_tags", "tags_of"]

_DEFAULT: Final = "default"


def tags_of(wish: Wish) -> tuple[str, ...]:
    """The tags of a request and of its key, each once."""
    return tuple(dict.fromkeys((*wish.rules.tags, *wish.tags)))


def allowed_by_tags(members: Sequence[Member], tags: Sequence[str], *, match_any: bool) -> Sequence[Member]:
    """Those of ``members`` that a request with ``tags`` may go to; maybe none."""
    banned = {tag[1:] for tag in tags if tag.startswith("!")}
    wanted = {tag for tag in tags if not tag.startswith("!")}
    if banned:
        members = [member for member in members if banned.isdisjoint(member.deployment.tags)]
    catch_all = [member for member in members if _DEFAULT in member.deployment.tags]
    if not wanted:
        return catch_all or members
    if match_any:
        fitting = [member for member in members if not wanted.isdisjoint(member.deployment.tags)]
    else:
        fitting = [member for member in members if wanted.issubset(member.deployment.tags)]
    return fitting or catch_all
