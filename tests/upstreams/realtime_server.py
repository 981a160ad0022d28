"""A fake upstream that converses over WebSockets in OpenAI's Realtime."""

from __future__ import annotations

import json
import threading
import time
from http import HTTPStatus
from typing import Any, Final, Self

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

__all__ = ["FakeRealtime", "Talk"]

USAGE: Final = {
    "total_tokens": 30, "input_tokens": 20, "output_tokens": 10,
    "input_token_details": {"cached_tokens": 4, "text_tokens": 8, "audio_tokens": 12},
    "output_token_details": {"text_tokens": 3, "audio_tokens": 7},
}  # fmt: skip


class Talk:
    """One conversation: the request that began it, what was said, and how it ended."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.path = connection.request.path if connection.request else ""
        self.headers = dict(connection.request.headers.raw_items()) if connection.request else {}
        self.heard: list[Any] = []
        self.closed: tuple[int | None, str] | None = None
        self.closed_at = 0.0
        self.over = threading.Event()


class FakeRealtime:
    """Answers ``response.create`` with a response of two events, and binary messages with themselves.

    ``{"type": "leave", "code": …, "reason": …}`` makes it go. With ``refusal`` set it lets nobody in.
    """

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self.refusal: tuple[int, bytes] | None = None
        self._server: Server = serve(self._talk, "127.0.0.1", 0, process_request=self._check, max_size=None)
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)

    @property
    def base_url(self) -> str:
        """What ``api_base`` is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    def _check(self, _connection: ServerConnection, _request: Request) -> Response | None:
        if self.refusal is None:
            return None
        status, body = self.refusal
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
        return Response(status, HTTPStatus(status).phrase, headers, body)

    def _talk(self, connection: ServerConnection) -> None:
        talk = Talk(connection)
        self.talks.append(talk)
        try:
            connection.send(json.dumps({"type": "session.created", "session": {"id": "sess_1"}}))
            while True:
                message = connection.recv()
                talk.heard.append(message)
                if isinstance(message, bytes):
                    connection.send(message)
                else:
                    self._answer(connection, json.loads(message))
        except ConnectionClosed as closed:
            frame = closed.rcvd
            talk.closed = (None, "") if frame is None else (frame.code, frame.reason)
            talk.closed_at = time.monotonic()
        talk.over.set()

    def _answer(self, connection: ServerConnection, event: Any) -> None:
        if event["type"] == "response.create":
            connection.send(json.dumps({"type": "response.output_text.delta", "delta": "Hello"}))
            done = {"id": "resp_1", "status": "completed", "usage": USAGE}
            connection.send(json.dumps({"type": "response.done", "event_id": "e", "response": done}))
        elif event["type"] == "leave":
            connection.close(event["code"], event["reason"])
