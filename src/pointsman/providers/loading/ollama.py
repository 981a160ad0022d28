"""Loading on Ollama: a request without content, with the window that the next true request will have.

Source: Ollama's ``docs/api.md``, "Load a model" and "Unload a model". An embedding model does not take
``/api/generate`` unless it is to be unloaded; and ``/api/embed`` would load a model first that is to be unloaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.flight import Sender
from pointsman.core.upstream import Ask, Deployment, Lane, Operation
from pointsman.dialects.ollama.client_loads import LoadRequest, OllamaRoute

__all__ = ["OllamaLoads"]

_FIRST_ERROR_STATUS: Final = 400
_UNLOAD_SECONDS_MAX: Final = 30.0
_AT_ONCE: Final = msgspec.Raw(b"0")


class OllamaLoads:
    """See :class:`pointsman.providers.loading.loader.LoadWay`."""

    def __init__(self, sender: Sender, lane: Callable[[Operation, Deployment], Lane]) -> None:
        self._sender = sender
        self._lane = lane

    async def load(self, deployment: Deployment, keep_alive: msgspec.Raw | None) -> None:
        """See the protocol. A model that is loaded already begins its time to stay anew."""
        route: OllamaRoute = "embed" if deployment.mode == "embedding" else "generate"
        await self._ask(deployment, LoadRequest(deployment.model, route, keep_alive=keep_alive))

    async def unload(self, deployment: Deployment) -> None:
        """See the protocol."""
        async with asyncio.timeout(_UNLOAD_SECONDS_MAX):
            await self._ask(deployment, LoadRequest(deployment.model, "generate", unload=True, keep_alive=_AT_ONCE))

    async def _ask(self, deployment: Deployment, load: LoadRequest) -> None:
        lane = self._lane(Operation.OLLAMA_LOAD, deployment)
        ask = Ask(Operation.OLLAMA_LOAD, load.model, {}, notes=load)
        await lane.prepare(ask)
        flight = self._sender.send(deployment, lane.write(ask), stream=False)
        try:
            body = await flight.inbox.take()
        finally:
            flight.close()
        if flight.status >= _FIRST_ERROR_STATUS:
            raise lane.answer(ask).rejected(flight.status, body or b"", None)
