"""What clients of Ollama ask about models: ``/api/tags``, ``/api/show``, ``/api/ps`` and ``/api/version``.

Source: Ollama's ``docs/api.md`` and ``api/types.go`` (``ListResponse``, ``ShowResponse``, ``ProcessResponse``). Fields
that Ollama always has are always written, empty where nothing is known, since strict clients miss them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.dialects.ollama.client_time import rfc3339
from pointsman.dialects.openai_fields import demand_model_name
from pointsman.wire.json_fields import read_body

__all__ = [
    "ListedModel",
    "ModelDetails",
    "RunningModel",
    "read_show_request",
    "write_ps",
    "write_show",
    "write_tags",
    "write_version",
]

_encode: Final = msgspec.json.Encoder().encode

_NO_ARCHITECTURE: Final = "unknown"


class ModelDetails(msgspec.Struct, frozen=True):
    """``family`` is the architecture (``llama``), ``parameter_size`` a word such as ``7.6B``."""

    parent_model: str = ""
    format: str = ""
    family: str = ""
    families: tuple[str, ...] = ()
    parameter_size: str = ""
    quantization_level: str = ""


class ListedModel(msgspec.Struct, frozen=True):
    """A model as it is listed and shown.

    Attributes:
        name: The name by which clients ask for it.
        modified_at: Seconds since the epoch.
        size_bytes: 0: not known.
        digest: Empty: one is made of the name, since clients tell models apart by it.
        details: What it is made of.
        capabilities: Ollama's words: ``completion``, ``tools``, ``vision``, ``thinking``, ``embedding``, ``insert``.
        context_tokens: The length of its context, where known.
        embedding_dimensions: The length of its vectors, where known.
    """

    name: str
    modified_at: float = 0.0
    size_bytes: int = 0
    digest: str = ""
    details: ModelDetails = ModelDetails()
    capabilities: tuple[str, ...] = ()
    context_tokens: int | None = None
    embedding_dimensions: int | None = None


class RunningModel(msgspec.Struct, frozen=True):
    """A model in memory; ``expires_at`` is in seconds since the epoch, ``context_tokens`` the window it has now."""

    model: ListedModel
    expires_at: float
    size_vram_bytes: int = 0
    context_tokens: int = 0


class _ShowBody(msgspec.Struct):
    model: str | None = None
    name: str | None = None


_decode_show: Final = msgspec.json.Decoder(_ShowBody).decode


def read_show_request(body: bytes) -> str:
    """The model that ``/api/show`` is asked about, as ``model`` or, by older clients, as ``name``.

    Raises:
        Malformed: there is none.
    """
    request = read_body(body, _decode_show)
    name = request.model or request.name
    if not name:
        raise Malformed("model is required.", param="model")
    demand_model_name(name)
    return name


def write_tags(models: Iterable[ListedModel]) -> bytes:
    """The body of ``/api/tags``, in the order given; Ollama has the last changed first."""
    return _encode({"models": [_listed(model) for model in models]})


def write_show(model: ListedModel) -> bytes:
    """The body of ``/api/show``. Clients look for the context length in ``model_info``, under the architecture."""
    architecture = model.details.family or _NO_ARCHITECTURE
    info: dict[str, object] = {"general.architecture": architecture, "general.basename": model.name}
    if model.context_tokens is not None:
        info[f"{architecture}.context_length"] = model.context_tokens
    if model.embedding_dimensions is not None:
        info[f"{architecture}.embedding_length"] = model.embedding_dimensions
    return _encode({
        "license": "",
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": model.details,
        "model_info": info,
        "capabilities": model.capabilities,
        "modified_at": rfc3339(model.modified_at),
    })  # fmt: skip


def write_ps(running: Iterable[RunningModel]) -> bytes:
    """The body of ``/api/ps``: the one that stays longest first."""
    ordered = sorted(running, key=lambda one: -one.expires_at)
    return _encode({"models": [_running(one) for one in ordered]})


def write_version(version: str) -> bytes:
    """The body of ``/api/version``. Clients refuse to work with an Ollama that seems too old to them."""
    return _encode({"version": version})


def _listed(model: ListedModel) -> dict[str, object]:
    details: dict[str, object] = msgspec.structs.asdict(model.details)
    if model.context_tokens is not None:
        details["context_length"] = model.context_tokens
    if model.embedding_dimensions is not None:
        details["embedding_length"] = model.embedding_dimensions
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": rfc3339(model.modified_at),
        "size": model.size_bytes,
        "digest": _digest(model),
        "details": details,
        "capabilities": model.capabilities,
    }


def _running(running: RunningModel) -> dict[str, object]:
    model = running.model
    return {
        "name": model.name,
        "model": model.name,
        "size": model.size_bytes,
        "digest": _digest(model),
        "details": model.details,
        "expires_at": rfc3339(running.expires_at),
        "size_vram": running.size_vram_bytes,
        "context_length": running.context_tokens,
    }


def _digest(model: ListedModel) -> str:
    return model.digest or hashlib.sha256(model.name.encode("utf-8", "replace")).hexdigest()
