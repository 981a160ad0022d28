"""Where an upstream is, the operator is told and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.core.errors import Unreachable
from pointsman.dialects.openai_chat.errors import read_error
from tests.unit.lifecycle.house_script import KEY, MASTER, Act, ScriptedClient, Stage, chat_body, deployment

ADDRESS = "10.0.0.7:8000"


def unreachable() -> Act:
    error = Unreachable(f"Cannot reach the upstream at http://{ADDRESS}/v1: refused.", hint=f"Look at {ADDRESS}.")
    return lambda flight: flight.fail(error)


def whole() -> Act:
    return lambda flight: flight.answer(b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}')


def refused() -> Act:
    assert ADDRESS in read_error(400, f"no such route at {ADDRESS}".encode()).message
    return lambda flight: flight.answer(f"no such route at {ADDRESS}".encode(), 400)


async def told(stage: Stage, body: bytes, key: str) -> ScriptedClient:
    """Served as far as it goes; a virtual key has to be looked up first, which takes a turn of the loop."""
    _, client = stage.tell(body, key)
    for _ in range(9):
        await asyncio.sleep(0)
    return client


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("act", "status"), [(unreachable(), 503), (whole(), 200), (refused(), 400)], ids=["unreachable", "whole", "refused"]
)
@pytest.mark.parametrize("key", [MASTER, KEY])
async def test_only_the_operator_learns_the_upstreams_address(act: Act, status: int, key: str, stream: bool) -> None:
    stage = Stage(deployment(api_base=f"http://{ADDRESS}/v1?key=1"))
    stage.sender.act = act
    client = await told(stage, chat_body(stream=stream and status != 200), key)
    assert client.status == status
    assert (b"x-litellm-model-api-base: http://10.0.0.7:8000/v1\r\n" in client.head) is (key == MASTER)
    assert b"x-litellm-model-group: public\r\n" in client.head
    assert (ADDRESS.encode() in client.body) is (key == MASTER and status != 200)
    # The record is the operator's, too.
    assert (ADDRESS in (stage.record.error_message or "")) is (status != 200)


@pytest.mark.parametrize("key", [MASTER, KEY])
async def test_an_answer_that_breaks_off_does_not_tell_either(key: str) -> None:
    stage = Stage(deployment(api_base=f"http://{ADDRESS}/v1"))
    client = await told(stage, chat_body(stream=True), key)
    stage.flight.piece(b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n')
    stage.flight.fail(Unreachable(f"{ADDRESS} is gone."))
    await asyncio.sleep(0)
    assert client.status == 200
    assert (ADDRESS.encode() in client.body) is (key == MASTER)
    assert b"is gone" in client.body


async def test_both_kinds_of_heads_are_remembered() -> None:
    stage = Stage(deployment(api_base=f"http://{ADDRESS}/v1"))
    stage.sender.act = whole()
    for key in (KEY, MASTER, KEY, MASTER):
        client = await told(stage, chat_body(), key)
        assert (ADDRESS.encode() in client.head) is (key == MASTER)
