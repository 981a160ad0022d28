"""A host as Ollama is one, behind the product's own queue: some slots, and memory in which models come and go.

A request whose model is not in memory loads it, and whoever comes after it waits for that, too. What has not been used
for longest is dropped; what is in use never is, so that loading may have to wait for it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.routing.hosts import Host, LoadedModel
from pointsman.routing.pool import Member
from pointsman.routing.queue import HostQueue, Ticket
from simulator.traffic import Arrival

__all__ = ["Machine", "MachineKind", "Tally", "Visit"]

_PREFILL_TOKENS_PER_SECOND: Final = 1_200.0
_TOKENS_PER_SECOND: Final = 40.0
_SHARING: Final = 0.35
"""How much slower each request gets with every other one beside it."""
_SESSIONS_CACHED: Final = 8
_WATCH_SECONDS: Final = 2.5
"""How long it takes until the gateway has seen what a host has in memory."""


class MachineKind(msgspec.Struct, frozen=True):
    """Bytes, bytes per second, watts."""

    vram_bytes: int
    load_bytes_per_second: float = 1.5e9
    load_start_seconds: float = 2.0
    slots: int = 2
    watts_idle: float = 60.0
    watts_busy: float = 350.0


class Visit(msgspec.Struct, eq=False):
    """A request at a host. Moments in seconds, 0 where it has not happened."""

    arrival: Arrival
    member: Member
    done: Callable[[Visit], None]
    ticket: Ticket | None = None
    sent_at: float = 0.0
    started_at: float = 0.0
    first_token_at: float = 0.0
    ended_at: float = 0.0


class Tally(msgspec.Struct, eq=False):
    """What a host did: loads, seconds in which it worked, and seconds that its slots were in use."""

    loads: int = 0
    busy_seconds: float = 0.0
    slot_seconds: float = 0.0
    cached_tokens: int = 0


class Machine:
    """One host. ``after(seconds, deed)`` is the clock; ``host`` and ``queue`` are what the gateway has of it."""

    def __init__(
        self,
        host: Host,
        queue: HostQueue,
        kind: MachineKind,
        sizes: dict[str, int],
        after: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self.host = host
        self.queue = queue
        self.kind = kind
        self.tally = Tally()
        self.now = 0.0
        self._sizes = sizes
        self._after = after
        self._waiting: dict[Ticket, Visit] = {}
        self._sent: deque[Visit] = deque()
        self._memory: OrderedDict[str, int] = OrderedDict()
        self._running: dict[str, int] = {}
        self._loading: str | None = None
        self._cached: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._busy_since: float | None = None

    def take(self, visit: Visit, now: float) -> None:
        """A request arrives at the gateway that is to be served here."""
        self.now = now
        model = visit.arrival.model
        visit.ticket = ticket = Ticket(model, model, visit.arrival.key, now)
        if self.queue.enter(ticket, now):
            self._send(visit)
        else:
            self._waiting[ticket] = visit

    def _send(self, visit: Visit) -> None:
        """It is its turn."""
        visit.sent_at = self.now
        visit.member.live.in_flight += 1
        self._sent.append(visit)
        self._go_on()

    def _go_on(self) -> None:
        """Start whatever can be started."""
        while self._sent and self._loading is None:
            visit = self._sent[0]
            model = visit.arrival.model
            if model not in self._memory:
                self._load(model)
                return
            self._sent.popleft()
            self._start(visit)

    def _load(self, model: str) -> None:
        size = self._sizes[model]
        for idle in [name for name in self._memory if not self._running.get(name)]:
            if sum(self._memory.values()) + size <= self.kind.vram_bytes:
                break
            self._drop(idle)
        if sum(self._memory.values()) + size > self.kind.vram_bytes:
            return  # until something in use is not any more
        self._loading = model
        self.tally.loads += 1
        self._note_busy()
        seconds = self.kind.load_start_seconds + size / self.kind.load_bytes_per_second
        self._after(seconds, lambda: self._loaded(model, size))

    def _loaded(self, model: str, size: int) -> None:
        self._memory[model] = size
        self._loading = None
        self._show()
        self._go_on()
        self._note_busy()

    def _drop(self, model: str) -> None:
        del self._memory[model]
        for place in [one for one in self._cached if one[0] == model]:
            del self._cached[place]
        self._show()

    def _show(self) -> None:
        seen = {name: LoadedModel(name, size, size) for name, size in self._memory.items()}

        def tell() -> None:
            self.host.loaded = seen

        self._after(_WATCH_SECONDS, tell)

    def _start(self, visit: Visit) -> None:
        arrival = visit.arrival
        model = arrival.model
        self._memory.move_to_end(model)
        self._running[model] = self._running.get(model, 0) + 1
        place = (model, arrival.session)
        is_cached = place in self._cached
        fresh = arrival.fresh_tokens if is_cached else arrival.prompt_tokens
        self.tally.cached_tokens += arrival.prompt_tokens - fresh
        self._cached.pop(place, None)
        self._cached[place] = None
        if len(self._cached) > _SESSIONS_CACHED:
            self._cached.popitem(last=False)
        slower = 1.0 + _SHARING * (sum(self._running.values()) - 1)
        prefill = slower * fresh / _PREFILL_TOKENS_PER_SECOND
        seconds = prefill + slower * arrival.output_tokens / _TOKENS_PER_SECOND
        visit.started_at = self.now
        visit.first_token_at = self.now + prefill
        self.tally.slot_seconds += seconds
        self._note_busy()
        self._after(seconds, lambda: self._end(visit))

    def _end(self, visit: Visit) -> None:
        model, live = visit.arrival.model, visit.member.live
        visit.ended_at = self.now
        self._running[model] -= 1
        live.in_flight -= 1
        live.succeeded(self.now, visit.sent_at, visit.first_token_at, visit.arrival.output_tokens)
        if live.meter is not None:
            used = visit.arrival.prompt_tokens + visit.arrival.output_tokens
            live.meter.ended(visit.arrival.prompt_tokens, used, visit.sent_at, self.now)
        self._note_busy()
        visit.done(visit)
        called = () if visit.ticket is None else self.queue.leave(visit.ticket, self.now)
        self._go_on()
        for ticket in called:
            self._send(self._waiting.pop(ticket))

    def _note_busy(self) -> None:
        is_busy = self._loading is not None or any(self._running.values())
        if is_busy and self._busy_since is None:
            self._busy_since = self.now
        elif not is_busy and self._busy_since is not None:
            self.tally.busy_seconds += self.now - self._busy_since
            self._busy_since = None
