"""The deployments of one public name, each with its live record, and how one of them is picked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Host
from pointsman.routing.live import Live
from pointsman.routing.wish import Wish

__all__ = ["Member", "Pick", "Pool", "Strategy"]


class Member(msgspec.Struct, frozen=True, eq=False):
    """A deployment and what is known of it now, and of its host if that is a local one."""

    deployment: Deployment
    live: Live
    host: Host | None = None


Pick = tuple[Member, str]
"""A choice and its reason in a word: ``only``, ``shuffle``, ``loaded``, …"""


class Strategy(Protocol):
    """Picks one of several. Shared by all requests of a pool; pure but for what it remembers of its own picks."""

    name: str

    def pick(self, candidates: Sequence[Member], wish: Wish, now: float) -> Pick:
        """One of ``candidates``, of which there is at least one; ``now`` is monotonic seconds."""
        ...


class Pool(msgspec.Struct, frozen=True, eq=False):
    """``only`` is the member of a pool that has one and no more: nothing is to be decided there."""

    name: str
    members: tuple[Member, ...]
    strategy: Strategy
    only: Member | None
