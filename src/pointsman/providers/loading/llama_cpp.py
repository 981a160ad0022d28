"""Loading on llama.cpp's server in router mode, which loads in the background and is asked how far it is.

Source: llama.cpp's ``tools/server/README.md``, "Using multiple models" (``/models/load``, ``/models/unload``, and the
``status`` of each model in ``/models``), and ``tools/server/server-models.cpp``: a model that is loaded or on its way
is refused with 400 and "already running". A server that was started with one model tells no status; it is loaded.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from pointsman.core.errors import Broken, Rejected, TimedOut, Unsupported
from pointsman.core.upstream import Deployment
from pointsman.providers.loading.asking import control_headers, refused, server_of
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["LlamaCppLoads"]

_QUESTION_SECONDS_MAX: Final = 10.0
_LOOK_SECONDS: Final = 1.0
_NOT_FOUND: Final = 404
_READY: Final = frozenset({"loaded", "sleeping"})
_OUT: Final = frozenset({"unloaded", "failed"})
"""The latter is how the first versions told of a failure."""


class _Status(msgspec.Struct, frozen=True):
    value: str = ""
    failed: bool = False


class _Model(msgspec.Struct, frozen=True):
    id: str
    status: _Status | None = None


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


class LlamaCppLoads:
    """See :class:`pointsman.providers.loading.loader.LoadWay`. A model stays until another one needs its room."""

    def __init__(self, fetcher: Fetcher, look_seconds: float = _LOOK_SECONDS) -> None:
        self._fetcher = fetcher
        self._look_seconds = look_seconds

    async def load(self, deployment: Deployment, _keep_alive: msgspec.Raw | None) -> None:
        """See the protocol."""
        status = await self._status(deployment)
        if status is None or status.value in _READY:
            return
        if status.value != "loading":
            reply = await self._tell(deployment, "load")
            if reply.status != 200 and "already running" not in reply.body.decode("utf-8", "replace"):
                raise refused(reply, f"llama.cpp did not load {deployment.model!r}")
        await self._wait(deployment)

    async def unload(self, deployment: Deployment) -> None:
        """See the protocol."""
        status = await self._status(deployment)
        if status is None:
            raise Unsupported("This server of llama.cpp was started with one model, which it keeps.")
        if status.value == "unloaded":
            return
        reply = await self._tell(deployment, "unload")
        if reply.status != 200 and "not running" not in reply.body.decode("utf-8", "replace"):
            raise refused(reply, f"llama.cpp did not unload {deployment.model!r}")

    async def _wait(self, deployment: Deployment) -> None:
        """Wait until a load that has begun is done.

        Raises:
            Broken: it failed.
            TimedOut: it takes longer than a request would wait.
        """
        try:
            async with asyncio.timeout(deployment.timeouts.load):
                while True:
                    status = await self._status(deployment)
                    if status is None or status.value in _READY:
                        return
                    if status.failed or status.value in _OUT:
                        raise Broken(f"llama.cpp could not load {deployment.model!r}; its log says why.")
                    await asyncio.sleep(self._look_seconds)
        except TimeoutError:
            raise TimedOut(f"llama.cpp did not load {deployment.model!r} in {deployment.timeouts.load:g} s.") from None

    async def _status(self, deployment: Deployment) -> _Status | None:
        """How far the model is; None: this server has no router, and its one model is loaded.

        Raises:
            Rejected: it does not have the model.
        """
        reply = await self._fetcher.fetch(
            "GET",
            f"{server_of(deployment)}/models",
            headers=control_headers(deployment),
            timeout_seconds=_QUESTION_SECONDS_MAX,
        )
        if reply.status != 200:
            raise refused(reply, "llama.cpp did not list its models")
        try:
            models = msgspec.json.decode(reply.body, type=_Models).data
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Broken("llama.cpp's list of models cannot be read.") from None
        found = next((model for model in models if model.id == deployment.model), None)
        if found is None and any(model.status is not None for model in models):
            raise Rejected(f"llama.cpp has no model {deployment.model!r}.", status=_NOT_FOUND, code="model_not_found")
        return None if found is None else found.status

    async def _tell(self, deployment: Deployment, verb: str) -> FetchReply:
        return await self._fetcher.fetch(
            "POST",
            f"{server_of(deployment)}/models/{verb}",
            body=msgspec.json.encode({"model": deployment.model}),
            headers=control_headers(deployment),
            timeout_seconds=_QUESTION_SECONDS_MAX,
        )
