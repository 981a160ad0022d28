"""Plays one case of the matrix: a client's request to a wire, its answer whole and in pieces, and the next request."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

import msgspec

from pointsman.core.errors import GatewayError, Unsupported
from pointsman.core.upstream import Answer, Ask, Lane, Outbound
from tests.golden_matrix.clients import Body, Client
from tests.golden_matrix.wires import Wire

FOLDER: Final = Path(__file__).parent
REQUESTS, ANSWERS, EXPECTED = FOLDER / "requests", FOLDER / "answers", FOLDER / "expected"
PROMPT_ESTIMATE: Final = 12
NOON: Final = 1_760_000_000.0

CASES: Final = (
    "text",
    "system",
    "multi_turn",
    "image",
    "parallel_tools",
    "tool_results",
    "thinking_then_tool",
    "interleaved_thinking",
    "json_schema",
    "stop_sequence",
    "length",
    "refusal",
    "content_filter",
    "empty",
    "usage_cached",
    "citations",
    "code_execution",
    "image_answer",
    "audio_answer",
    "error_before",
    "error_mid_stream",
)


class Gap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that cannot be expressed, and why.

    ``what``: ``ask`` (the client's API has no way to ask for it), ``answer`` (the wire's never answers so), ``request``
    (the wire cannot be asked for it: refused), ``signature`` (it does not come back from this client), ``cached`` (the
    client's API has no count of it), ``noticed`` (the client's API has no place for what was given: its text says so),
    ``in_words`` (it stands in the text), ``sources`` (the client's API has no place for them).
    """

    what: str
    reason: str
    client: str = "*"
    wire: str = "*"
    case: str = "*"

    def covers(self, what: str, client: str, wire: str, case: str) -> bool:
        pairs = ((self.what, what), (self.client, client), (self.wire, wire), (self.case, case))
        return all(mine in {"*", other} for mine, other in pairs)


GAPS: Final = tuple(msgspec.json.decode((FOLDER / "inexpressible.json").read_bytes(), type=list[Gap]))


def gap(what: str, client: str = "*", wire: str = "*", case: str = "*") -> Gap | None:
    """The entry of the table that says so."""
    return next((entry for entry in GAPS if entry.covers(what, client, wire, case)), None)


@contextmanager
def fixed_chance() -> Iterator[None]:
    """Ids that count from 1, and a clock that stands still."""
    numbers = itertools.count(1)

    def urandom(size: int) -> bytes:
        return next(numbers).to_bytes(size, "big")

    with (
        mock.patch("pointsman.core.clock.os", SimpleNamespace(urandom=urandom)),
        mock.patch("pointsman.core.clock.SystemClock.wall", return_value=NOON),
        mock.patch("pointsman.core.clock.SystemClock.monotonic", return_value=1.0),
    ):
        yield


def body_of(client: str, case: str) -> Body | None:
    path = REQUESTS / client / f"{case}.json"
    return json.loads(path.read_bytes()) if path.exists() else None


def answer_file(wire: Wire, case: str, *, stream: bool) -> bytes | None:
    path = ANSWERS / wire.name / f"{case}.{wire.stream_file if stream else 'json'}"
    if not path.exists():
        return None
    return wire.send(path.read_bytes()) if stream else path.read_bytes()


def written_stream(wire: Wire, case: str) -> bytes:
    """A stream as its file has it; see :attr:`Wire.send`."""
    return (ANSWERS / wire.name / f"{case}.{wire.stream_file}").read_bytes()


class Stage:
    """One client in front of one wire."""

    def __init__(self, client: Client, wire: Wire) -> None:
        self.client = client
        self.wire = wire
        self.lane: Lane = wire.lane(client.side)

    def ask(self, body: Body, *, stream: bool) -> tuple[Ask, Outbound]:
        ask = self.client.ask(body, stream)
        ask.prompt_estimate = PROMPT_ESTIMATE
        return ask, self.lane.write(ask)

    def answer(self, body: Body, *, stream: bool) -> Answer:
        return self.lane.answer(self.ask(body, stream=stream)[0])

    def stream(self, body: Body, pieces: list[bytes]) -> bytes:
        """The client's bytes of a stream, whatever comes of it."""
        answer = self.answer(body, stream=True)
        out = []
        try:
            out += [answer.feed(piece) for piece in pieces]
            out.append(answer.end())
        except GatewayError as error:
            if not any(out):
                raise
            out.append(answer.failed(error))
        return b"".join(out)


class Played(msgspec.Struct):
    """What came of a case; ``refused`` where the wire cannot be asked."""

    refused: Unsupported | None = None
    request: Outbound | None = None
    whole: bytes | None = None
    stream: bytes | None = None
    failure: bytes | None = None
    next: Outbound | None = None
    next_of_stream: Outbound | None = None


def play(client: Client, wire: Wire, case: str) -> Played:
    """Play it; what the case does not have stays None."""
    stage, body = Stage(client, wire), body_of(client.name, case)
    assert body is not None
    played = Played()
    with fixed_chance():
        try:
            played.request = stage.ask(body, stream=False)[1]
        except Unsupported as refused:
            played.refused = refused
            return played
    if case == "error_before":
        played.failure = _failure(stage, body)
        return played
    with fixed_chance():
        stream = answer_file(wire, case, stream=True)
        if stream is not None:
            played.stream = stage.stream(body, [stream])
    whole = answer_file(wire, case, stream=False)
    if whole is not None and played.stream is not None:
        with fixed_chance():
            played.whole = stage.answer(body, stream=False).whole(whole)
        with fixed_chance():
            played.next = stage.ask(client.follow(body, json.loads(played.whole)), stream=False)[1]
        with fixed_chance():
            played.next_of_stream = stage.ask(client.follow(body, client.gather(played.stream)), stream=False)[1]
    return played


def _failure(stage: Stage, body: Body) -> bytes:
    told: Any = json.loads(answer_file(stage.wire, "error_before", stream=False) or b"{}")
    after = told["headers"].get("retry-after")
    raw = json.dumps(told["body"]).encode()
    error = stage.answer(body, stream=False).rejected(told["status"], raw, None if after is None else float(after))
    head = f"HTTP {error.status}" + ("" if error.retry_after is None else f", Retry-After: {error.retry_after:g}")
    return head.encode() + b"\n" + pretty(stage.client.write_error(error))


def pretty(body: bytes) -> bytes:
    return msgspec.json.format(body, indent=2)


def transcript(played: Played) -> str:
    """All of it, to be read and kept."""
    if played.refused is not None:
        return f"# refused\n\n{played.refused.param}: {played.refused.message}\n"
    parts: list[tuple[str, bytes]] = []
    for title, outbound in (("upstream's request", played.request), ("upstream's next request", played.next)):
        if outbound is not None:
            parts.append((title, outbound.path + b"\n" + pretty(outbound.body)))
    if played.failure is not None:
        parts.append(("client's error", played.failure))
    if played.whole is not None:
        parts.insert(1, ("client's answer", pretty(played.whole)))
    if played.stream is not None:
        parts.insert(min(2, len(parts)), ("client's stream", played.stream.replace(b"\r\n", b"\n")))
    return "\n".join(f"# {title}\n\n{text.decode().rstrip()}\n" for title, text in parts)
