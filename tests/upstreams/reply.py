"""What a fake upstream does with one request: a list of steps, most of them bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from tests.upstreams.gate import Gate

__all__ = ["Close", "Hold", "Pause", "Reply", "Reset", "Send", "Stall", "Step", "chunk", "head"]

_REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    529: "Overloaded",
}


class Send(msgspec.Struct, frozen=True, tag=True):
    """Send bytes; with ``every`` in separate writes of at most so many bytes."""

    data: bytes
    every: int = 0


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Wait."""

    seconds: float


class Hold:
    """Wait until the test opens the gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate


class Stall(msgspec.Struct, frozen=True, tag=True):
    """Say nothing more until the peer has gone."""


class Reset(msgspec.Struct, frozen=True, tag=True):
    """Break the connection with a TCP reset."""


class Close(msgspec.Struct, frozen=True, tag=True):
    """Close the connection in an orderly way."""


Step = Send | Pause | Hold | Stall | Reset | Close


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A response head, complete with the empty line."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """``data`` as one chunk of a chunked body; empty data would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Reply(msgspec.Struct, frozen=True):
    """Steps that answer one request. ``label`` is for reading failures."""

    steps: tuple[Step, ...]
    label: str = ""

    @classmethod
    def json(cls, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """A whole JSON answer with its length."""
        data = msgspec.json.encode(body)
        fields = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
        return cls((Send(head(status, fields) + data),), f"json {status}")

    @classmethod
    def raw(cls, *parts: bytes) -> Reply:
        """Just these bytes, each part in its own write."""
        return cls(tuple(Send(part) for part in parts), "raw")

    @classmethod
    def stream(
        cls,
        events: Iterable[Any],
        *,
        gap_seconds: float = 0.0,
        done: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Server-sent events, chunked; objects are encoded, bytes and strings are sent as ``data`` as they are."""
        blocks = [b"data: %b\n\n" % _text(event) for event in events]
        if done:
            blocks.append(b"data: [DONE]\n\n")
        return cls.chunked("text/event-stream", blocks, gap_seconds, headers)

    @classmethod
    def named_events(cls, events: Iterable[Mapping[str, Any]], gap_seconds: float = 0.0) -> Reply:
        """Server-sent events that have their ``type`` for a name, chunked, without ``[DONE]``."""
        blocks = [b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), _text(event)) for event in events]
        return cls.chunked("text/event-stream; charset=utf-8", blocks, gap_seconds, None)

    @classmethod
    def ndjson(cls, lines: Iterable[Any], *, gap_seconds: float = 0.0) -> Reply:
        """Lines of JSON, chunked, as Ollama streams them."""
        return cls.chunked("application/x-ndjson", [_text(line) + b"\n" for line in lines], gap_seconds, None)

    @classmethod
    def error(cls, status: int, message: str = "the upstream says no", *, retry_after: str | None = None) -> Reply:
        """An error with OpenAI's body."""
        kind = "invalid_request_error" if status < 429 else "server_error"
        body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
        return cls.json(body, status, {"Retry-After": retry_after} if retry_after is not None else None)

    @classmethod
    def ollama_error(cls, status: int, message: str) -> Reply:
        """An error with Ollama's body."""
        return cls.json({"error": message}, status, {"Content-Type": "application/json; charset=utf-8"})

    def after(self, seconds: float) -> Reply:
        """The same, ``seconds`` later."""
        return Reply((Pause(seconds), *self.steps), f"{self.label} after {seconds} s")

    def behind(self, gate: Gate) -> Reply:
        """The same, once the gate is open."""
        return Reply((Hold(gate), *self.steps), f"{self.label} behind a gate")

    def split(self, every: int = 1) -> Reply:
        """The same bytes, in writes of at most ``every`` bytes."""
        return Reply(
            tuple(Send(step.data, every) if isinstance(step, Send) else step for step in self.steps),
            f"{self.label} split by {every}",
        )

    def then(self, *steps: Step) -> Reply:
        """The same, with further steps."""
        return Reply((*self.steps, *steps), self.label)

    @classmethod
    def chunked(
        cls, kind: str, blocks: Sequence[bytes], gap_seconds: float = 0.0, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """These blocks, each as one chunk of a body of this content type."""
        fields = {"Content-Type": kind, "Transfer-Encoding": "chunked", **(headers or {})}
        steps: list[Step] = [Send(head(200, fields))]
        for number, block in enumerate(blocks):
            if gap_seconds and number:
                steps.append(Pause(gap_seconds))
            steps.append(Send(chunk(block)))
        steps.append(Send(b"0\r\n\r\n"))
        return cls(tuple(steps), kind)


def _text(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event
    return event.encode() if isinstance(event, str) else msgspec.json.encode(event)
