"""Any lane of the Responses API with a memory: what its answers tell is kept, once it is whole."""

from __future__ import annotations

import json

from pointsman.core.errors import Broken
from pointsman.core.upstream import Ask, Operation
from pointsman.core.usage import Usage
from pointsman.dialects.openai_responses.response import ResponseRequest
from pointsman.providers.stateful import StatefulLane
from pointsman.providers.translated import AnthropicFar, OpenAIChatFar, translated_lane
from tests.unit.policies.desk import deployment
from tests.unit.providers.stateful.desk import ME, Desk, asked, raw

WHOLE = json.dumps({
    "id": "a", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Blue"}, "finish_reason": "stop"}],
}).encode()  # fmt: skip
PIECE = (
    b'data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"Blue"}}]}\n\n'
)
LAST = (
    b'data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def lane_of(desk: Desk) -> StatefulLane:
    return StatefulLane(translated_lane(Operation.RESPONSES, OpenAIChatFar(), deployment()), desk.book)


async def kept_status(desk: Desk, ask: Ask) -> str | None:
    assert isinstance(ask.notes, ResponseRequest)
    if ask.keep is not None:
        await ask.keep()
    record = await desk.responses.get(ask.notes.id, ME, desk.clock.wall())
    return None if record is None else record.status


async def test_a_whole_answer_is_kept_as_it_was_given() -> None:
    desk, ask = Desk(), asked()
    lane = lane_of(desk)
    await lane.prepare(ask)
    lane.write(ask)
    answer = lane.answer(ask)
    out = answer.whole(WHOLE)
    assert await kept_status(desk, ask) == "completed"
    assert isinstance(ask.notes, ResponseRequest)
    record = await desk.responses.get(ask.notes.id, ME, desk.clock.wall())
    assert record is not None and bytes(record.body) == out


async def test_a_stream_is_kept_as_it_ended() -> None:
    desk, ask = Desk(), asked(stream=True)
    lane = lane_of(desk)
    await lane.prepare(ask)
    lane.write(ask)
    answer = lane.answer(ask)
    assert answer.feed(PIECE)
    assert await kept_status(desk, ask) is None, "not before it is whole"
    answer.feed(LAST)
    assert answer.end().startswith(b"event: ")
    assert await kept_status(desk, ask) == "completed"


async def test_a_stream_that_broke_is_kept_as_failed() -> None:
    desk, ask = Desk(), asked(stream=True)
    lane = lane_of(desk)
    await lane.prepare(ask)
    lane.write(ask)
    answer = lane.answer(ask)
    answer.feed(PIECE)
    answer.failed(Broken("cut"))
    assert await kept_status(desk, ask) == "failed"


async def test_what_is_not_to_be_stored_costs_nothing() -> None:
    desk, ask = Desk(), asked(store=False)
    lane = lane_of(desk)
    await lane.prepare(ask)
    lane.write(ask)
    lane.answer(ask).whole(WHOLE)
    assert ask.keep is None


async def test_the_answer_inside_shows_through() -> None:
    desk, ask = Desk(), asked()
    lane = lane_of(desk)
    await lane.prepare(ask)
    lane.write(ask)
    answer = lane.answer(ask)
    answer.usage = Usage(3, 4, source="measured")
    answer.error = Broken("x")
    answer.content_type = b"text/plain"
    assert (answer.usage.prompt, answer.error.code, answer.content_type) == (3, "upstream_broken", b"text/plain")
    assert answer.rejected(429, b"{}", 3.0).retry_after == 3.0
    answer.cut()
    assert answer.usage.prompt == 3


async def test_reasoning_that_was_stored_comes_back_to_its_model_unchanged() -> None:
    desk = Desk()
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "sig"}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Blue"}]}
    await desk.keep("resp_1", body=raw({"status": "completed", "output": [thought, said]}))
    ask = asked(previous_response_id="resp_1", input="two", reasoning={"effort": "low"})
    lane = StatefulLane(translated_lane(Operation.RESPONSES, AnthropicFar(), deployment()), desk.book)
    await lane.prepare(ask)
    sent = json.loads(lane.write(ask).body)["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "sig"}


async def test_a_response_that_its_upstream_gave_an_id_is_found_by_that() -> None:
    desk, ask = Desk(), asked()
    await desk.book.prepare(ask)
    await desk.book.keep(ask, raw({"id": "resp_upstream", "status": "completed", "output": []}))
    assert await desk.responses.get("resp_upstream", ME, desk.clock.wall()) is not None
