"""The deployments of one public name, each with its live record, and how one of them is picked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.credentials import Credential
from pointsman.routing.hosts import Host
from pointsman.routing.live import Live
from pointsman.routing.wish import Wish

__all__ = ["NO_SCREENS", "Member", "Pick", "Pool", "Sampler", "Screens", "Strategy", "Tier"]


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

    def chosen(self, now: float) -> None:
        """It was chosen: if its key rested, it finds out about both of them."""
        credential = self.credential
        if credential is not None and credential.circuit.rests_until and not self.live.rests_until:
            self.live.rests_until = now

    def probe(self, now: float) -> None:
        """A request is sent, which finds out whether it is well again."""
        self.live.probe(now)
        if self.credential is not None and self.credential.circuit.rests_until:
            self.credential.circuit.probe(now)

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
    """Picks one of several. Shared by all requests of a pool.

    :meth:`pick` changes nothing, so that it can also be asked what it would do; :meth:`took` is told what was done.
    """

    name: str

    def pick(self, candidates: Sequence[Member], wish: Wish, now: float) -> Pick:
        """One of ``candidates``, of which there is at least one; ``now`` is monotonic seconds."""
        ...

    def took(self, member: Member, wish: Wish, now: float) -> None:
        """The request goes to ``member``, picked here or not."""
        ...


class Sampler(Protocol):
    """Stands for the many members of a tier: a few that are worth considering, without looking at all."""

    def look(self, now: float, also: str | None = None) -> Sequence[Member]:
        """Some members, each once, and the one with the id ``also``; ``now`` is monotonic seconds."""
        ...

    def took(self, member: Member) -> None:
        """A request goes to ``member``."""
        ...


class Tier(msgspec.Struct, frozen=True, eq=False):
    """The members of one ``order``; ``sampler`` None: they are few enough to look at each."""

    members: tuple[Member, ...]
    order: int | None = None
    sampler: Sampler | None = None


class Screens(msgspec.Struct, frozen=True):
    """What has to be examined of each member of a pool, since it can make a difference there; nothing as a rule.

    ``agents``: what clients call themselves counts. ``fails_open``: tags that no member fits do not count.
    ``abilities`` are the capabilities that only some of the members have. ``parallel_default`` is how many requests at
    once are sent to a member that has no number of its own. ``priced``: what has no price is not used. ``terms`` gives
    wall time, for what is said of few deployments; None: of none of the members. ``affords`` tells whether the budget
    of a member leaves anything; None: none of them has one.
    """

    access: bool = False
    team: bool = False
    tags: bool = False
    match_any: bool = True
    tag_prefix: str = ""
    fails_open: bool = False
    agents: bool = False
    mode: bool = False
    context: bool = False
    abilities: frozenset[str] = frozenset()
    limits: bool = False
    strict: bool = False
    parallel: bool = False
    parallel_default: int | None = None
    priced: bool = False
    affords: Callable[[Deployment], bool] | None = None
    terms: Callable[[], float] | None = None

    @property
    def decides_for_one(self) -> bool:
        """Whether a request may be refused even where there is a single member."""
        if self.team or self.tags or self.context or self.parallel or self.priced:
            return True
        if self.affords is not None or self.terms is not None:
            return True
        return self.limits and self.strict


NO_SCREENS: Final = Screens()


class Pool(msgspec.Struct, frozen=True, eq=False):
    """``only`` is the member of a pool that has one and no more: nothing is to be decided there.

    ``access_groups`` are those of all members together. ``stays`` are the kinds of affinity that count, the first that
    applies to a request first. ``by_tags`` keeps which members a request's tags allow. With ``binds_reasoning`` those
    who share an account serve a conversation.
    """

    name: str
    members: tuple[Member, ...]
    strategy: Strategy
    only: Member | None
    tiers: tuple[Tier, ...] = ()
    screens: Screens = NO_SCREENS
    access_groups: frozenset[str] = frozenset()
    stays: tuple[str, ...] = ()
    by_tags: dict[tuple[tuple[str, ...], str], frozenset[Member]] = {}
    binds_reasoning: bool = False
