"""Looks at a server that speaks OpenAI's API, and tells from its answers which one it is.

For where the answers are described see :mod:`pointsman.providers.discovery.wire`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeVar

import msgspec

from pointsman.catalog.names import embeds
from pointsman.core.errors import Broken, GatewayError
from pointsman.providers.discovery.found import FoundHost, FoundModel, HostKind, Place, Stranger
from pointsman.providers.discovery.wire import (
    MODELS_MAX,
    Card,
    Cards,
    Meta,
    Props,
    StudioModel,
    StudioModels,
    kind_of,
    read_answer,
)
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["OWN_OWNER", "PROVIDERS", "CompatibleProbe"]

OWN_OWNER: Final = "pointsman"
"""``owned_by`` of a gateway of this kind: it would find itself, or form a ring with another."""

PROVIDERS: Final[dict[HostKind, str]] = {
    "ollama": "ollama",
    "lm_studio": "lm_studio",
    "llama_cpp": "openai",
    "vllm": "hosted_vllm",
    "sglang": "openai",
    "openai": "openai",
}
"""LiteLLM's provider name for each kind of server."""


class _Version(msgspec.Struct, frozen=True):
    version: str


Shape = TypeVar("Shape")


class CompatibleProbe:
    """Looks at one place again and again. ``is_own`` recognises an answer of this very gateway."""

    def __init__(
        self, fetcher: Fetcher, place: Place, timeout_seconds: float, is_own: Callable[[FetchReply], bool]
    ) -> None:
        self._fetcher = fetcher
        self._place = place
        self._timeout_seconds = timeout_seconds
        self._is_own = is_own
        self._unmarked: list[Card] | None = None

    async def look(self) -> FoundHost:
        """The host as it is now. Its kind is ``ollama`` where only Ollama's compatible face was seen.

        Raises:
            UpstreamFailed: nothing answers, or not an OpenAI-compatible server.
        """
        cards = await self._cards()
        kind = kind_of(cards)
        if kind is None and cards == self._unmarked:
            return self._host("openai", _plain_models(cards, "openai"))
        if kind == "lm_studio" or kind is None:
            studio = await self._optional("/api/v0/models", StudioModels)
            if studio is not None:
                return self._host("lm_studio", tuple(map(_studio_model, studio.data[:MODELS_MAX])))
        if kind == "llama_cpp" or kind is None:
            props = await self._optional("/props", Props)
            if props is not None or kind is not None:
                version = props.build_info if props is not None else None
                return self._host("llama_cpp", tuple(_llama_model(card, props) for card in cards), version)
        seen = await self._optional("/version", _Version) if kind == "vllm" else None
        version = seen.version if seen is not None else None
        made: HostKind = kind or "openai"
        # Asking a stranger for what it does not have, every few seconds, would fill its log.
        self._unmarked = cards if kind is None else None
        return self._host(made, _plain_models(cards, made), version)

    async def _cards(self) -> list[Card]:
        reply = await self._fetch("/v1/models")
        if self._is_own(reply):
            raise Stranger(f"{self._place.url} is a gateway of this kind.")
        if reply.status in (401, 403):
            raise Stranger(f"The server at {self._place.url} wants a key; give it one in the configuration.")
        models = read_answer(reply, Cards)
        if models is None:
            # A server that is still loading its model says 503.
            kind = Broken if reply.status >= 500 else Stranger
            raise kind(f"What answers at {self._place.url} is not an OpenAI-compatible server.")
        if any(card.owned_by == OWN_OWNER for card in models.data):
            raise Stranger(f"{self._place.url} is a gateway of this kind.")
        return models.data[:MODELS_MAX]

    async def _optional(self, path: str, shape: type[Shape]) -> Shape | None:
        try:
            return read_answer(await self._fetch(path), shape)
        except GatewayError:
            return None

    async def _fetch(self, path: str) -> FetchReply:
        return await self._fetcher.fetch("GET", self._place.url + path, timeout_seconds=self._timeout_seconds)

    def _host(self, kind: HostKind, models: tuple[FoundModel, ...], version: str | None = None) -> FoundHost:
        place = self._place
        return FoundHost(kind, place.url, online=True, given=place.given, version=version, models=models)


def _studio_model(model: StudioModel) -> FoundModel:
    loaded = model.state == "loaded"
    abilities = {"vision"} if model.type == "vlm" else set[str]()
    if "tool_use" in model.capabilities:
        abilities.add("tools")
    return FoundModel(
        name=model.id,
        group=model.id,
        aliases=(f"{PROVIDERS['lm_studio']}/{model.id}",),
        mode="embedding" if model.type == "embeddings" else "chat",
        context_tokens=(model.loaded_context_length if loaded else None) or model.max_context_length,
        capabilities=frozenset(abilities),
        quantization=model.quantization,
        loaded=loaded,
    )


def _llama_model(card: Card, props: Props | None) -> FoundModel:
    meta = card.meta or Meta()
    settings = None if props is None else props.default_generation_settings
    in_slot = None if settings is None else settings.n_ctx
    short = card.id.replace("\\", "/").rpartition("/")[2].removesuffix(".gguf") or card.id
    names = dict.fromkeys((card.id, f"{PROVIDERS['llama_cpp']}/{short}"))
    return FoundModel(
        name=card.id,
        group=short,
        aliases=tuple(name for name in names if name != short),
        mode=_mode_by_name(card.id),
        context_tokens=in_slot or meta.n_ctx or meta.n_ctx_train,
        capabilities=frozenset({"vision"} if props is not None and props.modalities.get("vision") else ()),
        size_bytes=meta.size,
        loaded=card.status is None or card.status.value == "loaded",
    )


def _plain_models(cards: list[Card], kind: HostKind) -> tuple[FoundModel, ...]:
    """An adapter does not tell its context, which is that of its base model."""
    contexts = {card.id: card.max_model_len for card in cards}
    return tuple(_plain_model(card, kind, card.max_model_len or contexts.get(card.parent or "")) for card in cards)


def _plain_model(card: Card, kind: HostKind, context_tokens: int | None) -> FoundModel:
    return FoundModel(
        name=card.id,
        group=card.id,
        aliases=(f"{PROVIDERS[kind]}/{card.id}",),
        mode=_mode_by_name(card.id),
        context_tokens=context_tokens,
        loaded=True if kind in ("vllm", "sglang") else None,
    )


def _mode_by_name(name: str) -> Literal["chat", "embedding"]:
    """These servers do not say what a model is for."""
    return "embedding" if embeds(name) else "chat"
