"""temporary until the management API lands"""
from __future__ import annotations
from typing import Any
__all__ = ["make_app"]
def make_app(gateway: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = gateway.metrics.exposition() if scope["path"] == "/metrics" else b'{"status":"healthy"}'
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})
    return app
