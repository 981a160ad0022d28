"""Whether a server has the route for responses is asked once, believed for a while, and never guessed."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.json import encode

from pointsman.core.eager import Inbox
from pointsman.core.errors import Unreachable
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.providers.native.lane import OPENAI_RESPONSES, NativeLane
from pointsman.providers.native.relayed import RelayedAnswer
from pointsman.providers.native.route import FALLBACK_SECONDS, KNOWN_SECONDS, ResponsesLane
from tests.unit.providers.scripted import FakeClock

DEPLOYMENT = Deployment(
    id="d", group="g", provider="openai", model="real", litellm_model="openai/real", api_base="http://x/v1", price=None
)


class Flight:
    def __init__(self, status: int, body: bytes | Exception) -> None:
        self.status = status
        self.inbox: Inbox[bytes | None] = Inbox()
        self.inbox.put(body)

    def close(self) -> None:
        pass


class Sender:
    """Answers every question alike."""

    def __init__(self, status: int = 404, body: bytes | Exception = b"{}") -> None:
        self.status, self.body = status, body
        self.asked: list[bytes] = []

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> Any:
        assert deployment.timeouts.total is not None and not stream
        self.asked.append(outbound.path + b" " + outbound.body)
        return Flight(self.status, self.body)


class Prepared(msgspec.Struct):
    """The relay's note on a request."""


class Relaying(NativeLane):
    """The relay, which here looks nothing up."""

    def __init__(self) -> None:
        super().__init__(DEPLOYMENT, OPENAI_RESPONSES)
        self.prepares = True

    def has(self, ask: Ask) -> bool:
        return isinstance(ask.notes, Prepared)

    async def prepare(self, ask: Ask) -> None:
        ask.notes = Prepared()


class Emulated:
    """A lane that only says that it was taken."""

    prepares = True

    def __init__(self) -> None:
        self.prepared = 0

    async def prepare(self, _ask: Ask) -> None:
        self.prepared += 1

    def write(self, ask: Ask) -> Outbound:
        ask.call = object()  # type: ignore[assignment]
        return Outbound(b"/chat/completions", b"")

    def answer(self, ask: Ask) -> ExpressAnswer:
        return ExpressAnswer(ask)


def ask(**more: Any) -> Ask:
    fields = {"model": "g", "input": "hi", **more}
    return Ask(Operation.RESPONSES, "g", {name: msgspec.Raw(encode(value)) for name, value in fields.items()})


def path(lane: ResponsesLane, **more: Any) -> bytes:
    one = ask(**more)
    asyncio.run(lane.prepare(one))
    written = lane.write(one)
    relays = isinstance(lane.answer(one), RelayedAnswer)
    assert relays == (written.path == b"/responses")
    return written.path


@pytest.mark.parametrize(
    ("status", "body", "has"),
    [
        (404, b"Not Found", False),
        (405, b"", False),
        (501, b"", False),
        (400, b'{"error":{"message":"model is required"}}', True),
        (422, b"{}", True),
        (200, b'{"error":"Unexpected endpoint or method. (POST /v1/responses)"}', False),
    ],
)
def test_what_the_server_says_is_believed_for_an_hour(status: int, body: bytes, has: bool) -> None:
    sender, clock, emulated = Sender(status, body), FakeClock(), Emulated()
    lane = ResponsesLane(DEPLOYMENT, emulated, Relaying(), sender, clock)
    assert [path(lane) for _ in range(3)] == [b"/responses" if has else b"/chat/completions"] * 3
    assert sender.asked == [b"/responses {}"]
    assert emulated.prepared == (0 if has else 3)
    clock.now += KNOWN_SECONDS
    path(lane)
    assert len(sender.asked) == 2


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (401, b""), (429, b""), (200, b"<html>"), (0, Unreachable("nobody"))]
)
def test_what_tells_nothing_means_the_chat_and_is_soon_asked_again(status: int, body: bytes | Exception) -> None:
    sender, clock = Sender(status, body), FakeClock()
    lane = ResponsesLane(DEPLOYMENT, Emulated(), Relaying(), sender, clock)
    assert path(lane) == path(lane) == b"/chat/completions"
    assert len(sender.asked) == 1
    sender.status, sender.body = 400, b"{}"
    clock.now += FALLBACK_SECONDS
    assert path(lane) == b"/responses"


def test_openai_itself_is_not_asked() -> None:
    official = msgspec.structs.replace(DEPLOYMENT, api_base="https://api.openai.com/v1")
    sender = Sender()
    assert path(ResponsesLane(official, Emulated(), Relaying(), sender, FakeClock())) == b"/responses"
    assert sender.asked == []


@pytest.mark.parametrize("base", ["http://x/v1", "https://api.openai.com/v1"])
@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "custom", "name": "patch"}]},
        {"tools": [{"type": "namespace", "name": "crew", "tools": []}]},
        {"input": [{"type": "additional_tools", "tools": []}]},
    ],
)
def test_tools_that_only_openai_has_go_over_the_chat_of_others(base: str, more: dict[str, Any]) -> None:
    emulated = Emulated()
    deployment = msgspec.structs.replace(DEPLOYMENT, api_base=base)
    lane = ResponsesLane(deployment, emulated, Relaying(), Sender(400), FakeClock())
    assert path(lane, **more) == (b"/chat/completions" if base.startswith("http:") else b"/responses")
    assert emulated.prepared == (1 if base.startswith("http:") else 0)
    assert path(lane, tools=[{"type": "function"}, {"type": "web_search"}]) == b"/responses"
    assert path(lane, tools="odd") == b"/responses"
