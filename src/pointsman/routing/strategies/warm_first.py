"""Ours, for local servers: to the host that has the model in memory, unless waiting there costs more than loading.

For each host the seconds until the request would be served are estimated: what waits there, loading the model if it is
not in memory, and what is pushed out of memory for it, which somebody will have to load again. The least wins; among
equals weight, then who has least to do. A deployment that is not local is considered when every host keeps one waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman.routing.hosts import Host
from pointsman.routing.pool import Member, Pick
from pointsman.routing.residency import LoadBook, ahead_of, load_seconds, resident
from pointsman.routing.wish import Wish

__all__ = ["WarmFirst"]

_USUAL_SECONDS: Final = 5.0
_SLOTS_ASSUMED: Final = 4
"""Of a host that takes as many as come: more at once only make each slower."""
_SHARING: Final = 0.1
"""What each slot in use adds to a call, as a share of its time: a GPU does several at once, but not for nothing."""
_SPILLED: Final = 2.0
"""How much longer a model takes that lies partly outside the GPU's memory."""
_OVERFLOW_SECONDS: Final = 30.0
_BUSY_EVICTION: Final = 2.0

_Bid = tuple[float, str, bool]
"""Seconds, the reason, and whether the model is there already."""


class WarmFirst:
    """See :class:`pointsman.routing.pool.Strategy`. ``loads`` is shared by the pools, which share the hosts."""

    name = "warm-first"

    def __init__(self, loads: LoadBook) -> None:
        self._loads = loads
        self._usual = _USUAL_SECONDS

    def pick(self, candidates: Sequence[Member], wish: Wish, now: float) -> Pick:
        """The one that serves soonest, all told."""
        best: Member | None = None
        best_rank = (0.0, 0.0, 0.0)
        reason, is_warm, any_warm = "", False, False
        for member in candidates:
            seconds, why, warm = self._bid(member, wish, now)
            any_warm = any_warm or warm
            weight, host = member.deployment.weight, member.host
            rank = (
                seconds,
                -weight if host is None else -weight * host.weight,
                member.live.in_flight if host is None else ahead_of(host) + len(host.loaded) / 1024,
            )
            if best is None or rank < best_rank:
                best, best_rank, reason, is_warm = member, rank, why, warm
        if best is None:
            return candidates[0], reason
        return best, ("spread" if any_warm and not is_warm and best.host is not None else reason)

    def took(self, member: Member, _wish: Wish, now: float) -> None:
        """The model is used there, and loaded if it was not in memory."""
        if member.host is not None:
            self._loads.used(member.host, member.deployment.model, now)
        if member.live.meter is not None:
            self._usual = member.live.meter.usual_seconds or self._usual

    def _bid(self, member: Member, wish: Wish, now: float) -> _Bid:
        host, live, model = member.host, member.live, member.deployment.model
        usual = (live.meter.usual_seconds if live.meter is not None else 0.0) or self._usual
        if host is None:
            return _OVERFLOW_SECONDS + live.in_flight * _SHARING, "overflow", False
        slots = host.slots or _SLOTS_ASSUMED
        ahead = ahead_of(host)
        ahead = max(ahead, live.in_flight)
        wait = usual * (_SHARING * min(ahead, slots) + max(ahead + 1 - slots, 0)) / slots / (host.weight or 1.0)
        held = resident(host, model)
        if held is not None:
            if held.context_tokens is not None and wish.prompt_tokens > held.context_tokens:
                return wait + load_seconds(self._loads.size_of(model)), "reloads", True
            return (wait + usual * _SPILLED, "loaded_spilled", True) if held.is_spilled else (wait, "loaded", True)
        loading = self._loads.loading(host, now)
        if model in loading:
            return wait + loading[model].until - now, "loading", True
        if live.in_flight or host.waiting.get(model):
            return wait, "loading", True
        queue = max((load.until for load in loading.values()), default=now) - now
        extra, reason = self._room(host, model, sum(load.size_bytes for load in loading.values()), now)
        return wait + queue + load_seconds(self._loads.size_of(model)) + extra, reason, False

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
        return lost + _BUSY_EVICTION * (self._usual + load_seconds(still_missing)), "evicts_busy"

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


def _in_use(host: Host, name: str) -> bool:
    short = name.removesuffix(":latest")
    return any(host.in_flight.get(each) or host.waiting.get(each) for each in (name, short))
