"""How a WebSocket of the Realtime API is opened to an Azure resource: its path, and what lets it in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pointsman.core.access import AzureAccess
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.providers.azure.access import azure_credential
from pointsman.providers.azure.places import realtime_path
from pointsman.providers.realtime.place import RealtimePlace
from pointsman.providers.tokens import TokenBook

__all__ = ["azure_realtime"]

_BETA: Final = ("openai-beta", "realtime=")
_NOTHING: Final = Ask(Operation.REALTIME, "", {})


async def azure_realtime(
    deployment: Deployment, headers: Iterable[tuple[str, str]], book: TokenBook
) -> RealtimePlace | None:
    """Where a client's line leads; None: the deployment has no Realtime API. ``headers`` are the client's.

    A client that announces the preview of the protocol is given the preview, as LiteLLM 1.109.1 does.

    Raises:
        GatewayError: there is no token to be had.
    """
    access = deployment.access if isinstance(deployment.access, AzureAccess) else AzureAccess()
    name, word = _BETA
    beta = any(said.lower() == name and word in value for said, value in headers)
    path = realtime_path(deployment, access.api_version, beta=beta)
    if path is None:
        return None
    credential = azure_credential(deployment, access, book)
    if credential is None:
        return RealtimePlace(path)
    await credential.prepare(_NOTHING)
    return RealtimePlace(path, tuple(credential.headers()))
