"""What discovery finds: servers, and the models they offer."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pointsman.config.ollama_host import OLLAMA_PORT, ollama_address
from pointsman.core.errors import Broken, Misconfigured
from pointsman.providers.transport import Origin

__all__ = ["FoundHost", "FoundModel", "HostKind", "Place", "Stranger", "default_places", "ollama_url"]

HostKind = Literal["ollama", "lm_studio", "llama_cpp", "vllm", "sglang", "openai"]

_OLLAMA_DEFAULT: Final = f"http://127.0.0.1:{OLLAMA_PORT}"


class Place(msgspec.Struct, frozen=True):
    """Where a server may be: a base URL without ``/v1``.

    ``ollama`` places must answer as Ollama; ``openai`` ones as any OpenAI-compatible server, whose make is then
    found out. A ``given`` place was named by the operator and is never forgotten.
    """

    url: str
    speaks: Literal["ollama", "openai"] = "openai"
    given: bool = False


class Stranger(Broken):
    """What answers at a place has nothing for us, and will not have until somebody puts another program there."""


class FoundModel(msgspec.Struct, frozen=True):
    """A model of a host. ``name`` is what the host calls it, ``group`` the name it is served under.

    ``aliases`` are further names for it. ``capabilities`` are the catalogue's words (``tools``, ``vision``,
    ``reasoning``, …), empty where the host does not tell. ``context_tokens`` is the longest context it can serve.
    """

    name: str
    group: str
    aliases: tuple[str, ...] = ()
    mode: Literal["chat", "embedding"] = "chat"
    context_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    size_bytes: int | None = None
    parameter_size: str | None = None
    quantization: str | None = None
    loaded: bool | None = None


class FoundHost(msgspec.Struct, frozen=True):
    """A server. While it is not ``online``, ``models`` is what it last offered and ``problem`` says why."""

    kind: HostKind
    url: str
    online: bool
    given: bool = False
    version: str | None = None
    models: tuple[FoundModel, ...] = ()
    problem: str | None = None


def default_places(ollama_urls: tuple[str, ...] = ()) -> tuple[Place, ...]:
    """Where to look: the given Ollama hosts (else its default address), and other servers' default ports."""
    ollama = tuple(Place(ollama_url(url), "ollama", given=True) for url in ollama_urls)
    return (
        *(ollama or (Place(_OLLAMA_DEFAULT, "ollama"),)),
        Place("http://127.0.0.1:1234"),  # LM Studio
        Place("http://127.0.0.1:8080"),  # llama.cpp's server, llamafile
        Place("http://127.0.0.1:8000"),  # vLLM
        Place("http://127.0.0.1:30000"),  # SGLang
    )


def ollama_url(text: str) -> str:
    """The URL that an address of an Ollama means, however Ollama itself would let it be written; see there.

    Raises:
        Misconfigured: it is no such thing.
    """
    try:
        return Origin.parse(ollama_address(text) or _OLLAMA_DEFAULT).url
    except (ValueError, Misconfigured):  # it speaks of an api_base, which the operator has not written
        raise _no_address(text) from None


def _no_address(text: str) -> Misconfigured:
    message = f"{text!r} is not the address of an Ollama."
    return Misconfigured(message, hint="Write it as host:port or http://host:port.")
