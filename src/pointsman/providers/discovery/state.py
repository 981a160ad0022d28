"""What a local server has in its memory and how much it has to do. Nothing asked here makes a model load or work.

Sources: Ollama's ``/api/ps`` (``docs/api.md``); those of :mod:`pointsman.providers.discovery.wire`; the gauges of
llama.cpp (``tools/server/README.md``), vLLM (``docs/usage/metrics.md``) and SGLang (``references/production_metrics``);
vLLM's ``docs/features/sleep_mode.md``; SGLang's ``srt/entrypoints/http_server.py`` (``/v1/loads``, ``/get_load``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import TimedOut, Unreachable, UpstreamFailed
from pointsman.providers.discovery.found import HostKind
from pointsman.providers.discovery.wire import (
    MODELS_MAX,
    Card,
    Cards,
    Props,
    RankLoad,
    RankLoads,
    SleepState,
    Slot,
    StudioModelNow,
    StudioModels,
    StudioModelsNow,
    kind_of,
    read_answer,
)
from pointsman.providers.ollama.control import OllamaControl
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["InMemory", "ServerState", "StateProbe", "is_silence"]

_RUNNING: Final = frozenset({"vllm:num_requests_running", "sglang:num_running_reqs", "llamacpp:requests_processing"})
_WAITING: Final = frozenset({"vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred"})
_GAUGE: Final = re.compile(r"^([a-z]+:[a-z_]+)(?:\{[^\n]*\})? ([0-9.eE+]+)(?: [0-9]+)?$", re.MULTILINE)
"""Prometheus's text format, https://prometheus.io/docs/instrumenting/exposition_formats."""
_AWAKE: Final = re.compile(r'^vllm:engine_sleep_state\{[^\n]*sleep_state="awake"[^\n]*\} ([0-9.]+)', re.MULTILINE)
"""What vLLM tells of its sleep mode, where it has any: 0 while the weights are out of the GPU's memory."""
_STAYS_SECONDS: Final = 10 * 365 * 86_400.0
"""Ollama keeps a model for hundreds of years that is to stay."""
_ROUTED_MAX: Final = 4
"""Of so many models that a router of llama.cpp has loaded each is asked what it does."""

Shape = TypeVar("Shape")


class InMemory(msgspec.Struct, frozen=True):
    """A model in a server's memory; ``expires_in`` is seconds until it is unloaded, None: it stays or nobody told."""

    name: str
    size_bytes: int = 0
    vram_bytes: int = 0
    context_tokens: int | None = None
    expires_in: float | None = None


class ServerState(msgspec.Struct, frozen=True):
    """A server now. ``loaded`` None: it does not tell. ``slots`` is how many requests it works on at once.

    ``running`` and ``waiting`` are its requests, whoever sent them; None: it does not tell.
    """

    kind: HostKind
    loaded: tuple[InMemory, ...] | None = None
    slots: int | None = None
    running: int | None = None
    waiting: int | None = None


class _LlamaLoad(msgspec.Struct, frozen=True):
    """What a model of llama.cpp has to do, of ``slots`` at once; None: it does not tell."""

    model: str
    slots: int
    is_sleeping: bool = False
    running: int | None = None
    waiting: int | None = None


class StateProbe:
    """Asks one server again and again; ``kind`` is found out where it is only known to speak OpenAI's API."""

    def __init__(
        self,
        fetcher: Fetcher,
        url: str,
        kind: HostKind,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        timeout_seconds: float = 2.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._fetcher = fetcher
        self._url = url
        self._headers = headers
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._absent: set[str] = set()
        self._slots: int | None = None
        self.kind = kind

    async def look(self) -> ServerState:
        """The server as it is now.

        Raises:
            Unreachable, TimedOut: nothing answers.
            UpstreamFailed: something answers, but not this server.
        """
        match self.kind:
            case "ollama":
                return await self._ollama()
            case "lm_studio":
                return await self._studio()
            case "vllm" | "sglang":
                return await self._batching(await self._cards())
            case "llama_cpp":
                return await self._llama(await self._cards())
        cards = await self._cards()
        kind = kind_of(cards)
        if kind is None:
            return ServerState("openai")
        self.kind = kind
        return await self.look()

    async def _ollama(self) -> ServerState:
        control = OllamaControl(self._fetcher, self._url, self._headers, timeout_seconds=self._timeout_seconds)
        now = self._clock.wall()
        loaded = tuple(
            InMemory(
                model.name,
                model.size,
                model.size_vram,
                model.context_length or None,
                _seconds_until(model.expires_at, now),
            )
            for model in await control.loaded()
        )
        return ServerState("ollama", loaded)

    async def _studio(self) -> ServerState:
        older = await self._optional("/api/v0/models", StudioModels)
        if older is not None:
            found = (model for model in older.data[:MODELS_MAX] if model.state == "loaded")
            return ServerState(
                "lm_studio", tuple(InMemory(model.id, context_tokens=model.loaded_context_length) for model in found)
            )
        newer = await self._optional("/api/v1/models", StudioModelsNow)
        return ServerState("lm_studio", None if newer is None else tuple(_instances(newer.models[:MODELS_MAX])))

    async def _llama(self, cards: list[Card]) -> ServerState:
        """A server with one model, or a router with several, of which each has slots of its own."""
        is_router = any(card.status is not None for card in cards)
        ready = [card for card in cards if card.status is None or card.status.value == "loaded"]
        asked = ready[:_ROUTED_MAX] if is_router else ready[:1]
        loads = [load for load in [await self._llama_load(card, is_router=is_router) for card in asked] if load]
        self._slots = max((load.slots for load in loads), default=self._slots)
        asleep = {load.model for load in loads if load.is_sleeping}
        return ServerState(
            "llama_cpp",
            tuple(InMemory(card.id) for card in ready if card.id not in asleep),
            slots=self._slots,
            running=_sum(load.running for load in loads),
            waiting=_sum(load.waiting for load in loads),
        )

    async def _llama_load(self, card: Card, *, is_router: bool) -> _LlamaLoad | None:
        """What a model there has to do; None: it does not tell.

        ``/slots`` wakes a model that sleeps and keeps it from ever doing so, unlike ``/props`` and ``/metrics``: only
        servers that are too old to sleep are asked for it.
        """
        which = f"?model={quote(card.id, safe='')}&autoload=false" if is_router else ""
        props = await self._optional("/props", Props, which)
        if props is None or props.is_sleeping:
            return None if props is None else _LlamaLoad(card.id, props.total_slots, is_sleeping=True, running=0)
        if props.endpoint_metrics:
            reply = await self._fetch("/metrics" + which)
            text = reply.body.decode("utf-8", "replace") if reply.status == 200 else None
            return _LlamaLoad(
                card.id, props.total_slots, running=_gauge(text, _RUNNING), waiting=_gauge(text, _WAITING)
            )
        slots = await self._optional("/slots", list[Slot], which) if props.is_sleeping is None else None
        running = None if slots is None else sum(slot.is_processing for slot in slots)
        return _LlamaLoad(card.id, props.total_slots, running=running)

    async def _batching(self, cards: list[Card]) -> ServerState:
        text = None
        if "/metrics" not in self._absent:
            reply = await self._fetch("/metrics")
            self._note("/metrics", reply)
            text = reply.body.decode("utf-8", "replace") if reply.status == 200 else None
        running, waiting = _gauge(text, _RUNNING), _gauge(text, _WAITING)
        if running is None and self.kind == "sglang":
            running, waiting = await self._sglang_load()
        sleeps = await self._sleeps(text)
        return ServerState(
            self.kind,
            tuple(InMemory(card.id, context_tokens=card.max_model_len) for card in cards if not sleeps),
            running=running,
            waiting=waiting,
        )

    async def _sleeps(self, metrics: str | None) -> bool:
        """Whether a vLLM has its weights out of the GPU's memory; without the gauge only one that can sleep tells."""
        awake = [float(value) for value in _AWAKE.findall(metrics or "")]
        if awake or self.kind != "vllm":
            return bool(awake) and not any(awake)
        state = await self._optional("/is_sleeping", SleepState)
        return state is not None and state.is_sleeping

    async def _sglang_load(self) -> tuple[int | None, int | None]:
        """What a SGLang without ``--enable-metrics`` tells: requests that run and that wait, over all ranks."""
        told = await self._optional("/v1/loads", RankLoads, "?include=core")
        ranks = await self._optional("/get_load", list[RankLoad]) if told is None else told.loads
        if not ranks:
            return None, None
        return sum(rank.running for rank in ranks), sum(rank.num_waiting_reqs for rank in ranks)

    async def _cards(self) -> list[Card]:
        reply = await self._fetch("/v1/models")
        models = read_answer(reply, Cards)
        if models is None:
            raise UpstreamFailed(f"What answers at {self._url} tells of no models.")
        return models.data[:MODELS_MAX]

    async def _optional(self, path: str, shape: type[Shape], query: str = "") -> Shape | None:
        """The answer of a path that not every version has; who lacks it is not asked again."""
        if path in self._absent:
            return None
        reply = await self._fetch(path + query)
        self._note(path, reply)
        return read_answer(reply, shape)

    def _note(self, path: str, reply: FetchReply) -> None:
        if 400 <= reply.status < 500 or reply.status == 501:
            self._absent.add(path)

    async def _fetch(self, path: str) -> FetchReply:
        return await self._fetcher.fetch(
            "GET", self._url + path, headers=self._headers, timeout_seconds=self._timeout_seconds
        )


def is_silence(error: UpstreamFailed) -> bool:
    """Whether nothing answered at all."""
    return isinstance(error, Unreachable | TimedOut)


def _instances(models: Iterable[StudioModelNow]) -> Iterable[InMemory]:
    for model in models:
        for one in model.loaded_instances[:1]:
            yield InMemory(model.key, model.size_bytes or 0, context_tokens=one.config.context_length)


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Of those that were told; None: none was."""
    told = [number for number in numbers if number is not None]
    return sum(told) if told else None


def _gauge(text: str | None, names: frozenset[str]) -> int | None:
    """The sum of a gauge over all its labels."""
    found = [float(value) for name, value in _GAUGE.findall(text or "") if name in names]
    return int(sum(found)) if found else None


def _seconds_until(moment: str, now: float) -> float | None:
    """RFC 3339 with nanoseconds, by that machine's clock; what is too far away to happen is None."""
    try:
        seconds = datetime.fromisoformat(moment).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if -_STAYS_SECONDS < seconds < _STAYS_SECONDS else None
