"""The deployments of one public name, each with its live record, and how one of them is picked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.credentials import Credential
from pointsman.routing.hosts import Host
from pointsman.routing.live import Live
from pointsman.routing.wish import Wish

__all__ = ["Member", "Pick", "Pool", "Strategy"]


class Member(msgspec.Struct, frozen=True, eq=False):
    """A deployment and what is known of it now, of its host if that is a local one, and of its key if it has one."""

    deployment: Deployment
    live: Live
    host: Host | None = None
    credential: Credential | None = None

    @property
    def rests_until(self) -> float:
        """The moment from which on it may be tried again, in monotonic seconds; past, if it may be now."""
        credential = self.credential
        if credential is None:
            return self.live.rests_until
        limited = credential.limited.get(self.deployment.model, 0.0)
        return max(self.live.rests_until, credential.circuit.rests_until, limited)

    def admits(self, now: float) -> bool:
        """Whether it may be sent something: neither it nor its key rests, nor does anybody try them just now."""
        if self.live.rests_until and not self.live.admits(now):
            return False
        credential = self.credential
        return credential is None or credential.admits(self.deployment.model, now)

    def probe(self, now: float) -> None:
        """It was chosen: if it rested, this request finds out whether it is well again."""
        credential = self.credential
        if credential is not None and credential.circuit.rests_until:
            credential.circuit.probe(now)
            self.live.probe(now)
        elif self.live.rests_until:
            self.live.probe(now)

    def give_up_probe(self) -> None:
        """The probe ended; unless it told anything, another one may be sent."""
        self.live.probe_until = 0.0
        if self.credential is not None:
            self.credential.circuit.probe_until = 0.0

    def answered(self, sent_at: float) -> None:
        """It has answered what was sent then."""
        self.live.answered(sent_at)
        if self.credential is not None and not self.live.rests_until:
            self.credential.answered(self.deployment.model, sent_at)


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
