"""A request's own timeout: what takes longer is cut off, and somebody else may be asked."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pointsman.core.rules import Target
from pointsman.policies.parameters import seconds_in
from pointsman.routing.settings import FallbackLists, RoutingSettings
from tests.unit.lifecycle.house_script import ScriptedClient, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk
from tests.unit.lifecycle.test_hedge import SOON, TWO, raced, released
from tests.unit.lifecycle.traffic_script import stage_with

HEADER, STREAM_HEADER = b"x-litellm-timeout", b"x-litellm-stream-timeout"


def begin(stage: Stage, body: bytes, *headers: tuple[bytes, bytes]) -> ScriptedClient:
    _, client = stage.begin_with(stage.inbound(body, "sk-master-0123456789", *headers))
    return client


async def ended(client: ScriptedClient) -> None:
    async with asyncio.timeout(5):
        while not client.ended:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("more", "headers"),
    [
        ({"timeout": 0.01}, ()),
        ({"timeout": "0.01"}, ()),
        ({"request_timeout": 0.01}, ()),
        ({"timeout": 60}, ((HEADER, b"0.01"),)),
        ({"stream": True, "stream_timeout": 0.01}, ()),
        ({"stream": True}, ((STREAM_HEADER, b"0.01"), (HEADER, b"60"))),
        ({"stream": True}, ((HEADER, b"0.01"),)),
    ],
)
async def test_who_takes_longer_than_the_request_lets_it_is_cut_off(
    more: dict[str, Any], headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    stage = Stage(routing=RoutingSettings())
    client = begin(stage, chat_body(**more), *headers)
    assert not client.ended
    await ended(client)
    assert client.status == 408 and b"0.01 s" in client.body and b"timeout_error" in client.body
    assert stage.flight.closed and not stage.flight.complete and len(stage.sender.sent) == 1
    record = stage.record
    assert (record.status, record.http_status, record.error_code) == ("failure", 408, "client_timeout")
    pool = stage.house.router.pool("public")
    assert pool is not None and (pool.members[0].live.failures, pool.members[0].live.rests_until) == (0, 0.0)
    stage.settled()


async def test_no_upstream_is_sent_the_limit() -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(GOOD)
    begin(stage, chat_body(timeout=5, request_timeout=6, stream_timeout=7))
    ((_, outbound, _),) = stage.sender.sent
    assert b"timeout" not in outbound.body


async def test_another_model_has_a_limit_of_its_own() -> None:
    """So an answer may come after one limit has passed, as with LiteLLM."""
    lists = FallbackLists(general={"public": (Target("spare"),)})
    stage = Stage(deployment(), deployment(id="dep-2", group="spare"), routing=RoutingSettings(fallbacks=lists))
    client = begin(stage, chat_body(timeout=0.01))
    async with asyncio.timeout(5):
        while len(stage.sender.sent) < 2:
            await asyncio.sleep(0.001)
    stage.flight.answer(GOOD)
    assert client.status == 200 and [sent.id for sent, _, _ in stage.sender.sent] == ["dep-1", "dep-2"]
    stage.settled()


async def test_a_stream_that_has_begun_is_not_broken_off() -> None:
    stage = Stage()
    client = begin(stage, chat_body(stream=True, timeout=0.01))
    stage.flight.piece(chunk("one"))
    await asyncio.sleep(0.03)  # three times the limit
    assert client.begun and not stage.flight.closed and stage.books.records == []
    stage.flight.piece(LAST, last=True)
    assert client.ended and stage.record.status == "success"
    stage.settled()


async def test_one_that_was_only_kept_waiting_is() -> None:
    stage = Stage()
    client = begin(stage, chat_body(stream=True, timeout=0.01))
    stage.flight.silence()
    assert client.begun
    await ended(client)
    assert b"client_timeout" in client.body and stage.flight.closed
    stage.settled()


async def test_an_answer_in_time_leaves_no_alarm_behind() -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(GOOD)
    client = begin(stage, chat_body(timeout=3600))
    assert client.status == 200
    timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    assert all(timer.cancelled() for timer in timers)


async def test_the_limit_is_for_both_of_two_that_race() -> None:
    stage = stage_with(SOON, *TWO)
    _, client = await raced(stage, chat_body(timeout=0.05, num_retries=0))
    await ended(client)
    assert client.status == 408 and len(stage.sender.sent) == 2
    released(stage)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(b"5", 5.0), (b'"2.5"', 2.5), (b"0", None), (b"-1", None), (b'"soon"', None), (b"null", None), (b"1e999", None),
     (b'"inf"', None), (b"{}", None), (b"", None)],
)  # fmt: skip
def test_what_makes_no_sense_is_no_limit(said: bytes, seconds: float | None) -> None:
    assert seconds_in(msgspec.Raw(said)) == seconds and seconds_in(None) is None
