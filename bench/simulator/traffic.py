"""Synthetic days: which key asks which model when, how long prompts and answers are, and which belong together."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["DAY_SECONDS", "Arrival", "Model", "Scenario", "arrivals", "models_of"]

DAY_SECONDS: Final = 86_400.0
_GIGABYTE: Final = 1_000_000_000
_SIZES: Final = (5, 9, 5, 14, 20, 5, 18, 3, 9, 5, 14, 20)
"""Gigabytes of models as people run them, most popular first."""
_POPULARITY: Final = 0.9
"""Zipf's exponent."""
_TURNS_MEAN: Final = 4.0
_THINK_SECONDS: Final = 25.0
_BURST_SHARE: Final = 0.15
_BURST_SIZE: Final = 12
_BURST_SECONDS: Final = 20.0


class Model(msgspec.Struct, frozen=True):
    """A model and the bytes of it in memory."""

    name: str
    size_bytes: int


class Arrival(msgspec.Struct, frozen=True, order=True):
    """A request at ``at`` seconds; ``fresh_tokens`` of its prompt are not of an earlier turn of its session."""

    at: float
    number: int
    model: str
    key: str
    session: str
    prompt_tokens: int
    fresh_tokens: int
    output_tokens: int


class Scenario(msgspec.Struct, frozen=True):
    """``load`` is the share of all hosts' time that answering would take if no model ever had to be loaded."""

    hosts: int
    models: int = 12
    keys: int = 24
    load: float = 0.35
    seconds: float = DAY_SECONDS
    seed: int = 1
    slots: int = 2
    service_seconds: float = 8.0

    @property
    def rate(self) -> float:
        """Requests per second on the average of the day."""
        return self.load * self.hosts * self.slots / self.service_seconds


def models_of(scenario: Scenario) -> tuple[Model, ...]:
    """The models of a scenario, the most popular first."""
    return tuple(Model(f"model-{n}", _SIZES[n % len(_SIZES)] * _GIGABYTE) for n in range(scenario.models))


def arrivals(scenario: Scenario) -> list[Arrival]:
    """All requests of a scenario in their order; the same for the same seed."""
    chance = random.Random(scenario.seed)
    found: list[Arrival] = []
    for number, (begin, is_burst) in enumerate(_sessions(scenario, chance)):
        found += _burst(scenario, chance, number, begin) if is_burst else _session(scenario, chance, number, begin)
    kept = sorted(one for one in found if one.at < scenario.seconds)
    return [msgspec.structs.replace(one, number=number) for number, one in enumerate(kept)]


def _sessions(scenario: Scenario, chance: random.Random) -> Iterator[tuple[float, bool]]:
    """When sessions and bursts begin: few at night, most in the early afternoon."""
    burst_rate = scenario.rate * _BURST_SHARE / _BURST_SIZE
    session_rate = scenario.rate * (1 - _BURST_SHARE) / _TURNS_MEAN
    peak = 1.8 * (burst_rate + session_rate)
    at = 0.0
    while (at := at + chance.expovariate(peak)) < scenario.seconds:
        hour = 24.0 * at / scenario.seconds
        busy = 1.0 + 0.8 * math.sin(math.pi * (hour - 8.0) / 12.0)
        if chance.random() < busy / 1.8:
            yield at, chance.random() < burst_rate / (burst_rate + session_rate)


def _model(scenario: Scenario, chance: random.Random) -> str:
    weights = [1.0 / (rank + 1) ** _POPULARITY for rank in range(scenario.models)]
    return f"model-{chance.choices(range(scenario.models), weights)[0]}"


def _key(scenario: Scenario, chance: random.Random) -> str:
    return f"key-{min(int(chance.expovariate(4.0) * scenario.keys), scenario.keys - 1)}"


def _session(scenario: Scenario, chance: random.Random, number: int, begin: float) -> Iterator[Arrival]:
    """A conversation: each turn sends all earlier ones along."""
    model, key, at, history = _model(scenario, chance), _key(scenario, chance), begin, chance.randint(200, 3_000)
    fresh = history
    for _ in range(1 + int(chance.expovariate(1.0 / (_TURNS_MEAN - 1)))):
        output = min(20 + int(chance.expovariate(1 / 250)), 2_000)
        yield Arrival(at, 0, model, key, f"s{number}", history, fresh, output)
        fresh = output + chance.randint(20, 400)
        history += fresh
        at += _THINK_SECONDS * chance.uniform(0.4, 3.0)


def _burst(scenario: Scenario, chance: random.Random, number: int, begin: float) -> Iterator[Arrival]:
    """A job: many requests that have nothing to do with one another, at nearly the same time."""
    model, key = _model(scenario, chance), _key(scenario, chance)
    for part in range(_BURST_SIZE):
        prompt, output = chance.randint(300, 1_500), chance.randint(20, 300)
        at = begin + chance.uniform(0, _BURST_SECONDS)
        yield Arrival(at, 0, model, key, f"b{number}-{part}", prompt, prompt, output)
