"""The work that the story of one request is, in steps of the interpreter: a busy machine counts as a quiet one does.

What a request and an event cost on a core is measured in ``bench/``; here only that nobody adds to it unawares. Who
must, says why beside the new bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.support.steps import steps
from tests.unit.lifecycle.house_script import KEY, Stage, chat_body
from tests.unit.lifecycle.openai_words import DONE, GOOD
from tests.unit.policies.desk import key_record

PLAIN = 2376
LIMITED = 2690
EVENTS = 137
"""Four of them look whether an event tells of reasoning, which is relayed under another name."""
EVENT = (
    b'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741569952,'
    b'"model":"real","system_fingerprint":"fp_44a5d5e3c1","choices":[{"index":0,"delta":{"content":" you"},'
    b'"logprobs":null,"finish_reason":null}]}\n\n'
)


async def stage(**limits: object) -> Stage:
    made = Stage(record=key_record(KEY, **limits))
    made.sender.act = lambda flight: flight.answer(GOOD)
    asked(made)()  # the first of a key is looked up, and makes what later ones find
    while not made.books.records:
        await asyncio.sleep(0)
    return made


def asked(one: Stage) -> Callable[[], object]:
    body = chat_body()
    return lambda: one.tell(body, KEY)


@pytest.mark.parametrize(
    ("limits", "bound"),
    [({}, PLAIN), ({"rpm_limit": 10**6, "tpm_limit": 10**9, "max_budget": 10**18}, LIMITED)],
    ids=["plain", "limited"],
)
async def test_a_request_is_no_more_work_than_it_was(limits: dict[str, object], bound: int) -> None:
    one = await stage(**limits)
    assert steps(asked(one)) <= bound
    assert one.books.records[-1].status == "success"


async def test_an_event_of_a_stream_is_no_more_work_than_it_was() -> None:
    one = Stage()
    story, client = one.tell(chat_body(stream=True))
    one.flight.piece(EVENT)
    story.step()
    one.flight.piece(EVENT)  # shows what all further ones have in common
    assert steps(lambda: one.flight.piece(EVENT)) <= EVENTS
    one.flight.piece(DONE, last=True)
    story.step()
    assert client.body == EVENT.replace(b"real", b"public") * 3 + DONE
