"""Ours, for local servers: to the host that has the model in memory, unless waiting there costs more than loading.

For each host the seconds until the request would be served are estimated: what waits there, loading the model if it is
not in memory, and what is pushed out of memory for it, which somebody will have to load again. The least wins; among
equals weight, then who has least to do. A deployment that is not local is considered when every host keeps one waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from pointsman.routing.hosts import Host
from pointsman.routing.live import Live
from pointsman.routing.pool import Member, Pick
from pointsman.routing.residency import LoadBook, ahead_of, load_seconds, resident
from pointsman.routing.wish import Wish

__all__ = ["WarmFirst"]

_USUAL_SECONDS: Final = 5.0
"""A call's, while none of the model has ended."""
_HOPED: Final = 0.2
_UNPROVEN: Final = 1.5
"""Until then a wait counts for this share of itself, and a load for that much more, where hosts are compared.

A load takes its time for sure, and takes the host from whoever comes next; so many calls at once, on hosts of which
nothing is known, share those that they load first.
"""
_SLOTS_ASSUMED: Final = 4
"""Of a host that takes as many as come: more at once only make each slower."""
_SHARING: Final = 0.1
"""What each slot in use adds to a call, as a share of its time: a GPU does several at once, but not for nothing."""
_SPILLED: Final = 2.0
"""How much longer a model takes that lies partly outside the GPU's memory."""
_OVERFLOW_SECONDS: Final = 30.0
_BUSY_EVICTION: Final = 2.0

_Bid = tuple[float, str]
"""Seconds until the request is served, and the reason in a word."""


class WarmFirst:
    """See :class:`pointsman.routing.pool.Strategy`. ``loads`` is shared by the pools, which share the hosts."""

    name = "warm-first"

    def __init__(self, loads: LoadBook) -> None:
        self._loads = loads
        self._usual = 0.0

    def pick(self, candidates: Sequence[Member], wish: Wish, now: float) -> Pick:
        """The one that serves soonest, all told."""
        proven = bool(self._usual) or any(map(_is_measured, candidates))
        hope, dread = (1.0, 1.0) if proven else (_HOPED, _UNPROVEN)
        best, least, reason = candidates[0], inf, ""
        cold: list[Member] = []
        for member in candidates:
            bid = self._warm_bid(member, wish, now, hope)
            if bid is None:
                cold.append(member)
            elif bid[0] < least or (bid[0] == least and _ties(member) < _ties(best)):
                best, (least, reason) = member, bid
        any_warm = len(cold) < len(candidates)
        clouds: list[Member] = []
        for member in cold:
            if member.host is None:
                clouds.append(member)
                continue
            load = load_seconds(self._loads.size_of(member.deployment.model)) * dread
            if load > least:
                continue  # it cannot win, whatever its memory looks like
            bid = self._cold_bid(member, member.host, load, now, hope)
            if bid[0] < least or (bid[0] == least and _ties(member) < _ties(best)):
                best, (least, reason) = member, bid
                reason = "spread" if any_warm else reason
        if clouds and not proven and best.host is not None:
            least = self._soberly(best, best.host, wish, now)
        return _near_or_far((best, reason), least, clouds) if clouds else (best, reason)

    def _soberly(self, member: Member, host: Host, wish: Wish, now: float) -> float:
        """Seconds until one of the hosts serves the request, with neither hope nor dread."""
        bid = self._warm_bid(member, wish, now, 1.0)
        if bid is None:
            load = load_seconds(self._loads.size_of(member.deployment.model))
            bid = self._cold_bid(member, host, load, now, 1.0)
        return bid[0]

    def took(self, member: Member, _wish: Wish, now: float) -> None:
        """The model is used there, and loaded if it was not in memory."""
        if member.host is not None:
            self._loads.used(member.host, member.deployment.model, now)
        if _is_measured(member) and member.live.meter is not None:
            self._usual = member.live.meter.usual_seconds

    def _warm_bid(self, member: Member, wish: Wish, now: float, hope: float) -> _Bid | None:
        """What it takes where the model is in memory, or will be anyway; None: it is not."""
        host, live, model = member.host, member.live, member.deployment.model
        if host is None:
            return None
        held = host.loaded.get(model) or resident(host, model)
        if held is None:
            return self._loading_bid(member, host, now, hope)
        wait = hope * self._wait(member, host)
        if held.context_tokens is not None and wish.prompt_tokens > held.context_tokens:
            return wait + load_seconds(self._loads.size_of(model)), "reloads"
        if held.vram_bytes < held.size_bytes and held.is_spilled:
            return wait + _SPILLED * self._usual_of(live), "loaded_spilled"
        return wait, "loaded"

    def _loading_bid(self, member: Member, host: Host, now: float, hope: float) -> _Bid | None:
        loading = self._loads.loading(host, now).get(member.deployment.model)
        if loading is not None:
            return hope * self._wait(member, host) + loading.until - now, "loading"
        model = member.deployment.model
        if member.live.in_flight or host.waiting.get(model) or (host.elsewhere and host.is_wanted_elsewhere(model)):
            return hope * self._wait(member, host), "loading"
        return (
            (hope * self._wait(member, host), "loaded") if self._loads.expects(host, member.deployment, now) else None
        )

    def _cold_bid(self, member: Member, host: Host, load: float, now: float, hope: float) -> _Bid:
        loading = self._loads.loading(host, now)
        queue, coming = 0.0, 0
        for one in loading.values():
            queue, coming = max(queue, one.until - now), coming + one.size_bytes
        extra, reason = self._room(host, member.deployment.model, coming, now)
        return hope * self._wait(member, host) + queue + load + extra, reason

    def _wait(self, member: Member, host: Host) -> float:
        """Seconds until what is there already lets another one in."""
        ahead = max(ahead_of(host), member.live.in_flight)
        if not ahead:
            return 0.0
        slots, usual = host.slots or _SLOTS_ASSUMED, self._usual_of(member.live)
        return usual * (_SHARING * min(ahead, slots) + max(ahead + 1 - slots, 0)) / slots / (host.weight or 1.0)

    def _usual_of(self, live: Live) -> float:
        return (live.meter.usual_seconds if live.meter is not None else 0.0) or self._usual or _USUAL_SECONDS

    def _room(self, host: Host, model: str, coming: int, now: float) -> tuple[float, str]:
        """Seconds that making room for a model costs others, and the reason in a word."""
        size, total = self._loads.size_of(model), host.vram_total_bytes
        if not host.loaded and not coming:
            return 0.0, "idle"
        if total is None:
            # Whether it fits shows only when it is loaded; so it may push out what is there.
            return self._loss(host, size, now)[0] / 2, "idle" if not ahead_of(host) else "shares"
        missing = size + coming - total + sum(held.vram_bytes for held in host.loaded.values())
        if missing <= 0:
            return 0.0, "free_memory"
        lost, still_missing = self._loss(host, missing, now)
        if still_missing <= 0:
            return lost, "evicts_idle"
        return lost + _BUSY_EVICTION * ((self._usual or _USUAL_SECONDS) + load_seconds(still_missing)), "evicts_busy"

    def _loss(self, host: Host, missing: int, now: float) -> tuple[float, int]:
        """Seconds that loading again what is pushed out will cost, and the bytes that are missing even so.

        What is wanted least goes first, and of what is in use nothing.
        """
        idle = [held for held in host.loaded.values() if not _in_use(host, held.name)]
        demands = sorted((self._loads.demand(host, held.name, now), held.vram_bytes) for held in idle)
        lost = 0.0
        for demand, size in demands:
            if missing <= 0:
                break
            lost += demand * load_seconds(size)
            missing -= size
        return lost, missing


def _near_or_far(near: Pick, least: float, clouds: Sequence[Member]) -> Pick:
    """The best of the hosts, which serves in ``least`` seconds, or a cloud where that takes long."""
    best, reason = near
    for member in clouds:
        seconds = _OVERFLOW_SECONDS + member.live.in_flight * _SHARING
        if seconds < least or (seconds == least and _ties(member) < _ties(best)):
            best, least, reason = member, seconds, "overflow"
    return best, reason


def _is_measured(member: Member) -> bool:
    meter = member.live.meter
    return meter is not None and meter.proven


def _ties(member: Member) -> tuple[float, float]:
    """Among equals the heavier comes first, then who has least to do, then who has least in memory."""
    weight, host = member.deployment.weight, member.host
    if host is None:
        return -weight, member.live.in_flight
    return -weight * host.weight, ahead_of(host) + len(host.loaded) / 1024


def _in_use(host: Host, name: str) -> bool:
    short = name.removesuffix(":latest")
    return any(host.is_wanted(each) for each in (name, short))
