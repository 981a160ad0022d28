"""What the story needs, as protocols: it knows neither providers nor dialects nor the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Protocol

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.flight import Sender
from pointsman.core.passage import NoPassages, Passages
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.lifecycle.announce import Audience
from pointsman.lifecycle.heads import Heads
from pointsman.lifecycle.loads import Abandoned, NoLoads
from pointsman.lifecycle.outbox import Outbox
from pointsman.lifecycle.wake import NoWaker, Rouser
from pointsman.policies.admission import Admission
from pointsman.policies.keyring import Keyring
from pointsman.policies.request_terms import RequestTerms
from pointsman.routing.router import Router
from pointsman.routing.table import RoutingTable
from pointsman.wire.limits import KEEPALIVE_SECONDS

if TYPE_CHECKING:
    from pointsman.lifecycle.traffic import Traffic

__all__ = ["House", "LaneFinder", "Manners"]


class LaneFinder(Protocol):
    """Finds the lane from what a client asks for to a deployment."""

    def lane(self, operation: Operation, deployment: Deployment) -> Lane:
        """The lane.

        Raises:
            Unsupported: the provider cannot do this operation.
        """
        ...


class Manners(msgspec.Struct, frozen=True):
    """How answers look and what is kept of them.

    A streaming client that waits, for its turn or for another attempt, is told so every ``keepalive_seconds``.
    ``keeps`` is what is kept of calls besides: ``prompts``, and ``user_agent``, for metrics.
    ``terms`` are what every request has to say; None, as mostly, where the operator wants nothing.
    """

    version: str
    keeps: frozenset[str] = frozenset()
    pass_through_for_all_keys: bool = False
    manages_ollama: bool = False
    charges_energy: bool = False
    tells_upstream_headers: bool = False
    keepalive_seconds: float = KEEPALIVE_SECONDS
    suggest: Callable[[str], str | None] = lambda _name: None
    terms: RequestTerms | None = None


class House:
    """The parts, put together by the assembly; the router's table and ``manners`` are replaced on a reload.

    ``passages`` lead to the providers' own APIs; nowhere, unless it is set. ``loads`` takes over the requests of
    clients that left while a model was loaded; none, unless it is set. ``waker`` wakes hosts that sleep. ``sleep``
    waits for so many seconds.

    ``listeners`` hear of calls that succeed, ``failure_listeners`` of the others. ``traffic`` is what rules about the
    models' traffic do, None without any. ``issued`` are the tokens that clouds gave, which nobody is told.
    """

    __slots__ = (
        "admission",
        "clock",
        "failure_listeners",
        "heads",
        "issued",
        "keyring",
        "lanes",
        "listeners",
        "loads",
        "manners",
        "outbox",
        "passages",
        "router",
        "sender",
        "sleep",
        "traffic",
        "waker",
    )

    def __init__(
        self,
        *,
        keyring: Keyring,
        admission: Admission,
        router: Router,
        lanes: LaneFinder,
        sender: Sender,
        outbox: Outbox,
        audience: Audience,
        clock: Clock,
        manners: Manners,
    ) -> None:
        self.keyring = keyring
        self.admission = admission
        self.router = router
        self.lanes = lanes
        self.sender = sender
        self.outbox = outbox
        self.listeners = tuple(audience.every_call)
        self.failure_listeners = (*audience.every_call, *audience.failures)
        self.clock = clock
        self.manners = manners
        self.passages: Passages = NoPassages()
        self.loads: Abandoned = NoLoads()
        self.waker: Rouser = NoWaker()
        self.traffic: Traffic | None = None
        self.issued: Callable[[], Iterable[str]] = tuple
        self.heads = Heads(manners.version)
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        router.budget.begin(clock.monotonic())

    @property
    def table(self) -> RoutingTable:
        """What there is to route to."""
        return self.router.table
