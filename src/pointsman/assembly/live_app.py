"""The management API in force: one ASGI app for the server, whatever a reload puts behind it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["LiveApp"]


class LiveApp:
    """Passes each request to ``current``; one that is under way stays with the app it came to."""

    def __init__(self, current: ASGIApp) -> None:
        self.current = current

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by the server."""
        await self.current(scope, receive, send)
