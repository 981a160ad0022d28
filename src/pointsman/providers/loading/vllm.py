"""Waking a vLLM whose model sleeps, and having it sleep: its weights leave the GPU's memory and come back in seconds.

Source: vLLM's ``docs/features/sleep_mode.md`` (``/is_sleeping``, ``/wake_up``, ``/sleep?level=1``), of a server that
was started with ``--enable-sleep-mode`` and ``VLLM_SERVER_DEV_MODE=1``; any other has none of these. Without
``mode=wait`` it cuts off the answers that it is giving to others (seen in 0.32.0; older ones pass over the word).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken, Unsupported
from pointsman.core.upstream import Deployment
from pointsman.providers.discovery.wire import SleepState
from pointsman.providers.loading.asking import control_headers, refused, server_of
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["VllmSleep"]

_QUESTION_SECONDS_MAX: Final = 10.0
_ABSENT: Final = frozenset({404, 405})


class VllmSleep:
    """See :class:`pointsman.providers.loading.loader.LoadWay`. Its weights stay in main memory meanwhile."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def load(self, deployment: Deployment, _keep_alive: msgspec.Raw | None) -> None:
        """See the protocol."""
        if await self._is_asleep(deployment):
            reply = await self._ask("POST", deployment, "/wake_up", deployment.timeouts.load)
            if reply.status != 200:
                raise refused(reply, f"vLLM did not wake {deployment.model!r}")

    async def unload(self, deployment: Deployment) -> None:
        """See the protocol."""
        if not await self._is_asleep(deployment):
            reply = await self._ask("POST", deployment, "/sleep?level=1&mode=wait", deployment.timeouts.load)
            if reply.status != 200:
                raise refused(reply, f"vLLM did not let {deployment.model!r} sleep")

    async def _is_asleep(self, deployment: Deployment) -> bool:
        """Whether it sleeps.

        Raises:
            Unsupported: it never does.
            Broken, Rejected: it does not say.
        """
        reply = await self._ask("GET", deployment, "/is_sleeping", _QUESTION_SECONDS_MAX)
        if reply.status in _ABSENT:
            raise Unsupported(
                "This vLLM has no sleep mode.",
                hint="Start it with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1, where nobody else can reach it.",
            )
        if reply.status != 200:
            raise refused(reply, "vLLM did not say whether it sleeps")
        try:
            return msgspec.json.decode(reply.body, type=SleepState).is_sleeping
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Broken("What vLLM says of its sleep cannot be read.") from None

    async def _ask(self, method: str, deployment: Deployment, path: str, seconds: float) -> FetchReply:
        return await self._fetcher.fetch(
            method, server_of(deployment) + path, headers=control_headers(deployment), timeout_seconds=seconds
        )
