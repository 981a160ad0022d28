"""Ollama's own questions and answers about its models: ``/api/tags``, ``/api/show``, ``/api/ps``, ``/api/version``.

None of these loads a model or makes it work, so they may be asked often. Shapes: Ollama's ``docs/api.md``
and ``api/types.go`` (0.33); fields that older versions lack are None or empty.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec

from pointsman.core.errors import Broken
from pointsman.dialects.ollama.errors import read_error
from pointsman.providers.transport import Fetcher

__all__ = [
    "LoadedModel",
    "ModelDetails",
    "OllamaControl",
    "OllamaFacts",
    "ShownModel",
    "TaggedModel",
    "capabilities_of",
    "facts_of",
]

_NUM_CTX: Final = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)
_CAPABILITIES: Final = {"thinking": "reasoning", "audio": "audio_input"}
"""Ollama's word → this gateway's (:data:`pointsman.catalog.models.CAPABILITY_FLAGS`); the others agree."""


class ModelDetails(msgspec.Struct, frozen=True):
    """What the model file says of itself: ``parameter_size`` like ``8.0B``, ``quantization_level`` like ``Q4_K_M``."""

    family: str | None = None
    families: list[str] | None = None
    parameter_size: str | None = None
    quantization_level: str | None = None


class TaggedModel(msgspec.Struct, frozen=True):
    """A model on the host's disk. ``size`` is in bytes; ``digest`` changes when the model is pulled anew."""

    name: str
    digest: str = ""
    size: int = 0
    details: ModelDetails | None = None
    remote_host: str | None = None


class LoadedModel(msgspec.Struct, frozen=True):
    """A model in memory (or on its way there). ``context_length`` is the ``num_ctx`` it was loaded with.

    Of ``size`` bytes, ``size_vram`` are in the memory of a GPU. ``expires_at`` is when it is unloaded (RFC 3339).
    """

    name: str
    context_length: int = 0
    size_vram: int = 0
    size: int = 0
    expires_at: str = ""


class ShownModel(msgspec.Struct, frozen=True):
    """The answer of ``/api/show``.

    ``parameters`` is the Modelfile's, one per line; ``thinking.values`` has what ``think`` may be.
    """

    capabilities: list[str] | None = None
    model_info: dict[str, msgspec.Raw] | None = None
    parameters: str | None = None
    remote_host: str | None = None
    thinking: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class OllamaFacts(msgspec.Struct, frozen=True):
    """What has to be known about a model before it is asked anything; None: the host did not say.

    ``num_ctx_default`` is the Modelfile's. ``think_levels`` are the words for how hard to think, in rising order.
    A ``remote`` model runs in Ollama's cloud: nothing is loaded here.
    """

    context_tokens: int | None = None
    capabilities: frozenset[str] | None = None
    num_ctx_default: int | None = None
    think_levels: tuple[str, ...] | None = None
    remote: bool = False


class _Thinking(msgspec.Struct):
    values: list[str | bool]


class _Tags(msgspec.Struct):
    models: list[TaggedModel] | None


class _Loaded(msgspec.Struct):
    models: list[LoadedModel] | None


class _Version(msgspec.Struct):
    version: str


Shape = TypeVar("Shape")


class OllamaControl:
    """Control questions to one Ollama. ``url`` has no path; every question raises what ``_ask`` raises."""

    def __init__(
        self, fetcher: Fetcher, url: str, headers: tuple[tuple[str, str], ...] = (), timeout_seconds: float = 5.0
    ) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/")
        self._headers = headers
        self._timeout_seconds = timeout_seconds

    async def version(self) -> str:
        """The server's version, like ``0.33.0``."""
        return (await self._ask("GET", "/api/version", _Version)).version

    async def tags(self) -> list[TaggedModel]:
        """The models on disk."""
        return (await self._ask("GET", "/api/tags", _Tags)).models or []

    async def loaded(self) -> list[LoadedModel]:
        """The models in memory."""
        return (await self._ask("GET", "/api/ps", _Loaded)).models or []

    async def show(self, model: str) -> ShownModel:
        """What a model is and can do."""
        return await self._ask("POST", "/api/show", ShownModel, msgspec.json.encode({"model": model}), model)

    async def _ask(self, method: str, path: str, shape: type[Shape], body: bytes = b"", model: str = "") -> Shape:
        """One question.

        Raises:
            UpstreamFailed: no answer, an error answer (``model_not_found`` where that is what it says), or
                one that is not Ollama's.
        """
        reply = await self._fetcher.fetch(
            method, self._url + path, body=body, headers=self._headers, timeout_seconds=self._timeout_seconds
        )
        if reply.status >= 300:
            raise read_error(reply.status, reply.body, model)
        try:
            return msgspec.json.decode(reply.body, type=shape)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise Broken(f"What answers at {self._url}{path} is not Ollama.") from None


def facts_of(shown: ShownModel) -> OllamaFacts:
    """The facts in an answer of ``/api/show``."""
    info = shown.model_info or {}
    default = _NUM_CTX.search(shown.parameters or "")
    return OllamaFacts(
        context_tokens=_context_tokens(info),
        capabilities=None if shown.capabilities is None else capabilities_of(shown.capabilities),
        num_ctx_default=int(default[1]) or None if default else None,
        think_levels=_think_levels(shown.thinking),
        remote=bool(shown.remote_host),
    )


def capabilities_of(words: list[str]) -> frozenset[str]:
    """Ollama's capability words in this gateway's."""
    return frozenset(_CAPABILITIES.get(word, word) for word in words)


def _context_tokens(info: dict[str, msgspec.Raw]) -> int | None:
    """``<architecture>.context_length``; a vision model has several lengths, so the architecture decides."""
    try:
        architecture = msgspec.json.decode(info.get("general.architecture", b'""'), type=str)
    except msgspec.MsgspecError:
        architecture = ""
    try:
        length = msgspec.json.decode(info.get(f"{architecture}.context_length", b"0"), type=int)
    except msgspec.MsgspecError:
        return None
    return length if length > 0 else None


def _think_levels(thinking: msgspec.Raw | msgspec.UnsetType) -> tuple[str, ...] | None:
    if not isinstance(thinking, msgspec.Raw):
        return None
    try:
        values = msgspec.json.decode(thinking, type=_Thinking).values
    except msgspec.MsgspecError:
        return None
    return tuple(value for value in values if isinstance(value, str))
