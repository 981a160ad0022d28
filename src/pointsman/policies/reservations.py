"""Shares of a model's capacity that are reserved for keys by their priority.

The capacity of a model is what its deployments may be sent in a minute, together. It is held to always; the share of a
priority only once a part of the capacity is in use, so that nothing lies idle while there is enough. Source: LiteLLM
1.109.1, ``dynamic_rate_limiter_v3.py``; https://docs.litellm.ai/docs/proxy/dynamic_rate_limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.policies.accounts import Account
from pointsman.policies.general_limits import Reservation
from pointsman.stores.directory.records import Limits

__all__ = ["SharedCapacity", "capacities_of"]

_USUAL: Final = "default_pool"
"""What LiteLLM calls those without a priority."""


def capacities_of(deployments: Iterable[Deployment]) -> dict[str, Limits]:
    """What the deployments of each model group may be sent in a minute; nothing where one of them is unlimited."""
    groups: dict[str, list[Deployment]] = {}
    for deployment in deployments:
        groups.setdefault(deployment.group, []).append(deployment)
    found = {
        name: Limits(rpm_limit=_sum(one.rpm for one in some), tpm_limit=_sum(one.tpm for one in some))
        for name, some in groups.items()
    }
    return {name: limits for name, limits in found.items() if limits != Limits()}


def _sum(limits: Iterable[int | None]) -> int | None:
    total = 0
    for limit in limits:
        if limit is None:
            return None
        total += limit
    return total


class _Group(msgspec.Struct):
    """One model: all of it, and its parts by priority."""

    capacity: Account
    pools: dict[str, Account]


class SharedCapacity:
    """Knows the accounts of models whose capacity is shared out; what they have counted outlives a reload."""

    def __init__(self) -> None:
        self._reservation: Reservation | None = None
        self._groups: dict[str, _Group] = {}

    def follow(self, reservation: Reservation | None, share: int) -> None:
        """Take new shares; ``share`` processes serve them beside each other."""
        before, self._groups = self._groups, {}
        self._reservation = reservation
        if reservation is None:
            return
        for name, limits in reservation.capacities.items():
            group = before.get(name) or _Group(Account("model_capacity", name, share=share), {})
            group.capacity.adopt_limits(limits)
            self._groups[name] = group
            weights = _weights(reservation, limits)
            for priority, weight in weights.items():
                pool = group.pools.get(priority)
                if pool is None:
                    pool = group.pools[priority] = Account("priority_model", f"{name}:{priority}", share=share)
                pool.adopt_limits(_part(limits, weight))
                pool.eases = _Ease(group.capacity, reservation.threshold)

    def share_among(self, processes: int) -> None:
        """Have so many processes serve the models from now on."""
        for group in self._groups.values():
            for account in (group.capacity, *group.pools.values()):
                account.share_among(processes)

    def accounts(self, group: str, priority: str | None) -> tuple[Account, ...]:
        """Those of a call for the model by a key of that priority."""
        known = self._groups.get(group)
        if known is None or self._reservation is None:
            return ()
        named = priority if priority is not None and priority in self._reservation.shares else _USUAL
        return known.capacity, known.pools[named]


class _Ease:
    """Whether a share does not bind yet, since less than ``threshold`` of the capacity is in use."""

    __slots__ = ("_capacity", "_threshold")

    def __init__(self, capacity: Account, threshold: float) -> None:
        self._capacity = capacity
        self._threshold = threshold

    def __call__(self, second: int) -> bool:
        capacity = self._capacity
        used = 0.0
        if capacity.rpm:
            used = capacity.requests.used(second) / capacity.rpm
        if capacity.tpm:
            used = max(used, capacity.tokens.used(second) / capacity.tpm)
        return used < self._threshold


def _weights(reservation: Reservation, capacity: Limits) -> dict[str, float]:
    """The share of each priority; all of them together are at most everything."""
    found = {name: _weight(kind, value, capacity) for name, (kind, value) in reservation.shares.items()}
    total = sum(found.values())
    if total > 1:
        found = {name: weight / total for name, weight in found.items()}
    return {**found, _USUAL: reservation.usual}


def _weight(kind: str, value: float, capacity: Limits) -> float:
    if kind == "percent":
        return value
    whole = capacity.rpm_limit if kind == "rpm" else capacity.tpm_limit
    return min(1.0, value / whole) if whole else 0.0


def _part(capacity: Limits, weight: float) -> Limits:
    def of(limit: int | None) -> int | None:
        return None if limit is None else int(limit * weight + 1e-9)

    return Limits(rpm_limit=of(capacity.rpm_limit), tpm_limit=of(capacity.tpm_limit))
