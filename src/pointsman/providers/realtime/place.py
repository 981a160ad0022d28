"""Where a line of the Realtime API leads at a provider that has ways of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment

__all__ = ["PlaceFinder", "RealtimePlace"]


class RealtimePlace(msgspec.Struct, frozen=True):
    """``path`` is below the deployment's ``api_base``, with a query that names the model.

    ``headers`` let the line in, in place of the deployment's key; empty: the key does.
    """

    path: str
    headers: tuple[tuple[str, Secret], ...] = ()


PlaceFinder = Callable[[Deployment, tuple[tuple[str, str], ...]], Awaitable[RealtimePlace | None]]
"""Finds the place for a deployment and a client's headers; None: there is no Realtime API.

It raises a ``GatewayError`` where there is nothing to be let in with.
"""
