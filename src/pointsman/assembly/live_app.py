"""The management API in force: one ASGI app for the server, whatever a reload puts behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pointsman.core.clock import call_id
from pointsman.core.errors import GatewayError
from pointsman.dialects.openai_fields import write_error

__all__ = ["LiveApp", "open_to_pages"]

_OPEN_TO_THE_END: Final = frozenset({
    "/health", "/health/backlog", "/health/liveliness", "/health/liveness", "/health/readiness",
    "/health/readiness/details", "/metrics", "/metrics/",
})  # fmt: skip
_RETRY_SECONDS: Final = 1


class LiveApp:
    """Passes each request to ``current``; one that is under way stays with the app it came to.

    While ``draining`` says so, only who watches this process is still answered; everybody else is sent away with 503.
    """

    def __init__(self, current: ASGIApp, draining: Callable[[], bool]) -> None:
        self.current = current
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by the server."""
        refused = scope["type"] == "http" and self._draining() and scope["path"] not in _OPEN_TO_THE_END
        await (_sent_away() if refused else self.current)(scope, receive, send)


def open_to_pages(app: ASGIApp) -> ASGIApp:
    """The app, whose answers scripts of any web page may read, as in LiteLLM; for where a key is needed."""
    everything = ("*",)
    return CORSMiddleware(
        app, allow_origins=everything, allow_methods=everything, allow_headers=everything, expose_headers=everything
    )


def _sent_away() -> Response:
    error = GatewayError(
        "The gateway is shutting down.",
        hint="Try again; another one or the next one will answer.",
        status=503,
        code="shutting_down",
    )
    headers = {"retry-after": str(_RETRY_SECONDS), "connection": "close"}
    return Response(write_error(error, call_id()), error.status, headers=headers, media_type="application/json")
