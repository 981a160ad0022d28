"""A conversation from its beginning to its end, with both ends played by the test."""

from __future__ import annotations

import asyncio
import json

import pytest

from pointsman.core.duplex import Duplex, Parted
from pointsman.core.errors import GatewayError, Unreachable
from pointsman.core.exchange import Inbound, InferenceRoute, RequestHead
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment, Operation
from pointsman.dialects.openai_extras.realtime import RealtimeDialect
from pointsman.lifecycle.realtime import Arrival, converse
from tests.unit.lifecycle.house_script import KEY, Stage, deployment
from tests.unit.policies.desk import key_record

DONE = json.dumps({"type": "response.done", "response": {"usage": {"input_tokens": 5, "output_tokens": 2}}})


CREATED = json.dumps({"type": "response.created", "response": {"usage": None}})


class End:
    """One end; ``to_say`` is what it will say, a :class:`Parted` at the end of it that it goes."""

    def __init__(self, *to_say: str | bytes | Parted) -> None:
        self.to_say: asyncio.Queue[str | bytes | Parted] = asyncio.Queue()
        for message in to_say:
            self.to_say.put_nowait(message)
        self.heard: list[str | bytes] = []
        self.closed: tuple[int, str] | None = None

    async def receive(self) -> str | bytes:
        message = await self.to_say.get()
        if isinstance(message, Parted):
            raise message
        return message

    async def send(self, message: str | bytes) -> None:
        self.heard.append(message)

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Scene:
    def __init__(self, near: End, far: End | GatewayError, stage: Stage | None = None) -> None:
        self.near = near
        self.far = far
        self.stage = stage or Stage(deployment())
        self.refused: GatewayError | None = None
        self.mistakes: list[BaseException] = []

    async def accept(self) -> Duplex:
        return self.near

    async def refuse(self, error: GatewayError, _call_id: str) -> None:
        self.refused = error

    async def dial(self, _deployment: Deployment, _query: str, _headers: tuple[tuple[str, str], ...]) -> Duplex:
        if isinstance(self.far, GatewayError):
            raise self.far
        return self.far

    async def play(self) -> None:
        dialect = RealtimeDialect()
        head = RequestHead(InferenceRoute(Operation.REALTIME, dialect, "/realtime"), KEY.encode(), (), "public")
        clock = self.stage.clock
        inbound = Inbound(head, b"", clock.monotonic(), clock.wall())
        nursery = Nursery(lambda _name, error: self.mistakes.append(error))
        await converse(Arrival(inbound, "", ()), self, self.stage.house, self, dialect, nursery)
        assert len(nursery) == 0

    @property
    def records(self) -> list[tuple[str, int]]:
        return [(record.status, record.usage.total) for record in self.stage.books.records]


async def test_messages_go_both_ways_and_the_first_to_go_is_told_to_the_other() -> None:
    far = End("hello", b"sound", DONE, Parted(4001, "over"))
    scene = Scene(End("hi"), far)
    await scene.play()
    assert scene.near.heard == ["hello", b"sound", DONE]
    assert (scene.near.closed, far.closed) == ((4001, "over"), (4001, "over"))
    assert scene.records == [("success", 7)]
    assert scene.stage.house.admission.in_flight == 0


@pytest.mark.parametrize(
    ("code", "sent"), [(1000, 1000), (1005, 1000), (1006, 1011), (1015, 1011), (999, 1011), (5000, 1011), (3000, 3000)]
)
async def test_a_code_that_may_not_be_sent_is_replaced(code: int, sent: int) -> None:
    far = End()
    scene = Scene(End(Parted(code)), far)
    await scene.play()
    assert far.closed == (sent, "")


async def test_each_response_is_settled_once_and_what_is_left_open_is_let_go() -> None:
    scene = Scene(End(), End(DONE, DONE, Parted(1000)))
    await scene.play()
    assert scene.records == [("success", 7), ("success", 7)]
    principal = await scene.stage.house.keyring.look_up(scene.stage.books.records[0].key_token)
    assert (principal.in_flight, principal.reserved) == (0, 0)


async def test_a_response_that_is_cut_leaves_a_record() -> None:
    scene = Scene(End(), End(CREATED, DONE, CREATED, Parted(1006)))
    await scene.play()
    assert scene.records == [("success", 7), ("cancelled", 0)]
    assert scene.stage.house.admission.in_flight == 0


async def test_a_conversation_without_a_response_leaves_a_record() -> None:
    scene = Scene(End(Parted(1000)), End())
    await scene.play()
    assert scene.records == [("cancelled", 0)]


async def test_a_spent_budget_is_said_and_ends_it() -> None:
    far = End(DONE, DONE)
    scene = Scene(End(), far, Stage(deployment(), record=key_record(KEY, max_budget=7)))
    await scene.play()
    told = json.loads(scene.near.heard[-1])
    assert (told["type"], told["error"]["code"], scene.near.heard[0]) == ("error", "budget_exceeded", DONE)
    assert scene.near.closed == (1008, "budget_exceeded") and far.closed is not None
    assert scene.records == [("success", 7), ("failure", 0)]


async def test_an_upstream_that_is_not_there_is_told_before_anything_begins() -> None:
    scene = Scene(End(), Unreachable("nobody there"))
    await scene.play()
    assert isinstance(scene.refused, Unreachable) and scene.near.closed is None
    assert scene.records == [("failure", 0)]
    assert scene.stage.house.admission.in_flight == 0


async def test_nobody_speaks_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.lifecycle.realtime.CONVERSATION_IDLE_SECONDS", 0.0)
    far = End()
    scene = Scene(End(), far)
    await scene.play()
    assert (scene.near.closed, far.closed) == ((1001, "idle"), (1001, "idle"))


async def test_our_own_mistake_closes_both_ends() -> None:
    class Odd(End):
        async def receive(self) -> str | bytes:
            raise ValueError("odd")

    far = Odd()
    scene = Scene(End(), far)
    await scene.play()
    assert scene.near.closed == (1011, "") and far.closed == (1011, "")
    assert scene.records == [("failure", 0)]


@pytest.mark.parametrize(
    "message", [b"\x00", "response.done", '{"type":"x","a":"response.done"}', '{"response.done"', "[]"]
)
def test_only_a_response_that_is_done_counts(message: str | bytes) -> None:
    assert RealtimeDialect().usage_of(message) is None
    assert not RealtimeDialect().begins(message)


def test_usage_by_kind() -> None:
    counts = {
        "input_tokens": 20, "output_tokens": 10, "input_token_details": {"cached_tokens": 4, "audio_tokens": 12},
        "output_token_details": {"audio_tokens": 7},
    }  # fmt: skip
    usage = RealtimeDialect().usage_of(json.dumps({"type": "response.done", "response": {"usage": counts}}))
    assert usage is not None
    assert (usage.prompt, usage.completion, usage.cached, usage.audio_input, usage.audio_output) == (20, 10, 4, 12, 7)
    bare = RealtimeDialect().usage_of('{"type":"response.done","response":{"usage":null}}')
    assert bare is not None and bare.source == "none"
