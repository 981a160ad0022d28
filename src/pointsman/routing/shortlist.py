"""A few of very many members, worth considering.

A pool of ten thousand hosts cannot be looked at for each request. Some are drawn, and the best of a few is nearly as
good as the best of all ("power of two choices").

Where a model in memory is what counts, drawing would seldom find it. So who has it is remembered: from the start, from
where requests were sent, and from a look at the next few members with each request, in turn, so that what a host loaded
or dropped by itself is noticed too. Whatever is remembered is checked when it is used. Others are only drawn when
none of those could begin at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pointsman.routing.pool import Member
from pointsman.routing.residency import LoadBook, ahead_of, resident

__all__ = ["LOOKED_AT_MAX", "Shortlist"]

LOOKED_AT_MAX: Final = 64
"""Of so many members each is looked at."""
_WARM: Final = 4
_IDLE: Final = 2
"""Of so many that have nothing to do one is as good as any."""
_IN_TURN: Final = 2
_DRAWN: Final = 8
_SLOTS_ASSUMED: Final = 4


class Shortlist:
    """See :class:`pointsman.routing.pool.Sampler`. ``draw`` gives numbers in [0, 1).

    ``loads`` None: what is in memory does not count.
    """

    def __init__(self, members: Sequence[Member], draw: Callable[[], float], loads: LoadBook | None) -> None:
        self._members = members
        self._draw = draw
        self._loads = loads
        self._hand = 0
        self._by_id = {member.live.id: member for member in members}
        # A list to draw from and the place of each in it, so that adding and removing take the same time at any size.
        self._warm: list[Member] = []
        self._place: dict[str, int] = {}
        for member in members:
            if loads is not None and member.host is not None and resident(member.host, member.deployment.model):
                self._add(member)

    def look(self, now: float, also: str | None = None) -> Sequence[Member]:
        """Some members, those that have the model first."""
        found: dict[str, Member] = {}
        if also is not None and also in self._by_id:
            found[also] = self._by_id[also]
        if self._loads is not None:
            self._look_on()
            if self._take_warm(self._loads, found, now):
                return tuple(found.values())
        members, draw = self._members, self._draw
        count = len(members)
        for _ in range(_DRAWN):
            member = members[int(draw() * count)]
            found[member.live.id] = member
        return tuple(found.values())

    def took(self, member: Member) -> None:
        """A request goes to ``member``, which loads the model if it has to."""
        if self._loads is not None and member.live.id not in self._place and member.live.id in self._by_id:
            self._add(member)

    def _look_on(self) -> None:
        """See whether the next few have the model."""
        members, hand = self._members, self._hand
        for number in range(hand, hand + _IN_TURN):
            member = members[number % len(members)]
            host = member.host
            if host is None or not host.loaded or member.live.id in self._place:
                continue
            if resident(host, member.deployment.model) is not None:
                self._add(member)
        self._hand = (hand + _IN_TURN) % len(members)

    def _take_warm(self, loads: LoadBook, found: dict[str, Member], now: float) -> bool:
        """Add some that have the model; whether one of them can begin at once."""
        warm, any_free, idle = self._warm, False, 0
        few = len(warm) <= _WARM
        for attempt in range(len(warm) if few else _WARM):
            if not warm or idle == _IDLE:
                break
            member = warm[attempt % len(warm) if few else int(self._draw() * len(warm))]
            if not _is_warm(member, loads, now):
                self._remove(member)
                continue
            found[member.live.id] = member
            host = member.host
            ahead = 0 if host is None else ahead_of(host)
            idle += not ahead
            any_free = any_free or host is None or ahead < (host.slots or _SLOTS_ASSUMED)
        return any_free

    def _add(self, member: Member) -> None:
        self._place[member.live.id] = len(self._warm)
        self._warm.append(member)

    def _remove(self, member: Member) -> None:
        place, last = self._place.pop(member.live.id), self._warm.pop()
        if last is not member:
            self._warm[place] = last
            self._place[last.live.id] = place


def _is_warm(member: Member, loads: LoadBook, now: float) -> bool:
    host, model = member.host, member.deployment.model
    if host is None:
        return False
    if model in host.loaded or member.live.in_flight or resident(host, model) is not None or host.waiting.get(model):
        return True
    if host.elsewhere and host.is_wanted_elsewhere(model):
        return True
    return model in loads.loading(host, now) or loads.expects(host, member.deployment, now)
