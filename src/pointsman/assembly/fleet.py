"""Keeps what routing believes of the local servers true: who they are, what they may be sent, what was seen of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import inf
from typing import Final

from pointsman.assembly.host_rules import KINDS, host_rules
from pointsman.config.load import Loaded
from pointsman.core.clock import Clock
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment
from pointsman.lifecycle.calling import call
from pointsman.lifecycle.turn import send_away
from pointsman.providers.discovery import (
    POLL_SECONDS,
    FleetWatch,
    FoundHost,
    HostKind,
    InMemory,
    Pause,
    Report,
    Watched,
)
from pointsman.providers.ollama.facts import control_headers
from pointsman.providers.transport import Fetcher
from pointsman.routing.hosts import Host, HostRules, LoadedModel, address_of
from pointsman.routing.queue import QueueRules
from pointsman.routing.router import Router

__all__ = ["FleetFeed"]

OLLAMA_SLOTS: Final = 8
"""Ollama has a queue of its own, which knows neither keys nor priorities: what it has been sent is out of our hands."""
LM_STUDIO_SLOTS: Final = 4

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_USED_SECONDS: Final = 60.0
"""So long after its last request a server is worth watching."""
_KNOWN_SECONDS: Final = 2 * POLL_SECONDS
_HEARD_SECONDS: Final = 10.0
"""Who answered a request just now is there, however slow it is to answer questions."""


class FleetFeed:
    """Made once; :meth:`follow` takes over each new configuration or table.

    ``pause`` waits for so many seconds and no longer than until a request is sent.
    """

    def __init__(
        self, router: Router, fetcher: Fetcher, nursery: Nursery, clock: Clock, pause: Pause | None = None
    ) -> None:
        self._fleet = router.fleet
        self._loads = router.loads
        self._clock = clock
        self._parallel: int | None = None
        self._hosts: dict[str, Host] = {}
        self.watch = FleetWatch(fetcher, nursery, self._report, self._pace, clock, pause)

    def follow(self, loaded: Loaded, deployments: Iterable[Deployment], found: Iterable[FoundHost]) -> None:
        """Take over what there is to route to: the table's ``deployments`` and its wildcards', and what was found."""
        fleet, now = self._fleet, self._clock.monotonic()
        settings = loaded.settings
        fleet.queue_rules = QueueRules(
            settings.local.queue_max_group_wait_seconds,
            settings.local.queue_ageing_seconds,
            settings.router_settings.default_priority or 0,
            settings.local.queue_wait_seconds_max,
        )
        self._parallel = loaded.environment.ollama_num_parallel
        rules = host_rules(settings.local.local_hosts)
        kinds = {address_of(host.url): host.kind for host in found}
        local = [deployment for deployment in deployments if deployment.local]
        first: dict[str, Deployment] = {}
        served: dict[str, set[str]] = {}
        for deployment in local:
            url = address_of(deployment.api_base)
            first.setdefault(url, deployment)
            served.setdefault(deployment.group, set()).add(url)
        shared = {url for urls in served.values() if len(urls) > 1 for url in urls}
        self._hosts = {url: fleet.at(url) for url in first}
        for url, deployment in first.items():
            host = self._hosts[url]
            host.rules = rules.get(url, HostRules())
            host.kind = host.rules.kind or kinds.get(url) or KINDS.get(deployment.provider) or host.kind or "openai"
            host.is_shared = url in shared
            self._resize(host, now)
        fleet.listed = tuple(self._hosts.values())
        self.watch.follow(Watched(url, _kind(host), control_headers(first[url])) for url, host in self._hosts.items())
        self._hear(found)

    def in_memory(self, url: str) -> Collection[str] | None:
        """The models that were seen in a server's memory a moment ago; None: nobody has looked lately."""
        host = self._hosts.get(address_of(url))
        is_known = host is not None and host.seen_at and self._clock.monotonic() - host.seen_at < _KNOWN_SECONDS
        return host.loaded if host is not None and is_known else None

    def _hear(self, found: Iterable[FoundHost]) -> None:
        """What discovery saw of servers that are otherwise left alone."""
        now = self._clock.monotonic()
        for one in found:
            for model in one.models:
                self._loads.heard(model.name, model.size_bytes or 0)
            host = self._fleet.at(one.url)
            if one.online:
                host.online = True
            elif host.online and not self._was_heard(host, now):
                host.went_away()
                send_away(host)

    def _report(self, report: Report) -> None:
        host, now = self._hosts[report.url], self._clock.monotonic()
        if not report.online:
            if host.online and not self._was_heard(host, now):
                host.went_away()
                send_away(host)
            return
        host.online = True
        host.seen_at = now
        state = report.state
        if state is None:
            return
        host.kind = host.rules.kind or state.kind
        host.others_running, host.others_waiting = state.running, state.waiting
        if state.loaded is not None:
            host.told({model.name: _loaded(model, now) for model in state.loaded}, now)
        self._resize(host, now, state.slots)

    def _resize(self, host: Host, now: float, told: int | None = None) -> None:
        said = host.rules.slots
        slots = (said or None) if said is not None else self._usual_slots(host, told)
        started = self._fleet.resize(host, slots, now)
        if host.queue is not None:
            call(host.queue, started)
            if self._fleet.sharing is not None and host.queue.depth:
                self._fleet.sharing.changed(host)

    def _usual_slots(self, host: Host, told: int | None) -> int | None:
        """How many requests a host is sent at once, where the operator does not say."""
        match host.kind:
            case "ollama":
                own = host.url.partition("://")[2].rpartition(":")[0] in _THIS_MACHINE
                return self._parallel if own and self._parallel else OLLAMA_SLOTS
            case "lm_studio":
                return LM_STUDIO_SLOTS
            case "llama_cpp":
                return told or host.slots
        return None

    def _pace(self, url: str) -> float:
        """How many seconds old a look at a host may be."""
        host = self._hosts[url]
        if host.is_surprised:
            host.is_surprised = False
            return 0.0
        if host.is_shared or host.is_minded or not host.online or host.in_flight or host.waiting:
            return POLL_SECONDS
        return POLL_SECONDS if host.used_at and self._clock.monotonic() - host.used_at < _USED_SECONDS else inf

    def _was_heard(self, host: Host, now: float) -> bool:
        return bool(host.heard_at) and now - host.heard_at < _HEARD_SECONDS


def _kind(host: Host) -> HostKind:
    return next((kind for kind in KINDS.values() if kind == host.kind), "openai")


def _loaded(model: InMemory, now: float) -> LoadedModel:
    return LoadedModel(
        model.name,
        model.size_bytes,
        model.vram_bytes,
        model.context_tokens,
        0.0 if model.expires_in is None else now + model.expires_in,
    )
