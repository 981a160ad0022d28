"""What lies in the memory of local hosts, and what is about to: what it costs to have a model there."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Host, LoadedModel

__all__ = ["LoadBook", "Loading", "ahead_of", "load_seconds", "resident"]

_LATEST: Final = ":latest"
_BYTES_PER_SECOND: Final = 1_000_000_000
"""How fast weights come from a disk into a GPU, carefully: a good NVMe disk gives two or three times that."""
_START_SECONDS: Final = 2.0
_MODELS_MAX: Final = 16_384
_BYTES_ASSUMED: Final = 6_000_000_000
_MODELS_OF_HOST_MAX: Final = 1024
_FORGET_SECONDS: Final = 300.0
_KEPT_SECONDS: Final = 300.0
"""Ollama's ``keep_alive``, unless something else is said."""
_LOADS_ON_DEMAND: Final = frozenset({"lm_studio", "ollama", "ollama_chat"})
_UNKNOWN_DEMAND: Final = 0.5
_LEAST_DEMAND: Final = 0.1
_NOTHING: Final[Mapping[str, Loading]] = {}


class Loading(msgspec.Struct, frozen=True):
    """A model that was asked for where it is not in memory; ``until`` is when it will be (monotonic seconds)."""

    size_bytes: int
    until: float


def resident(host: Host, model: str) -> LoadedModel | None:
    """The model in a host's memory; Ollama leaves out the tag ``latest`` where it pleases."""
    loaded = host.loaded
    found = loaded.get(model)
    if found is None and loaded and ":" not in model:
        found = loaded.get(model + _LATEST)
    elif found is None and model.endswith(_LATEST):
        found = loaded.get(model.removesuffix(_LATEST))
    return found


def ahead_of(host: Host) -> int:
    """Requests that a further one would find there: ours in all processes, or what the server tells of if more."""
    ahead = sum(host.in_flight.values()) if host.in_flight else 0
    if host.waiting:
        ahead += sum(host.waiting.values())
    if host.elsewhere:
        for use in host.elsewhere.values():
            ahead += sum(use.running.values()) + sum(use.waiting.values())
    if host.others_running is not None:
        ahead = max(ahead, host.others_running + (host.others_waiting or 0))
    return ahead


def load_seconds(size_bytes: int) -> float:
    """How long it takes to load that much, with nothing else known."""
    return _START_SECONDS + size_bytes / _BYTES_PER_SECOND


class LoadBook:
    """Loads that requests have begun and no host reports yet, how large models are, and when each was used last."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._loading: dict[str, dict[str, Loading]] = {}
        self._used: dict[str, dict[str, float]] = {}

    def size_of(self, model: str) -> int:
        """Bytes, as some host has reported; a usual size where none has."""
        return self._sizes.get(model, _BYTES_ASSUMED)

    def heard(self, model: str, size_bytes: int) -> None:
        """A model lies on some host's disk and has that size, which is the best guess until it is seen in memory."""
        if size_bytes and len(self._sizes) < _MODELS_MAX:
            self._sizes.setdefault(model, size_bytes)

    def _saw(self, model: str, loaded: LoadedModel) -> None:
        size = loaded.vram_bytes or loaded.size_bytes
        if size:
            if len(self._sizes) >= _MODELS_MAX:
                self._sizes.clear()
            self._sizes[model] = size

    def demand(self, host: Host, model: str, now: float) -> float:
        """How likely it is that a model is wanted there again: from 1, just used, down to a little; unknown is half."""
        used = self._used.get(host.url, {}).get(model.removesuffix(_LATEST))
        return _UNKNOWN_DEMAND if used is None else max(exp((used - now) / _FORGET_SECONDS), _LEAST_DEMAND)

    def expects(self, host: Host, deployment: Deployment, now: float) -> bool:
        """Whether a host that tells nothing of its memory probably has the model there.

        Most serve what they were started with; Ollama and LM Studio load what is asked for, and keep it a while.
        """
        if host.loaded:
            return False
        kind = host.kind or deployment.provider
        if kind not in _LOADS_ON_DEMAND:
            return True
        used = self._used.get(host.url, {}).get(deployment.model.removesuffix(_LATEST))
        return not host.kind and used is not None and used + _KEPT_SECONDS > now

    def loading(self, host: Host, now: float) -> Mapping[str, Loading]:
        """What is being loaded there, by model."""
        found = self._loading.get(host.url)
        if not found:
            return _NOTHING
        over = [model for model, load in found.items() if load.until <= now or resident(host, model) is not None]
        for model in over:
            del found[model]
        return found

    def used(self, host: Host, model: str, now: float) -> None:
        """A request for the model was sent there; if it is not in memory, that loads it."""
        there = self._used.setdefault(host.url, {})
        if len(there) >= _MODELS_OF_HOST_MAX:
            there.clear()
        there[model.removesuffix(_LATEST)] = now
        held = resident(host, model)
        if held is None:
            self._begin(host, model, now)
        else:
            self._saw(model, held)

    def _begin(self, host: Host, model: str, now: float) -> None:
        there = self._loading.setdefault(host.url, {})
        if model not in there:
            size = self.size_of(model)
            begin = max((load.until for load in there.values()), default=now)
            there[model] = Loading(size, max(begin, now) + load_seconds(size))
