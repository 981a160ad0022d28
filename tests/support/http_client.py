"""Plain HTTP for journeys: whole answers, live streams, and raw bytes."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

import msgspec

__all__ = ["Answer", "LiveStream", "exchange_raw", "request"]

_TIMEOUT_SECONDS: Final = 30.0


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. Header names are lower case; of repeated headers the last one is kept."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The ``error`` object; fails when the body has none of OpenAI's shape."""
        body = self.json()
        error: dict[str, Any] = body["error"] if isinstance(body, dict) and "error" in body else {}
        assert isinstance(error.get("message"), str), f"{self.status} without an error object: {self.body[:300]!r}"
        return error


def _encoded(body: Any) -> bytes | None:
    return body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)


def request(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = _TIMEOUT_SECONDS,
) -> Answer:
    """One request on a connection of its own; ``body`` is bytes, or something to encode as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, _encoded(body), {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())
    finally:
        connection.close()


class LiveStream:
    """A streamed answer while it comes. Use as a context manager; :meth:`leave` goes away in the middle."""

    def __init__(self, port: int, path: str, body: Any, headers: Mapping[str, str], timeout: float) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._response: http.client.HTTPResponse | None = None
        try:
            self._connection.request("POST", path, _encoded(body), {"Content-Type": "application/json", **headers})
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def _head(self) -> http.client.HTTPResponse:
        if self._response is None:
            self._response = self._connection.getresponse()
        return self._response

    @property
    def status(self) -> int:
        """The status; waits for the head."""
        return self._head().status

    @property
    def headers(self) -> dict[str, str]:
        """The headers; waits for the head."""
        return {name.lower(): value for name, value in self._head().getheaders()}

    def lines(self) -> Iterator[tuple[float, bytes]]:
        """Each line with the monotonic moment it came, without its end."""
        while line := self._head().readline():
            yield time.monotonic(), line.rstrip(b"\r\n")

    def data(self) -> Iterator[bytes]:
        """What stands behind each ``data: ``, ``[DONE]`` included."""
        for _, line in self.lines():
            if line.startswith(b"data: "):
                yield line[6:]

    def next_data(self) -> bytes:
        """The next ``data``; raises EOFError when the stream has ended."""
        for item in self.data():
            return item
        raise EOFError

    def leave(self) -> None:
        """Close the connection, finished or not."""
        if self._response is not None:
            self._response.close()
        self._connection.close()


def exchange_raw(
    port: int, *parts: bytes, timeout: float = 5.0, gap_seconds: float = 0.0, half_close: bool = False
) -> bytes:
    """Send the parts as they are; everything that comes back until the server closes or is silent for ``timeout``."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        try:
            for number, part in enumerate(parts):
                if number and gap_seconds:
                    time.sleep(gap_seconds)
                sock.sendall(part)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65_536):
                received += data
        except (TimeoutError, ConnectionError):
            pass
    return bytes(received)
