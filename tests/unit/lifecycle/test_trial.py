from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pointsman.core.errors import Unreachable
from pointsman.core.upstream import Ask, Operation, Outbound
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.lifecycle.trial import Trial, try_call
from pointsman.providers.lanes import LaneBook
from tests.unit.lifecycle.house_script import UPSTREAM_KEY, ScriptedFlight, deployment
from tests.unit.policies.desk import FakeClock

CHUNK = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"OK"}}]}\n\n'
LAST = (
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\ndata: [DONE]\n\n'
)


class Upstream:
    """Plays ``acts`` into the flight: (status, bytes), an error to raise, or None for silence; the last one ends it."""

    def __init__(self, *acts: tuple[int, bytes] | BaseException | None) -> None:
        self.acts = acts
        self.sent: list[Outbound] = []
        self.happened: list[str] = []
        self.flight: ScriptedFlight | None = None

    def send(self, one: object, outbound: Outbound, *, stream: bool) -> Any:
        self.sent.append(outbound)
        self.flight = flight = ScriptedFlight(self)  # type: ignore[arg-type]
        for number, act in enumerate(self.acts):
            if isinstance(act, BaseException):
                flight.inbox.put(act)
                continue
            flight.complete = number + 1 == len(self.acts)
            if act is not None:
                flight.status = act[0]
            flight.inbox.put(None if act is None else act[1])
        return flight


def ask(*, stream: bool = True) -> Ask:
    body = b'{"model":"public","messages":[{"role":"user","content":"Say OK."}],"stream":%b}'
    return OpenAIDialect().read_ask(body % (b"true" if stream else b"false"), Operation.CHAT, None)


async def tried(upstream: Upstream, wanted: Ask | None = None, seconds_max: float = 5.0) -> Trial:
    wanted, one = wanted or ask(), deployment()
    lane = LaneBook({}).lane(wanted.operation, one)
    return await try_call(wanted, one, lane, upstream, FakeClock(), seconds_max=seconds_max)


async def test_a_stream_is_read_to_its_end() -> None:
    upstream = Upstream(None, (200, CHUNK), (200, LAST))
    trial = await tried(upstream)
    assert trial.error is None and trial.first_seconds is not None
    assert (trial.usage.prompt, trial.usage.completion) == (3, 1)
    assert b"Say OK." in upstream.sent[0].body


async def test_an_answer_in_one_piece_will_do() -> None:
    body = b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"OK"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}'  # noqa: E501
    trial = await tried(Upstream((200, body)), ask(stream=False))
    assert trial.error is None and trial.usage.total == 4


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_told_without_the_key(stream: bool) -> None:
    refusal = b'{"error":{"message":"bad key %b"}}' % UPSTREAM_KEY.encode()
    trial = await tried(Upstream((401, refusal)), ask(stream=stream))
    assert trial.error is not None and trial.error.status == 401
    assert UPSTREAM_KEY not in trial.error.message


async def test_whoever_cannot_be_reached_is_told() -> None:
    trial = await tried(Upstream(Unreachable("Nobody is there.")))
    assert trial.error is not None and trial.error.message == "Nobody is there."
    assert trial.first_seconds is None


async def test_nobody_is_waited_for_longer_than_is_wanted() -> None:
    class Silent(Upstream):
        def send(self, one: object, outbound: Outbound, *, stream: bool) -> Any:
            self.flight = ScriptedFlight(self)  # type: ignore[arg-type]
            return self.flight

    silent = Silent()
    async with asyncio.timeout(5.0):
        trial = await tried(silent, seconds_max=0.01)
    assert trial.error is not None and trial.error.code == "upstream_timeout"
    assert silent.happened == ["upstream cut"]


async def test_a_stream_that_breaks_off_is_a_failure() -> None:
    trial = await tried(Upstream((200, CHUNK)))
    assert trial.error is not None
