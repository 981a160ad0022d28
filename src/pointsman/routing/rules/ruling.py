"""What follows from rules, and from what a request wishes itself."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["NO_DEMANDS", "Demands", "Overflow", "Restriction", "Ruling"]


class Restriction(msgspec.Struct, frozen=True):
    """Which deployments may serve at all. Empty: any; ``local`` None: wherever it is. ``rule`` says so."""

    rule: str
    tags: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    deployments: frozenset[str] = frozenset()
    local: bool | None = None


class Overflow(msgspec.Struct, frozen=True):
    """The model to go to where the wait is longer than ``seconds``; None: stay with this one. ``rule`` says so."""

    rule: str
    to: str | None
    seconds: float


class Demands(msgspec.Struct, frozen=True):
    """What deployments must be like, for one request. ``max_cost`` is in picodollars, ``max_latency`` in seconds.

    ``prefer`` is ``local``, ``cheap``, ``fast`` or empty. ``strategy`` empty: the pool's own. ``cost_by`` says whose
    bound the cost is. Local ones are only preferred while they have to be waited for no longer than ``local_wait_max``
    seconds. ``region`` None: wherever they are. ``filters_by_tags``: the request's tags decide, too.
    """

    only: tuple[Restriction, ...] = ()
    prefer: str = ""
    max_cost: int | None = None
    cost_by: str = ""
    max_latency: float | None = None
    strategy: str = ""
    local_wait_max: float | None = None
    region: str | None = None
    filters_by_tags: bool = False


NO_DEMANDS: Final = Demands()


class Ruling(msgspec.Struct, frozen=True):
    """Which rules matched, and what they come to. ``refuse`` is the message of the one that ``refused_by``."""

    matched: tuple[str, ...] = ()
    model: str | None = None
    demands: Demands = NO_DEMANDS
    overflow: Overflow | None = None
    refuse: str | None = None
    refused_by: str = ""
