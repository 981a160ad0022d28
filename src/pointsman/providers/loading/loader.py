"""Loads and unloads models, each kind of server in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from pointsman.core.errors import Unsupported
from pointsman.core.flight import Sender
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.loading.llama_cpp import LlamaCppLoads
from pointsman.providers.loading.lm_studio import LMStudioLoads
from pointsman.providers.loading.ollama import OllamaLoads
from pointsman.providers.loading.vllm import VllmSleep
from pointsman.providers.transport import Fetcher

__all__ = ["LoadWay", "ModelLoader"]

_VLLM: Final = "vllm"
_OLLAMA: Final = frozenset({"ollama", "ollama_chat"})


class LoadWay(Protocol):
    """How one kind of server is asked. Every method must run inside a task."""

    async def load(self, deployment: Deployment, keep_alive: msgspec.Raw | None) -> None:
        """Have the model loaded, if it is not, and return once it is.

        ``keep_alive`` is for how long it stays after its last request, in Ollama's form; None: as it is usual there.

        Raises:
            GatewayError: it cannot be loaded; the message says why.
        """
        ...

    async def unload(self, deployment: Deployment) -> None:
        """Have the model unloaded, if it is loaded.

        Raises:
            GatewayError: it cannot be unloaded.
        """
        ...


class ModelLoader:
    """See :class:`LoadWay`; finds out which way to go. ``lane`` gives the lane for an operation to a deployment.

    ``kind`` tells what runs at the address of a deployment, in discovery's words, ``""`` where that is not known;
    ``sleeps`` whether it may be had sleep and woken, where it is a vLLM.
    """

    def __init__(
        self,
        sender: Sender,
        fetcher: Fetcher,
        lane: Callable[[Operation, Deployment], Lane],
        kind: Callable[[Deployment], str] = lambda _deployment: "",
        sleeps: Callable[[Deployment], bool] = lambda _deployment: False,
    ) -> None:
        self._kind = kind
        self._sleeps = sleeps
        self._vllm = VllmSleep(fetcher)
        self._ollama = OllamaLoads(sender, lane)
        self._others: dict[str, LoadWay] = {
            "lm_studio": LMStudioLoads(fetcher),
            "llama_cpp": LlamaCppLoads(fetcher),
        }

    def can_load(self, deployment: Deployment) -> bool:
        """Whether its server loads models when it is told to."""
        return self._way(deployment) is not None

    async def load(self, deployment: Deployment, keep_alive: msgspec.Raw | None = None) -> None:
        """See :meth:`LoadWay.load`.

        Raises:
            GatewayError: it cannot be loaded.
        """
        await self._demanded(deployment).load(deployment, keep_alive)

    async def unload(self, deployment: Deployment) -> None:
        """See :meth:`LoadWay.unload`.

        Raises:
            GatewayError: it cannot be unloaded.
        """
        await self._demanded(deployment).unload(deployment)

    def _way(self, deployment: Deployment) -> LoadWay | None:
        if deployment.provider in _OLLAMA:
            return self._ollama
        kind = self._kind(deployment)
        if kind == _VLLM and self._sleeps(deployment):
            return self._vllm
        return self._others.get(kind if kind in self._others else deployment.provider)

    def _demanded(self, deployment: Deployment) -> LoadWay:
        way = self._way(deployment)
        if way is None:
            raise Unsupported(
                f"The server of {deployment.group!r} does not load models when it is told to.",
                hint="Ollama, LM Studio and the router of llama.cpp do, and vLLM with sleep_mode in local_hosts.",
            )
        return way
