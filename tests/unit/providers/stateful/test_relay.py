"""The relay with a memory: what each attempt at one request is given, and what is free of the store."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Malformed, NotFound, Unsupported
from pointsman.core.identity import Owner
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Operation
from pointsman.providers.native import OPENAI_RESPONSES, NativeLane
from pointsman.providers.stateful import RememberedRelay, StatefulLane
from pointsman.providers.stateful.relay import account_of
from pointsman.providers.translated import OpenAIChatFar, translated_lane
from tests.unit.policies.desk import deployment
from tests.unit.providers.stateful.desk import ME, Desk, asked, raw

HEX = "a" * 24


def relay_of(desk: Desk, **changes: Any) -> RememberedRelay:
    there = msgspec.structs.replace(deployment(), **changes)
    return RememberedRelay(there, NativeLane(there, OPENAI_RESPONSES), desk.book)


def told(**more: Any) -> bytes:
    message = {
        "id": "msg_up", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Blue"}],
    }  # fmt: skip
    reasoning = {"id": "rs_up", "type": "reasoning", "summary": [], "encrypted_content": "opaque"}
    return json.dumps(
        {"id": "resp_up", "status": "completed", "store": True, "output": [reasoning, message], **more}
    ).encode()


async def relayed(desk: Desk, ask: Ask, answer: bytes, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the upstream was sent, and the client told; what is to be kept, is."""
    lane = relay_of(desk, **changes)
    await lane.prepare(ask)
    sent = json.loads(lane.write(ask).body)
    out = json.loads(lane.answer(ask).whole(answer))
    if ask.keep is not None:
        await ask.keep()
    return sent, out


async def test_a_request_for_nothing_that_is_stored_needs_no_store() -> None:
    desk = Desk()
    desk.book.responses = desk.book.conversations = None  # type: ignore[assignment]
    ask = asked(store=False, input=[{"role": "user", "content": "x"}, {"type": "of_next_year", "id": "x"}])
    sent, out = await relayed(desk, ask, told(store=False))
    assert sent["input"][1] == {"type": "of_next_year", "id": "x"} and out["id"] == "resp_up"
    assert ask.keep is None


async def test_what_is_kept_and_what_a_later_request_is_sent_with() -> None:
    desk = Desk()
    await relayed(desk, asked(), told())
    record = await desk.responses.get("resp_up", ME, desk.clock.wall())
    assert record is not None and (record.owner, record.upstream_id) == ("me", "resp_up")
    assert bytes(record.body) == told()
    sent, _ = await relayed(desk, asked(previous_response_id="resp_up"), told(id="resp_up2"))
    assert (sent["previous_response_id"], sent["input"]) == ("resp_up", "x")
    sent, out = await relayed(desk, asked(previous_response_id="resp_up"), told(id="resp_b"), model="another")
    assert [item.get("role") for item in sent["input"]] == ["user", "assistant", "user"]
    assert "previous_response_id" not in sent and out["previous_response_id"] == "resp_up"


async def test_what_the_upstream_does_not_say_to_keep_is_sent_again_as_it_was() -> None:
    desk = Desk()
    await relayed(desk, asked(), told(store=False))
    sent, _ = await relayed(desk, asked(previous_response_id="resp_up"), told(id="resp_up2"))
    assert [item.get("type") for item in sent["input"]] == ["message", "reasoning", "message", None]


async def test_attempts_in_either_order_find_the_request_as_it_came() -> None:
    desk = Desk()
    await desk.keep(f"resp_{HEX}")
    emulated = StatefulLane(translated_lane(Operation.RESPONSES, OpenAIChatFar(), deployment()), desk.book)
    named = [{"type": "item_reference", "id": f"msg_{HEX}i00"}, {"role": "user", "content": "two"}]
    for more in ({"previous_response_id": f"resp_{HEX}"}, {"input": named}):
        ask, relay = asked(**more), relay_of(desk)
        await relay.prepare(ask)
        assert relay.has(ask) and len(json.loads(relay.write(ask).body)["input"]) >= 2
        estimate = ask.prompt_estimate
        await emulated.prepare(ask)
        assert not relay.has(ask)
        texts = [message["content"] for message in json.loads(emulated.write(ask).body)["messages"]]
        assert texts[0] == "Blue"
        await relay.prepare(ask)
        assert relay.has(ask) and ask.prompt_estimate >= estimate
        assert "item_reference" not in relay.write(ask).body.decode()


async def test_repeated_attempts_do_not_count_what_is_continued_twice() -> None:
    desk = Desk()
    await desk.keep("resp_1", text="long " * 50)
    ask, relay = asked(previous_response_id="resp_1"), relay_of(desk)
    await relay.prepare(ask)
    once = ask.prompt_estimate
    await relay.prepare(ask)
    assert ask.prompt_estimate == once > 200


@pytest.mark.parametrize("allows", [False, True])
async def test_an_upstream_that_repeats_its_ids_takes_nothing_from_anybody(allows: bool) -> None:
    desk = Desk()
    desk.book.allows_unknown = allows
    await relayed(desk, asked(), told())
    other = Owner("other")
    await relayed(desk, asked(other), told(metadata={"by": "other"}))
    record = await desk.responses.get("resp_up", ME, desk.clock.wall())
    assert record is not None and bytes(record.body) == told()
    assert await desk.responses.get("resp_up", other, desk.clock.wall()) is None
    with pytest.raises(NotFound):
        await relay_of(desk).prepare(asked(other, previous_response_id="resp_up"))


@pytest.mark.parametrize("kind", ["id", "status"])
async def test_what_cannot_be_stored_is_answered_all_the_same(kind: str) -> None:
    desk = Desk()
    answer = told(**{kind: "x" * 300})
    _, out = await relayed(desk, asked(), answer)
    assert out == json.loads(answer)
    assert await desk.responses.get(out["id"], ME, desk.clock.wall()) is None


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"previous_response_id": ["resp_up"]}, "previous_response_id"),
        ({"conversation": {"id": 7}}, "conversation.id"),
        ({"conversation": "c", "previous_response_id": "p"}, "conversation"),
        ({"store": "yes"}, "store"),
    ],
)
async def test_what_names_something_must_be_readable(more: dict[str, Any], param: str) -> None:
    ask = asked()
    ask.fields |= {name: raw(value) for name, value in more.items()}
    with pytest.raises(Malformed) as refused:
        await relay_of(Desk()).prepare(ask)
    assert refused.value.param == param


async def test_nobody_works_in_the_background_where_nothing_is_stored() -> None:
    with pytest.raises(Unsupported):
        await relay_of(Desk(retention_days=0)).prepare(asked(background=True))


def test_an_account_is_known_by_its_address_its_key_and_beyond_openai_its_model() -> None:
    def account(**changes: Any) -> str:
        return account_of(msgspec.structs.replace(deployment(), **changes))

    official = "https://api.openai.com/v1"
    assert account() == account(id="other", group="other")
    assert len({account(), account(model="b"), account(api_key=Secret("k")), account(api_base="http://y")}) == 4
    assert account(api_base=official) == account(api_base=official, model="b")
