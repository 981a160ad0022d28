"""Replies of an upstream that breaks, stalls or talks nonsense."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tests.upstreams.reply import Close, Pause, Reply, Reset, Send, Stall, Step, chunk, head

__all__ = [
    "bad_chunk_size",
    "closes_idle_at_once",
    "continue_first",
    "endless_line",
    "garbage",
    "half_event",
    "reset_before_head",
    "reset_in_body",
    "reset_in_stream",
    "slow_head",
    "stall_before_head",
    "stall_in_stream",
    "wrong_length",
]

_STREAM_HEAD = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


def _blocks(events: Iterable[Any]) -> list[Step]:
    return [Send(chunk(b"data: %b\n\n" % msgspec.json.encode(event))) for event in events]


def reset_before_head() -> Reply:
    """The connection is reset once the request is there."""
    return Reply((Reset(),), "reset before head")


def reset_in_body(body: Any, promised: int = 10_000) -> Reply:
    """The head promises more than comes before the reset."""
    fields = {"Content-Type": "application/json", "Content-Length": str(promised)}
    return Reply((Send(head(200, fields) + msgspec.json.encode(body)), Pause(0.02), Reset()), "reset in body")


def reset_in_stream(events: Iterable[Any]) -> Reply:
    """Some events, then a reset."""
    return Reply((Send(_STREAM_HEAD), *_blocks(events), Pause(0.05), Reset()), "reset in stream")


def stall_before_head() -> Reply:
    """The request is taken and never answered."""
    return Reply((Stall(),), "stall before head")


def stall_in_stream(events: Iterable[Any]) -> Reply:
    """Some events, then silence on an open connection."""
    return Reply((Send(_STREAM_HEAD), *_blocks(events), Stall()), "stall in stream")


def garbage() -> Reply:
    """Not HTTP at all."""
    return Reply((Send(b"\x00\x01\x02 220 smtp.example ESMTP ready\r\n\xff\xfe\r\n\r\n"), Close()), "garbage")


def half_event(events: Iterable[Any], half: bytes = b'data: {"id":"chatcmpl-1","choi') -> Reply:
    """Some events, half of one more, and the end of a well-formed chunked body."""
    end = (Pause(0.05), Send(chunk(half)), Send(b"0\r\n\r\n"), Close())
    return Reply((Send(_STREAM_HEAD), *_blocks(events), *end), "half an event")


def endless_line(megabytes: int = 10, kind: str = "text/event-stream") -> Reply:
    """A stream whose first line does not end for so many MB; then the connection is closed."""
    start = head(200, {"Content-Type": kind, "Transfer-Encoding": "chunked"})
    block = chunk(b"x" * 65_536)
    return Reply((Send(start + chunk(b"data: ")), *[Send(block)] * (megabytes * 16), Close()), "endless line")


def wrong_length(body: Any, difference: int) -> Reply:
    """A Content-Length that is off by ``difference``; the connection is closed after the body."""
    data = msgspec.json.encode(body)
    fields = {"Content-Type": "application/json", "Content-Length": str(len(data) + difference)}
    return Reply((Send(head(200, fields) + data), Close()), f"length off by {difference}")


def bad_chunk_size() -> Reply:
    """A chunk size that is no hexadecimal number."""
    return Reply((Send(_STREAM_HEAD + b"zz\r\nhello\r\n0\r\n\r\n"), Close()), "bad chunk size")


def slow_head(body: Any, seconds_per_line: float) -> Reply:
    """A good answer whose head comes line by line."""
    data = msgspec.json.encode(body)
    fields = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    steps: list[Step] = []
    for line in head(200, fields).splitlines(keepends=True):
        steps += [Send(line), Pause(seconds_per_line)]
    return Reply((*steps, Send(data)), "slow head")


def continue_first(reply: Reply) -> Reply:
    """Two interim answers (100 and 103) before the real one."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    return Reply((Send(interim), *reply.steps), f"interim answers, then {reply.label}")


def closes_idle_at_once(reply: Reply) -> Reply:
    """A good keep-alive answer; the connection is closed right after it, without a word of warning."""
    return reply.then(Close())
