"""What is looked up before a request is written, and kept of its answer."""

from __future__ import annotations

import json
import logging
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import GatewayError, Malformed, NotFound, Unsupported
from pointsman.core.identity import Owner
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.stores.response_ports import OBJECT_BYTES_MAX, ConversationRecord
from tests.unit.providers.stateful.desk import ME, BrokenStore, Desk, asked, kept, raw

ANSWER = raw({"status": "completed", "output": [{"id": "msg_out", "type": "message"}]})


async def prepared(desk: Desk, **fields: Any) -> ResponseRequest:
    ask = asked(**fields)
    await desk.book.prepare(ask)
    assert isinstance(ask.notes, ResponseRequest)
    return ask.notes


def ids(items: tuple[msgspec.Raw, ...]) -> list[str]:
    return [json.loads(bytes(item))["id"] for item in items]


async def refused(desk: Desk, **fields: Any) -> GatewayError:
    with pytest.raises(GatewayError) as error:
        await prepared(desk, **fields)
    return error.value


async def test_a_chain_is_put_in_the_order_of_its_talk() -> None:
    desk = Desk()
    await desk.keep("resp_1")
    await desk.keep("resp_2", previous_response_id="resp_1")
    request = await prepared(desk, previous_response_id="resp_2")
    assert ids(request.history) == ["msg_1i00", "msg_100", "msg_2i00", "msg_200"]
    assert request.input == "x", "what is stored of it are its own items"


async def test_what_is_continued_counts_once_however_often_it_is_prepared() -> None:
    desk = Desk()
    await desk.keep("resp_1", "word " * 100)
    ask = asked(previous_response_id="resp_1")
    ask.prompt_estimate = 10
    await desk.book.prepare(ask)
    grown, notes = ask.prompt_estimate, ask.notes
    assert grown > 500
    await desk.book.prepare(ask)
    assert (ask.prompt_estimate, ask.notes) == (grown, notes), "its id stays, too"


async def test_what_is_not_there_is_named() -> None:
    desk = Desk()
    await desk.keep("resp_2", previous_response_id="resp_1")
    for name, fields in {
        "resp_9": {"previous_response_id": "resp_9"},
        "resp_1": {"previous_response_id": "resp_2"},
    }.items():
        error = await refused(desk, **fields)
        assert isinstance(error, NotFound)
        assert error.told() == f"Previous response with id '{name}' not found."
        assert (error.code, error.param) == ("previous_response_not_found", "previous_response_id")
    error = await refused(desk, conversation="conv_9")
    assert (error.status, error.param) == (404, "conversation")
    error = await refused(desk, owner=Owner("other"), previous_response_id="resp_2")
    assert error.status == 404


async def test_where_nothing_is_kept_it_says_so_and_what_to_do() -> None:
    error = await refused(Desk(retention_days=0), previous_response_id="resp_1")
    assert error.code == "previous_response_not_found"
    assert "keeps no responses" in error.told() and "response_retention_days" in error.told()


async def test_what_cannot_be_continued_is_refused_with_the_reason() -> None:
    desk = Desk()
    await desk.keep("resp_1", status="in_progress")
    await desk.keep("resp_2", conversation_id="conv_1")
    await desk.keep("resp_3", input_items=msgspec.Raw(b'["' + b"x" * OBJECT_BYTES_MAX + b'"]'))
    codes = [(await refused(desk, previous_response_id=f"resp_{number}")).code for number in (1, 2, 3)]
    assert codes == ["previous_response_not_complete", "previous_response_in_conversation", "chain_too_long"]


async def test_a_conversation_is_continued_and_added_to() -> None:
    desk = Desk()
    record = ConversationRecord(id="conv_1", owner="me", created_at=0.0, expires_at=desk.clock.wall() + 1)
    await desk.conversations.create(record, [kept("a")])
    ask = asked(conversation={"id": "conv_1"}, store=False)
    await desk.book.prepare(ask)
    assert isinstance(ask.notes, ResponseRequest) and ids(ask.notes.history) == ["a"]
    await desk.book.keep(ask, ANSWER)
    history = await desk.conversations.history("conv_1", ME, desk.clock.wall())
    assert history is not None and len(history) == 3 and ids(history)[-1] == "msg_out"
    assert await desk.responses.get(ask.notes.id, ME, desk.clock.wall()) is None


async def test_a_failed_response_adds_nothing_to_its_conversation() -> None:
    desk = Desk()
    record = ConversationRecord(id="conv_1", owner="me", created_at=0.0, expires_at=desk.clock.wall() + 1)
    await desk.conversations.create(record)
    ask = asked(conversation="conv_1")
    await desk.book.prepare(ask)
    await desk.book.keep(ask, raw({"status": "failed"}))
    assert await desk.conversations.history("conv_1", ME, desk.clock.wall()) == ()


async def test_what_is_kept_lasts_as_long_as_the_operator_wants() -> None:
    desk = Desk(retention_days=2)
    ask = asked()
    await desk.book.prepare(ask)
    await desk.book.keep(ask, ANSWER)
    assert isinstance(ask.notes, ResponseRequest)
    record = await desk.responses.get(ask.notes.id, ME, desk.clock.wall())
    assert record is not None
    assert (record.owner, record.model, record.expires_at) == ("me", "m", desk.clock.wall() + 2 * 86_400)
    assert json.loads(bytes(record.input_items))[0]["content"] == [{"type": "input_text", "text": "x"}]


async def test_an_operator_who_wants_nothing_stored_has_nothing_stored() -> None:
    request = await prepared(Desk(retention_days=0))
    assert request.store is False


async def test_what_is_too_long_to_be_stored_says_so_and_is_answered() -> None:
    request = await prepared(Desk(), input="x" * OBJECT_BYTES_MAX)
    assert request.store is False
    ask = asked(input="x" * OBJECT_BYTES_MAX, background=True)
    ask.notes = read_response_request(ask.body())
    with pytest.raises(Malformed, match="too long to be stored"):
        await Desk().book.prepare(ask)


async def test_a_request_that_cannot_be_stored_is_answered_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(broken=True)
    ask = asked()
    await desk.book.prepare(ask)
    with caplog.at_level(logging.WARNING):
        await desk.book.keep(ask, ANSWER)
        await desk.book.keep(ask, raw({"no": "response"}))
        assert isinstance(desk.responses, BrokenStore)
        desk.responses.stuck = True
        await desk.book.keep(ask, ANSWER)
    assert len(caplog.records) == 3 and "could not be stored" in caplog.text


async def test_the_background_has_no_place_in_the_foreground() -> None:
    with pytest.raises(Unsupported) as error:
        await prepared(Desk(), background=True)
    assert error.value.param == "background"


@pytest.mark.parametrize("name", ["msg_nobody", "msg_" + "a" * 24 + "07", "", "x" * 10_000])
async def test_an_item_that_is_not_there_is_named_by_its_place(name: str) -> None:
    desk = Desk()
    await desk.keep("resp_" + "a" * 24)
    error = await refused(desk, input=[{"role": "user", "content": "x"}, {"type": "item_reference", "id": name}])
    assert (error.status, error.param) == (404, "input[1]") and len(error.message) < 200


async def test_items_that_are_named_are_put_in_place() -> None:
    desk = Desk()
    name = "b" * 24
    await desk.keep(f"resp_{name}")
    named = [{"type": "item_reference", "id": f"msg_{name}i00"}, {"type": "item_reference", "id": f"msg_{name}00"}]
    ask = asked(input=[*named, {"role": "user", "content": '"item_reference"'}])
    await desk.book.prepare(ask)
    assert isinstance(ask.notes, ResponseRequest) and isinstance(ask.notes.input, tuple)
    assert ids(ask.notes.input[:2]) == [f"msg_{name}i00", f"msg_{name}00"]
    assert [item.get("role") for item in json.loads(bytes(ask.fields["input"]))] == ["user", "assistant", "user"]


async def test_two_ways_to_continue_exclude_each_other() -> None:
    with pytest.raises(Malformed):
        await prepared(Desk(), previous_response_id="resp_1", conversation="conv_1")
