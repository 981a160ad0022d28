"""Local model servers, as far as routing has to know them: what is loaded, what is under way, what waits.

Whoever watches them (see :mod:`pointsman.providers.discovery`) writes here; strategies and queues read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.power import Power
from pointsman.routing.queue import HostQueue, QueueRules, Ticket

__all__ = ["Fleet", "Host", "HostRules", "LoadedModel", "SlotSharing", "Use", "WakeRule", "address_of"]

_HOSTS_MAX: Final = 16_384
_QUEUE_MAX: Final = 512
_MODELS_MAX: Final = 4096
_LATEST: Final = ":latest"


class LoadedModel(msgspec.Struct, frozen=True):
    """A model in a host's memory. Bytes; ``expires_at`` is monotonic seconds, 0: it stays or nobody told."""

    name: str
    size_bytes: int = 0
    vram_bytes: int = 0
    context_tokens: int | None = None
    expires_at: float = 0.0

    @property
    def is_spilled(self) -> bool:
        """Whether a part of it lies outside the GPU's memory, so that it is slow."""
        return 0 < self.vram_bytes < self.size_bytes


class HostRules(msgspec.Struct, frozen=True):
    """What the operator says of one host; None: it is found out, or as usual.

    ``slots`` 0: as many requests at once as come.
    """

    kind: str = ""
    slots: int | None = None
    queue_max: int | None = None
    weight: float = 1.0
    num_ctx_max: int | None = None


class WakeRule(msgspec.Struct, frozen=True):
    """Whose network card wakes a host (six bytes), and where the packet is sent."""

    mac: bytes
    address: str = "255.255.255.255"
    port: int = 9


class Use(msgspec.Struct, frozen=True):
    """What another process has under way at a host and what waits there, by model; heard at ``at``."""

    running: Mapping[str, int]
    waiting: Mapping[str, int]
    at: float


class SlotSharing(Protocol):
    """Asks for slots of hosts that other processes send requests to, too."""

    def changed(self, host: Host) -> None:
        """Somebody came to wait for the host, or has left it. Whose turn it is thereby has been told on return."""
        ...


class Host(msgspec.Struct, eq=False):
    """One local server now. ``url`` is what its deployments have as ``api_base``, without ``/v1``.

    ``slots`` is how many requests it is sent at once, None: as many as come; ``queue_max`` how many more may wait.
    ``loaded`` is by the model's name there. ``in_flight`` and ``waiting`` are ours, by model; ``others_running`` and
    ``others_waiting`` what the server says of itself, whoever asked. ``vram_total_bytes`` is learned from a model that
    did not fit. ``used_at``, ``heard_at`` and ``seen_at`` are when it was last sent something, answered us well and was
    looked at; moments are monotonic seconds. ``is_shared`` tells whether some model is served by another host too.
    """

    url: str
    kind: str = ""
    online: bool = True
    loaded: Mapping[str, LoadedModel] = {}
    vram_total_bytes: int | None = None
    slots: int | None = None
    queue_max: int = _QUEUE_MAX
    weight: float = 1.0
    in_flight: dict[str, int] = {}
    waiting: dict[str, int] = {}
    loading: dict[str, int] = {}
    """Our calls that found a model not loaded and have not been answered yet, by model."""
    used: dict[str, float] = {}
    """When our last call of each model ended there, or we had it loaded."""
    used_elsewhere: dict[str, float] = {}
    """The same of the other processes, as far as was heard; also when one was last known to be under way."""
    is_minded: bool = False
    """Whether it is looked after what is in its memory, so that this has to be known."""
    sleeps: bool = False
    """Whether its model may be had sleep and be woken, where it is a vLLM."""
    wake: WakeRule | None = None
    """How it is woken when it sleeps; None: it cannot be."""
    power: Power | None = None
    """What it draws; None: nobody told."""
    rules: HostRules = HostRules()
    queue: HostQueue | None = None
    elsewhere: Mapping[str, Use] = {}
    """What other processes of this gateway have there, by their names."""
    others_running: int | None = None
    others_waiting: int | None = None
    used_at: float = 0.0
    heard_at: float = 0.0
    seen_at: float = 0.0
    is_shared: bool = False
    is_surprised: bool = False
    """Whether traffic showed something that should be looked after at once."""

    @property
    def busy(self) -> int:
        """Requests of ours under way there."""
        return sum(self.in_flight.values())

    @property
    def queued(self) -> int:
        """Requests of ours that wait for it."""
        return sum(self.waiting.values())

    def hear(self, process: str, use: Use | None) -> None:
        """Another process has this under way there; None: nothing any more."""
        others = {name: kept for name, kept in self.elsewhere.items() if name != process}
        if use is not None:
            others[process] = use
            for model in use.running:
                self.heard_used(model, use.at)
        self.elsewhere = others
        if self.queue is not None:
            self.count_elsewhere(self.queue)

    def heard_used(self, model: str, at: float) -> None:
        """Another process used a model there at that moment."""
        before = self.used_elsewhere.get(model)
        if before is not None or len(self.used_elsewhere) < _MODELS_MAX:
            self.used_elsewhere[model] = at if before is None else max(at, before)

    def last_used(self, model: str) -> float | None:
        """When the model was used there last, by whatever process; None: not that anybody knows."""
        moments = [at for at in (self.used.get(model), self.used_elsewhere.get(model)) if at is not None]
        return max(moments, default=None)

    def count_elsewhere(self, queue: HostQueue) -> None:
        """Tell its line how many others run there and wait."""
        queue.running_elsewhere = sum(sum(use.running.values()) for use in self.elsewhere.values())
        queue.waiting_elsewhere = sum(sum(use.waiting.values()) for use in self.elsewhere.values())

    def is_wanted(self, model: str) -> bool:
        """Whether a request for the model is under way there or waits, in whatever process."""
        return bool(self.in_flight.get(model) or self.waiting.get(model) or self.is_wanted_elsewhere(model))

    def is_wanted_elsewhere(self, model: str) -> bool:
        """The same of the other processes alone."""
        return any(use.running.get(model) or use.waiting.get(model) for use in self.elsewhere.values())

    def holds(self, model: str) -> LoadedModel | None:
        """The model in its memory; Ollama's ``latest`` is understood."""
        loaded = self.loaded
        other = model.removesuffix(_LATEST) if model.endswith(_LATEST) else model + _LATEST
        return loaded.get(model) or loaded.get(other)

    def is_loaded(self, model: str) -> bool:
        """Whether the model is in its memory."""
        return self.holds(model) is not None

    def begin_load(self, model: str) -> None:
        """Something of ours waits for a model to be loaded."""
        self.loading[model] = self.loading.get(model, 0) + 1

    def end_load(self, model: str) -> None:
        """It does not wait any more."""
        left = self.loading.get(model, 0) - 1
        if left > 0:
            self.loading[model] = left
        else:
            self.loading.pop(model, None)

    def served(self, model: str, now: float) -> None:
        """A call has ended well: the host is there and has the model in its memory."""
        self.online = True
        self.heard_at = now
        if self.holds(model) is None:
            self.loaded = {**self.loaded, model: LoadedModel(model)}
            # Something else may have had to go for it.
            self.is_surprised = True

    def went_away(self) -> None:
        """It cannot be reached; what was in its memory may be lost."""
        self.online = False
        self.is_surprised = True

    def told(self, loaded: Mapping[str, LoadedModel], now: float) -> None:
        """It was looked at, and this is in its memory."""
        self.online = True
        self.seen_at = now
        self.loaded = loaded
        in_vram = sum(model.vram_bytes for model in loaded.values())
        if any(model.is_spilled for model in loaded.values()):
            self.vram_total_bytes = in_vram
        elif self.vram_total_bytes is not None:
            self.vram_total_bytes = max(self.vram_total_bytes, in_vram)


class Fleet:
    """Every local host, by its address. A host that goes and comes back is the same one.

    ``listed`` are those that something is routed to now. ``sharing`` is who asks for slots where several processes
    serve beside each other; None: this one has them all.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}
        self.listed: tuple[Host, ...] = ()
        self.sharing: SlotSharing | None = None
        self.queue_rules = QueueRules()

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All of them."""
        return tuple(self._hosts.values())

    def of(self, deployment: Deployment) -> Host | None:
        """The host of a deployment; None where it is not a local one."""
        return self.at(deployment.api_base) if deployment.local else None

    def at(self, address: str) -> Host:
        """The host at an address, which may end with ``/v1``; a new one if nobody knows it."""
        url = address_of(address)
        host = self._hosts.get(url)
        if host is None:
            if len(self._hosts) >= _HOSTS_MAX:
                self._hosts = {key: kept for key, kept in self._hosts.items() if kept.in_flight or kept.waiting}
            host = self._hosts[url] = Host(url)
        return host

    def queue_of(self, host: Host) -> HostQueue:
        """Its queue, which is made when it is first needed."""
        queue = host.queue
        if queue is None:
            queue = host.queue = HostQueue(
                host.in_flight,
                host.waiting,
                slots=host.slots,
                waiting_max=host.queue_max,
                rules=self.queue_rules,
                is_loaded=host.is_loaded,
            )
            queue.is_shared = self.sharing is not None
            host.count_elsewhere(queue)
        return queue

    def share_slots(self, sharing: SlotSharing) -> None:
        """From now on ask for slots, as other processes do."""
        self.sharing = sharing
        for host in self._hosts.values():
            if host.queue is not None:
                host.queue.is_shared = True

    def resize(self, host: Host, slots: int | None, now: float) -> Sequence[Ticket]:
        """Send a host ``slots`` requests at once from now on; gives those whose turn it is thereby."""
        host.slots = slots
        host.queue_max = _QUEUE_MAX if host.rules.queue_max is None else host.rules.queue_max
        host.weight = host.rules.weight
        queue = host.queue
        if queue is None:
            return ()
        queue.slots = slots
        queue.waiting_max = host.queue_max
        queue.rules = self.queue_rules
        return queue.advance(now)


def address_of(url: str) -> str:
    """An address by which a host is known: without credentials, query, closing ``/v1`` and slashes; lower case."""
    scheme, _, rest = url.partition("://")
    place = rest.partition("?")[0].rstrip("/").removesuffix("/v1").rstrip("/")
    authority, slash, path = place.partition("/")
    host, colon, port = authority.rpartition("@")[2].lower().partition(":")
    host = "127.0.0.1" if host == "localhost" else host
    return f"{scheme.lower()}://{host}{colon}{port}{slash}{path}"
