"""A few of very many members, worth considering: those that have the model in memory, and some others.

A pool of ten thousand hosts cannot be looked at for each request. Who has the model in memory is remembered: from the
start, from where requests were sent, and from a look at the next few members with each request, in turn, so that what
a host loaded or dropped by itself is noticed too. Whatever is remembered is checked when it is used. Of the rest some
are drawn; the best of a few is nearly as good as the best of all ("power of two choices").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pointsman.routing.pool import Member
from pointsman.routing.residency import LoadBook, resident

__all__ = ["LOOKED_AT_MAX", "Shortlist"]

LOOKED_AT_MAX: Final = 64
"""Of so many members each is looked at."""
_WARM: Final = 6
_IN_TURN: Final = 4
_DRAWN: Final = 6


class Shortlist:
    """See :class:`pointsman.routing.pool.Sampler`. ``draw`` gives numbers in [0, 1)."""

    def __init__(self, members: Sequence[Member], draw: Callable[[], float], loads: LoadBook) -> None:
        self._members = members
        self._draw = draw
        self._loads = loads
        self._hand = 0
        # A list to draw from and the place of each in it, so that adding and removing take the same time at any size.
        self._warm: list[Member] = []
        self._place: dict[str, int] = {}
        self._by_id = {member.live.id: member for member in members}
        for member in members:
            if member.host is not None and resident(member.host, member.deployment.model) is not None:
                self._add(member)

    def look(self, now: float, also: str | None = None) -> Sequence[Member]:
        """Some members, those that have the model first."""
        members, draw = self._members, self._draw
        found = {member.live.id: member for member in self._some_warm(now)}
        if also is not None and also in self._by_id:
            found[also] = self._by_id[also]
        count = len(members)
        for step in range(_IN_TURN):
            member = members[(self._hand + step) % count]
            found[member.live.id] = member
            if member.live.id not in self._place and self._is_warm(member, now):
                self._add(member)
        self._hand = (self._hand + _IN_TURN) % count
        for _ in range(_DRAWN):
            member = members[int(draw() * count)]
            found[member.live.id] = member
        return tuple(found.values())

    def took(self, member: Member) -> None:
        """A request goes to ``member``, which loads the model if it has to."""
        if member.host is not None and member.live.id not in self._place and member.live.id in self._by_id:
            self._add(member)

    def _some_warm(self, now: float) -> list[Member]:
        found: list[Member] = []
        for attempt in range(2 * _WARM):
            if len(found) == _WARM or attempt >= len(self._warm):
                break
            warm = self._warm
            number = attempt if len(warm) <= _WARM else int(self._draw() * len(warm))
            member = warm[number]
            if self._is_warm(member, now):
                found.append(member)
            else:
                self._remove(member)
        return found

    def _is_warm(self, member: Member, now: float) -> bool:
        host, model = member.host, member.deployment.model
        if host is None:
            return False
        if resident(host, model) is not None or member.live.in_flight or host.waiting.get(model):
            return True
        return model in self._loads.loading(host, now)

    def _add(self, member: Member) -> None:
        self._place[member.live.id] = len(self._warm)
        self._warm.append(member)

    def _remove(self, member: Member) -> None:
        place, last = self._place.pop(member.live.id), self._warm.pop()
        if last is not member:
            self._warm[place] = last
            self._place[last.live.id] = place
