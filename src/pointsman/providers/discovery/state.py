"""What a local server has in its memory and how much it has to do. Nothing asked here makes a model load or work.

Sources: Ollama's ``/api/ps`` (``docs/api.md``); llama.cpp's ``tools/server/README.md`` (``/props``, ``/slots``, and
``status`` in ``/v1/models`` of its router); LM Studio's REST API (``/api/v0/models``; since 0.4 ``/api/v1/models``);
the gauges of vLLM (``docs/usage/metrics.md``) and of SGLang (``references/production_metrics``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import TimedOut, Unreachable, UpstreamFailed
from pointsman.providers.discovery.found import HostKind
from pointsman.providers.ollama.control import OllamaControl
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["InMemory", "ServerState", "StateProbe", "is_silence"]

_OWNERS: Final[dict[str, HostKind]] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama_cpp",
    "organization_owner": "lm_studio",
    "library": "ollama",
}
_RUNNING: Final = frozenset({"vllm:num_requests_running", "sglang:num_running_reqs"})
_WAITING: Final = frozenset({"vllm:num_requests_waiting", "sglang:num_queue_reqs"})
_GAUGE: Final = re.compile(r"^([a-z]+:[a-z_]+)(?:\{[^\n]*\})? ([0-9.eE+]+)(?: [0-9]+)?$", re.MULTILINE)
"""Prometheus's text format, https://prometheus.io/docs/instrumenting/exposition_formats."""
_STAYS_SECONDS: Final = 10 * 365 * 86_400.0
"""Ollama keeps a model for hundreds of years that is to stay."""
_MODELS_MAX: Final = 2048

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


class _Status(msgspec.Struct, frozen=True):
    value: str = "loaded"


class _Card(msgspec.Struct, frozen=True):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    status: _Status | None = None


class _Models(msgspec.Struct, frozen=True):
    data: list[_Card]


class _StudioModel(msgspec.Struct, frozen=True):
    id: str
    state: str = ""
    loaded_context_length: int | None = None


class _StudioModels(msgspec.Struct, frozen=True):
    data: list[_StudioModel]


class _InstanceConfig(msgspec.Struct, frozen=True):
    context_length: int | None = None


class _Instance(msgspec.Struct, frozen=True):
    id: str = ""
    config: _InstanceConfig = _InstanceConfig()


class _NewStudioModel(msgspec.Struct, frozen=True):
    key: str
    size_bytes: int | None = None
    loaded_instances: list[_Instance] = []


class _NewStudioModels(msgspec.Struct, frozen=True):
    models: list[_NewStudioModel]


class _Props(msgspec.Struct, frozen=True):
    total_slots: int


class _Slot(msgspec.Struct, frozen=True):
    is_processing: bool = False


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
        owners = {card.owned_by for card in cards}
        kind = next((made for owner, made in _OWNERS.items() if owner in owners), None)
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
        older = await self._optional("/api/v0/models", _StudioModels)
        if older is not None:
            found = (model for model in older.data[:_MODELS_MAX] if model.state == "loaded")
            return ServerState(
                "lm_studio", tuple(InMemory(model.id, context_tokens=model.loaded_context_length) for model in found)
            )
        newer = await self._optional("/api/v1/models", _NewStudioModels)
        return ServerState("lm_studio", None if newer is None else tuple(_instances(newer.models[:_MODELS_MAX])))

    async def _llama(self, cards: list[_Card]) -> ServerState:
        if self._slots is None:
            props = await self._optional("/props", _Props)
            self._slots = None if props is None else props.total_slots
        slots = await self._optional("/slots", list[_Slot])
        loaded = (card for card in cards if card.status is None or card.status.value == "loaded")
        return ServerState(
            "llama_cpp",
            tuple(InMemory(card.id) for card in loaded),
            slots=self._slots,
            running=None if slots is None else sum(slot.is_processing for slot in slots),
        )

    async def _batching(self, cards: list[_Card]) -> ServerState:
        text = None
        if "/metrics" not in self._absent:
            reply = await self._fetch("/metrics")
            self._note("/metrics", reply)
            text = reply.body.decode("utf-8", "replace") if reply.status == 200 else None
        return ServerState(
            self.kind,
            tuple(InMemory(card.id, context_tokens=card.max_model_len) for card in cards),
            running=_gauge(text, _RUNNING),
            waiting=_gauge(text, _WAITING),
        )

    async def _cards(self) -> list[_Card]:
        reply = await self._fetch("/v1/models")
        models = _read(reply, _Models)
        if models is None:
            raise UpstreamFailed(f"What answers at {self._url} tells of no models.")
        return models.data[:_MODELS_MAX]

    async def _optional(self, path: str, shape: type[Shape]) -> Shape | None:
        """The answer of a path that not every version has; who lacks it is not asked again."""
        if path in self._absent:
            return None
        reply = await self._fetch(path)
        self._note(path, reply)
        return _read(reply, shape)

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


def _read(reply: FetchReply, shape: type[Shape]) -> Shape | None:
    if reply.status != 200:
        return None
    try:
        return msgspec.json.decode(reply.body, type=shape)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _instances(models: Iterable[_NewStudioModel]) -> Iterable[InMemory]:
    for model in models:
        for one in model.loaded_instances[:1]:
            yield InMemory(model.key, model.size_bytes or 0, context_tokens=one.config.context_length)


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
