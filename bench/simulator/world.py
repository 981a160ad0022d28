"""Plays a scenario under a strategy, with the product's own router, and tells what came of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Final

import msgspec

from pointsman.core.rules import RoutingRules
from pointsman.core.upstream import Deployment, Operation
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings, StrategyChoice
from pointsman.routing.table import RoutingTable
from pointsman.routing.wish import Wish
from simulator.machines import Machine, MachineKind, Visit
from simulator.traffic import Arrival, Scenario, arrivals, models_of

__all__ = ["PRICE_KWH", "STRATEGIES", "Outcome", "Trial", "deployment_at", "play"]

PRICE_KWH: Final = 0.30
_GIGABYTE: Final = 1_000_000_000
_KINDS: Final = (
    MachineKind(24 * _GIGABYTE),
    MachineKind(48 * _GIGABYTE, watts_busy=450.0),
    MachineKind(24 * _GIGABYTE, load_bytes_per_second=0.8e9, watts_busy=300.0),
)


class Trial(msgspec.Struct, frozen=True):
    """A strategy to play. Without ``affinity`` no request says to which conversation it belongs."""

    title: str
    strategy: str
    affinity: bool = False


STRATEGIES: Final = (
    Trial("random", "simple-shuffle"),
    Trial("round robin", "round-robin"),
    Trial("least busy", "least-busy"),
    Trial("latency", "latency-based-routing"),
    Trial("warm first, no affinity", "warm-first"),
    Trial("warm first", "warm-first", affinity=True),
)


class Outcome(msgspec.Struct, frozen=True):
    """Seconds, counts and shares of a scenario under a strategy.

    ``wait`` is until a request is worked on, ``first_token`` until it is answered; ``fairness`` is Jain's index over
    the keys, of the share of their time in which they were served and not waiting.
    """

    strategy: str
    hosts: int
    requests: int
    wait_p50: float
    wait_p95: float
    first_token_p50: float
    first_token_p95: float
    loads: int
    loads_per_hour: float
    busy_share: float
    fairness: float
    cached_share: float
    kwh: float
    energy_cost: float


def play(scenario: Scenario, trial: Trial, traffic: Sequence[Arrival] | None = None) -> Outcome:
    """One strategy; the same result for the same arguments."""
    world = _World(scenario, trial)
    for arrival in arrivals(scenario) if traffic is None else traffic:
        world.expect(arrival)
    world.run()
    return world.outcome()


class _World:
    def __init__(self, scenario: Scenario, trial: Trial) -> None:
        self._scenario = scenario
        self._trial = trial
        self._now = 0.0
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._visits: list[Visit] = []
        self._prompt_tokens = 0
        models = models_of(scenario)
        urls = [f"http://host-{number}:11434" for number in range(scenario.hosts)]
        table = RoutingTable([deployment_at(model.name, url) for model in models for url in urls])
        settings = RoutingSettings(strategy=StrategyChoice(trial.strategy))
        self._router = Router(table, settings, random.Random(scenario.seed).random)
        sizes = {model.name: model.size_bytes for model in models}
        self._machines = {
            url: self._machine(url, _KINDS[number % len(_KINDS)], sizes) for number, url in enumerate(urls)
        }

    def expect(self, arrival: Arrival) -> None:
        """It will come."""
        self._at(arrival.at, lambda: self._arrive(arrival))

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._events:
            self._now, _, deed = heappop(self._events)
            deed()

    def outcome(self) -> Outcome:
        """What came of it."""
        scenario, visits = self._scenario, self._visits
        waits = sorted(visit.started_at - visit.arrival.at for visit in visits)
        firsts = sorted(visit.first_token_at - visit.arrival.at for visit in visits)
        tallies = [machine.tally for machine in self._machines.values()]
        loads, busy = sum(one.loads for one in tallies), sum(one.busy_seconds for one in tallies)
        span = max(self._now, scenario.seconds)
        joules = sum(
            machine.kind.watts_idle * (span - machine.tally.busy_seconds)
            + machine.kind.watts_busy * machine.tally.busy_seconds
            for machine in self._machines.values()
        )
        return Outcome(
            strategy=self._trial.title,
            hosts=scenario.hosts,
            requests=len(visits),
            wait_p50=_quantile(waits, 0.50),
            wait_p95=_quantile(waits, 0.95),
            first_token_p50=_quantile(firsts, 0.50),
            first_token_p95=_quantile(firsts, 0.95),
            loads=loads,
            loads_per_hour=loads * 3600.0 / span,
            busy_share=busy / (span * scenario.hosts),
            fairness=_fairness(visits),
            cached_share=sum(one.cached_tokens for one in tallies) / max(self._prompt_tokens, 1),
            kwh=joules / 3.6e6,
            energy_cost=joules / 3.6e6 * PRICE_KWH,
        )

    def _arrive(self, arrival: Arrival) -> None:
        pool = self._router.pool(arrival.model)
        if pool is None:
            raise LookupError(arrival.model)
        rules = RoutingRules(session=arrival.session if self._trial.affinity else None)
        wish = Wish(Operation.CHAT, arrival.prompt_tokens, None, True, arrival.key, rules=rules)
        member, _ = self._router.choose(pool, wish, self._now)
        self._prompt_tokens += arrival.prompt_tokens
        machine = self._machines[member.deployment.api_base]
        machine.take(Visit(arrival, member, self._visits.append), self._now)

    def _at(self, at: float, deed: Callable[[], None]) -> None:
        heappush(self._events, (at, next(self._order), deed))

    def _machine(self, url: str, kind: MachineKind, sizes: dict[str, int]) -> Machine:
        host = self._router.fleet.at(url)
        kind = msgspec.structs.replace(kind, slots=self._scenario.slots)
        host.kind, host.slots, host.vram_total_bytes = "ollama", kind.slots, kind.vram_bytes

        def after(seconds: float, deed: Callable[[], None]) -> None:
            def happen() -> None:
                machine.now = self._now
                deed()

            self._at(self._now + seconds, happen)

        machine = Machine(host, self._router.fleet.queue_of(host), kind, sizes, after)
        return machine


def deployment_at(model: str, url: str) -> Deployment:
    """A model on a host."""
    return Deployment(
        id=f"{model}@{url}",
        group=model,
        provider="ollama_chat",
        model=model,
        litellm_model=f"ollama_chat/{model}",
        api_base=url,
        price=None,
        charges=False,
        local=True,
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def _fairness(visits: Sequence[Visit]) -> float:
    served: dict[str, float] = {}
    taken: dict[str, float] = {}
    for visit in visits:
        key = visit.arrival.key
        served[key] = served.get(key, 0.0) + visit.ended_at - visit.started_at
        taken[key] = taken.get(key, 0.0) + visit.ended_at - visit.arrival.at
    shares = [served[key] / taken[key] for key in served if taken[key] > 0]
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares)) if shares else 1.0
