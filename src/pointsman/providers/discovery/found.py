"""What discovery finds: servers, and the models they offer."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from pointsman.core.errors import Misconfigured
from pointsman.providers.transport import Origin

__all__ = ["FoundHost", "FoundModel", "HostKind", "Place", "default_places", "ollama_url"]

HostKind = Literal["ollama", "lm_studio", "llama_cpp", "vllm", "sglang", "openai"]

_OLLAMA_PORT: Final = 11434
_UNSPECIFIED: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - replaced, not bound


class Place(msgspec.Struct, frozen=True):
    """Where a server may be: a base URL without ``/v1``.

    ``ollama`` places must answer as Ollama; ``openai`` ones as any OpenAI-compatible server, whose make is then
    found out. A ``given`` place was named by the operator and is never forgotten.
    """

    url: str
    speaks: Literal["ollama", "openai"] = "openai"
    given: bool = False


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
        *(ollama or (Place(f"http://127.0.0.1:{_OLLAMA_PORT}", "ollama"),)),
        Place("http://127.0.0.1:1234"),  # LM Studio
        Place("http://127.0.0.1:8080"),  # llama.cpp's server, llamafile
        Place("http://127.0.0.1:8000"),  # vLLM
        Place("http://127.0.0.1:30000"),  # SGLang
    )


def ollama_url(text: str) -> str:
    """The URL that an ``OLLAMA_HOST`` means, which may be a bare host, ``:port``, or the address Ollama binds.

    Rules of Ollama's ``envconfig.Host``: the default port is 11434, but 80 or 443 behind an explicit scheme.

    Raises:
        Misconfigured: it is no such thing.
    """
    text = text.strip().strip("\"'")
    with_scheme = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(with_scheme)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _no_address(text) from None
    host = _UNSPECIFIED.get(host, host)
    if port is None:
        port = {"http": 80, "https": 443}.get(parts.scheme, 0) if "://" in text else _OLLAMA_PORT
    shown = f"[{host}]" if ":" in host else host
    try:
        return Origin.parse(f"{parts.scheme}://{shown}:{port}{parts.path}").url
    except Misconfigured:  # it speaks of an api_base, which the operator has not written
        raise _no_address(text) from None


def _no_address(text: str) -> Misconfigured:
    message = f"{text!r} is not the address of an Ollama."
    return Misconfigured(message, hint="Write it as host:port or http://host:port.")
