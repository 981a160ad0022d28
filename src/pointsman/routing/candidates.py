"""Which deployments of a pool come into question for a request, and why the others do not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from pointsman.routing.hosts import Host
from pointsman.routing.needs import abilities_needed, serves
from pointsman.routing.pool import NO_SCREENS, Member, Pool, Screens, Tier
from pointsman.routing.tags import agent_of, allowed_all_the_same, allowed_by_tags, tags_of
from pointsman.routing.terms import kept_away
from pointsman.routing.wish import Wish

__all__ = ["Dropped", "candidates", "limit_reached", "parallel_reached"]

Dropped = tuple[Member, str]
"""A member that is not considered, and why: a word, and the numbers to it (``rpm 60/60``, ``resting 4.2 s``)."""

# How little a member suits that may be used if nothing better is there.
_GOOD: Final = 0
_OVER_LIMIT: Final = 1
_PROBED: Final = 2
_TRIED: Final = 3
_ASLEEP: Final = 4
_OFFLINE: Final = 5
_UNABLE: Final = 6
_NOT_AT_ALL: Final = 7

_TAGS_MAX: Final = 256


def candidates(
    pool: Pool,
    wish: Wish,
    now: float,
    tried: Collection[str] = (),
    dropped: list[Dropped] | None = None,
    also: str | None = None,
) -> Sequence[Member]:
    """The members to pick from: of the first tier that has any that suit, else those that suit least badly.

    There may be none. ``tried`` are the ids of those that have failed this request. With ``dropped`` every member is
    looked at, and those left out are added to it; without it, of very many members a few that suit are enough, and the
    one with the id ``also``.
    """
    if pool.screens is NO_SCREENS and not tried and dropped is None:
        for tier in pool.tiers:
            some = tier.members if tier.sampler is None else tier.sampler.look(now, also)
            good = [one for one in some if one.admits(now) and (one.host is None or _is_open(one.host))]
            if good:
                return good
    sieve = _Sieve(pool.screens, wish, now, tried, also)
    allowed, tags = _allowed(pool, wish) if pool.screens.tags else (None, ())
    best: list[Dropped] = []
    level = _NOT_AT_ALL
    for tier in pool.tiers or (Tier(pool.members),):
        if level == _GOOD and dropped is not None:
            dropped.extend((member, f"order {tier.order}") for member in tier.members)
            continue
        found, at = _of_tier(tier, sieve, level, dropped, None if allowed is None else (allowed, tags))
        if found:
            if dropped is not None:
                dropped.extend(best)
            best, level = found, at
        if level == _GOOD and dropped is None:
            break
    return [member for member, _ in best]


def _of_tier(
    tier: Tier,
    sieve: _Sieve,
    below: int,
    dropped: list[Dropped] | None,
    tagged: tuple[Collection[Member], Sequence[str]] | None,
) -> tuple[list[Dropped], int]:
    """Those of a tier that suit best; of a sampled one a few, unless none of these suits well."""
    if tier.sampler is not None and dropped is None:
        some = tier.sampler.look(sieve.now, sieve.also)
        found, at = sieve.sort(some if tagged is None else _keep(some, *tagged, None), below, None)
        if at == _GOOD:
            return found, at
    return sieve.sort(tier.members if tagged is None else _keep(tier.members, *tagged, dropped), below, dropped)


def _allowed(pool: Pool, wish: Wish) -> tuple[Collection[Member], tuple[str, ...]]:
    """The members that tags allow, and the tags; whether a catch-all is needed shows only when all are known."""
    screens = pool.screens
    tags = tags_of(wish, screens.tag_prefix)
    agent = agent_of(wish) if screens.agents else ""
    known = pool.by_tags.get((tags, agent))
    if known is None:
        if len(pool.by_tags) >= _TAGS_MAX:
            pool.by_tags.clear()
        known = frozenset(allowed_by_tags(pool.members, tags, screens, agent))
        pool.by_tags[tags, agent] = known
    if not known and screens.fails_open:
        return allowed_all_the_same(pool.members, tags, wish, screens.tag_prefix), tags
    return known, tags


def _keep(
    members: Sequence[Member], allowed: Collection[Member], tags: Sequence[str], dropped: list[Dropped] | None
) -> Sequence[Member]:
    if dropped is not None:
        asked = ",".join(tags) or "none"
        for member in members:
            if member not in allowed:
                dropped.append((member, f"tags {asked} asked, has {','.join(member.deployment.tags) or 'none'}"))
    return [member for member in members if member in allowed]


class _Sieve:
    """Sorts members for one request by how well they suit."""

    __slots__ = ("_examines", "_needs", "_screens", "_tried", "_wish", "also", "now")

    def __init__(
        self, screens: Screens, wish: Wish, now: float, tried: Collection[str], also: str | None = None
    ) -> None:
        self._screens = screens
        self._examines = screens is not NO_SCREENS or bool(tried)
        self._wish = wish
        self.now = now
        self.also = also
        self._tried = tried
        self._needs = abilities_needed(wish.fields) & screens.abilities if screens.abilities else frozenset[str]()

    def sort(self, members: Sequence[Member], below: int, dropped: list[Dropped] | None) -> tuple[list[Dropped], int]:
        """Those that suit best, and how well; none unless better than ``below``."""
        best: list[Dropped] = []
        level = below
        now, examines = self.now, self._examines
        for member in members:
            reason, at = "", _GOOD
            if examines:
                reason, at = self._grade(member)
            elif not member.admits(now):
                reason, at = _rests(member, now)
            elif member.host is not None:
                reason, at = _grade_host(member.host)
            if at < level:
                if dropped is not None:
                    dropped.extend(best)
                best, level = [(member, reason)], at
            elif at == level < below:
                best.append((member, reason))
            elif dropped is not None:
                dropped.append((member, reason))
        return best, level

    def _grade(self, member: Member) -> tuple[str, int]:
        """What speaks against a member, and how much."""
        unfit = self._unfit(member)
        if unfit is not None:
            return unfit, _NOT_AT_ALL
        rests = None if member.admits(self.now) else _rests(member, self.now)
        if rests is not None and rests[1] == _NOT_AT_ALL:
            return rests
        reason, at = self._suits(member)
        return (reason, at) if rests is None or at > rests[1] else rests

    def _suits(self, member: Member) -> tuple[str, int]:
        """What speaks against a member that can serve the request and does not rest, and how much."""
        deployment = member.deployment
        if self._needs and deployment.capabilities and not self._needs <= deployment.capabilities:
            return f"unable {','.join(sorted(self._needs - deployment.capabilities))}", _UNABLE
        there = ("", _GOOD) if member.host is None else _grade_host(member.host)
        if there[1] >= _ASLEEP:
            return there
        if deployment.id in self._tried:
            return "tried", _TRIED
        if there[1]:
            return there
        if self._screens.limits and (reached := limit_reached(member, self._wish, self.now)) is not None:
            return reached, _OVER_LIMIT
        return "", _GOOD

    def _unfit(self, member: Member) -> str | None:
        """Why the request can or may not be served there."""
        screens, wish, deployment = self._screens, self._wish, member.deployment
        if screens.access and wish.admits is not None and not wish.admits(deployment):
            return f"access needs {','.join(sorted(deployment.access_groups)) or 'another key'}"
        if screens.team and deployment.team_id is not None and deployment.team_id != wish.team_id:
            return f"team {deployment.team_id} only"
        if screens.mode and not serves(deployment.mode, wish.operation):
            return f"mode {deployment.mode}"
        window = deployment.context_tokens
        if screens.context and window is not None and wish.prompt_tokens > window:
            return f"context {wish.prompt_tokens}/{window}"
        if screens.parallel and (bound := parallel_reached(member, screens)) is not None:
            return f"parallel {member.live.in_flight}/{bound}"
        if screens.priced and deployment.price is None:
            return "unpriced"
        if screens.terms is not None and deployment.terms is not None:
            away = kept_away(deployment.terms, wish, screens.terms())
            if away is not None:
                return away
        if screens.affords is not None and not screens.affords(deployment):
            return "budget used up"
        if screens.strict and screens.limits:
            return limit_reached(member, wish, self.now)
        return None


def _rests(member: Member, now: float) -> tuple[str, int]:
    """Of one that rests, or has and is being tried: where nobody else is there, the outcome is not awaited."""
    seconds = member.rests_until - now
    return (f"resting {seconds:.1f} s", _NOT_AT_ALL) if seconds > 0 else ("being tried", _PROBED)


def _is_open(host: Host) -> bool:
    """Whether nothing speaks against a local server."""
    return host.online and (host.queue is None or not host.queue.is_full)


def _grade_host(host: Host) -> tuple[str, int]:
    """What speaks against a local server, and how much."""
    if not host.online:
        return ("offline", _OFFLINE) if host.wake is None else ("asleep", _ASLEEP)
    queue = host.queue
    return (f"queue full {queue.depth}", _OVER_LIMIT) if queue is not None and queue.is_full else ("", _GOOD)


def parallel_reached(member: Member, screens: Screens) -> int | None:
    """The number of requests at once that a member has reached; None: there is room."""
    own = member.deployment.max_parallel_requests
    bound = screens.parallel_default if own is None else own
    return bound if bound is not None and member.live.in_flight >= bound else None


def limit_reached(member: Member, wish: Wish, now: float) -> str | None:
    """Which limit of the last minute the request would go beyond; None: there is room."""
    deployment, meter, second = member.deployment, member.live.meter, int(now)
    if meter is None:
        return None
    if deployment.rpm is not None and (used := meter.requests_used(second)) + 1 > deployment.rpm:
        return f"rpm {used}/{deployment.rpm}"
    if deployment.tpm is not None and (used := meter.tokens_used(second)) + wish.prompt_tokens > deployment.tpm:
        return f"tpm {used}+{wish.prompt_tokens}/{deployment.tpm}"
    return None if meter.tallies is None else meter.tallies.reached(wish, second)
