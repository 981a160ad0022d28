"""LiteLLM's library, as far as it is used: three functions, and how its failures look.

Source: https://docs.litellm.ai/docs/completion/input, https://docs.litellm.ai/docs/exception_mapping.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Protocol

import msgspec

from pointsman.core.errors import GatewayError, Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.providers.long_tail.fields import asked_fields

__all__ = ["Library", "LibraryAnswer", "Loading", "failure_of", "is_installed", "refusal_body"]

_MODULE: Final = "litellm"
_FUNCTIONS: Final = {
    b"/chat/completions": "acompletion",
    b"/completions": "atext_completion",
    b"/embeddings": "aembedding",
}
_LOGGERS: Final = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
_QUIET: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
"""It shall neither fetch prices from the network when it is imported, nor log what is asked."""

_FAILED: Final = 500
_STATUSES: Final = range(400, 600)


class LibraryAnswer(Protocol):
    """What its functions give: a model of pydantic, or an iterator over such."""

    def model_dump_json(self, *, exclude_none: bool = ...) -> str:
        """The answer as JSON."""
        ...


class Library:
    """The module, imported."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401 - it has no types
        self._module = module
        module.telemetry = False
        module.suppress_debug_info = True
        module.turn_off_message_logging = True
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)

    @classmethod
    async def load(cls) -> Library:
        """Import it; that takes seconds, so it happens in a thread.

        Raises:
            Misconfigured: it is not installed, or cannot be imported.
        """
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)  # noqa: TID251 - it looks there when it is imported
        try:
            return cls(await asyncio.to_thread(importlib.import_module, _MODULE))
        except ImportError as error:
            message = f"LiteLLM's library cannot be imported: {error}."
            raise Misconfigured(message, hint="Install it with: pip install 'pointsman[litellm]'") from None

    async def ask(
        self, deployment: Deployment, path: bytes, body: bytes
    ) -> LibraryAnswer | AsyncIterator[LibraryAnswer]:
        """Have it ask the provider.

        Raises:
            Unsupported: the request names an address that the library might fetch itself.
            Exception: whatever the library raises; see :func:`failure_of`.
        """
        function = getattr(self._module, _FUNCTIONS[path])
        fields = {**asked_fields(body, deployment), "model": deployment.litellm_model, **_access(deployment)}
        given: LibraryAnswer | AsyncIterator[LibraryAnswer] = await function(**fields)
        return given


class Loading:
    """The import under way, so that neither the start nor other requests wait for it."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._task: asyncio.Task[Library | Misconfigured] | None = None

    def begin(self) -> None:
        """Begin, unless that has happened."""
        if self._task is None:
            self._task = self._nursery.start(_loaded(), "import of litellm")

    async def done(self) -> Library:
        """The library, once it is there.

        Raises:
            Misconfigured: it cannot be imported.
        """
        self.begin()
        found = await asyncio.shield(self._task) if self._task is not None else None
        if not isinstance(found, Library):
            raise found or Misconfigured("LiteLLM's library is not loaded.")
        return found


async def _loaded() -> Library | Misconfigured:
    try:
        return await Library.load()
    except Misconfigured as error:
        return error


def is_installed() -> bool:
    """Whether it could be imported."""
    return importlib.util.find_spec(_MODULE) is not None


def failure_of(error: Exception, key: Secret | None = None) -> tuple[int, bytes]:
    """The HTTP status and OpenAI's error body that one of its exceptions means; ``key`` is not repeated in it."""
    said = getattr(error, "status_code", None)
    status = said if isinstance(said, int) and said in _STATUSES else _FAILED
    text = getattr(error, "message", None)
    message = text if isinstance(text, str) and text else str(error) or type(error).__name__
    if key is not None:
        message = message.replace(key.reveal(), "…")
    kind = getattr(error, "type", None)
    code = getattr(error, "code", None)
    shape: Mapping[str, object] = {
        "message": message,
        "type": kind if isinstance(kind, str) else None,
        "code": code if isinstance(code, str) else None,
    }
    return status, msgspec.json.encode({"error": shape})


def refusal_body(error: GatewayError) -> bytes:
    """The same body for a refusal of our own."""
    shape = {"message": error.told(), "type": "invalid_request_error", "param": error.param, "code": error.code}
    return msgspec.json.encode({"error": shape})


def _access(deployment: Deployment) -> dict[str, object]:
    """What the operator configured; nothing of it can come from a client."""
    given: dict[str, object] = {"timeout": deployment.timeouts.total or deployment.timeouts.load, "max_retries": 0}
    if deployment.api_key is not None:
        given["api_key"] = deployment.api_key.reveal()
    if deployment.api_base:
        given["api_base"] = deployment.api_base
    if deployment.headers:
        given["extra_headers"] = {name: value.reveal() for name, value in deployment.headers.items()}
    return given
