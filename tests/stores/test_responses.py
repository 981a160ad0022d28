"""The promises of stored responses, kept by every backend."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.identity import Owner
from pointsman.stores.response_ports import (
    OBJECT_BYTES_MAX,
    STREAM_SECONDS,
    TURNS_MAX,
    ConversationRecord,
    ConversationStore,
    KeptItem,
    ResponseRecord,
    ResponseStore,
    TurnsTooLong,
)
from tests.stores.conftest import Stores
from tests.stores.samples import full_key

NOW = 1_790_000_000.0
ME, OTHER, MASTER = Owner("me"), Owner("other"), Owner("master", sees_all=True)
EVENTS = [b"event: a\ndata: %d\n\n" % number for number in range(6)]


def record(name: str = "resp_1", **changes: Any) -> ResponseRecord:
    given: dict[str, Any] = {
        "id": name,
        "owner": "me",
        "model": "m",
        "status": "completed",
        "created_at": NOW,
        "expires_at": NOW + 100,
        "body": msgspec.Raw(b'{"status":"completed","n":"\xc3\xa9"}'),
        "input_items": msgspec.Raw(b'[{"id":"msg_1"}]'),
        **changes,
    }
    return ResponseRecord(**given)


def begun(name: str = "resp_1", **changes: Any) -> ResponseRecord:
    return record(name, status="in_progress", worker=0, **changes)


def item(name: str) -> KeptItem:
    return KeptItem(name, msgspec.Raw(b'{"id":"%b"}' % name.encode()))


async def test_what_an_upstream_made_is_found_by_its_items_and_nobody_takes_its_place(responses: ResponseStore) -> None:
    mine = record(upstream="account", upstream_id="resp_1")
    await responses.put(mine, named=("msg_1", "rs_1"))
    await responses.put(record(owner="other", upstream="account"), named=("msg_2",))
    assert await responses.get("resp_1", ME, NOW) == mine
    assert await responses.with_item("rs_1", ME, NOW) == mine
    assert await responses.with_item("rs_1", OTHER, NOW) is None
    assert await responses.with_item("msg_2", MASTER, NOW) is None
    (turn,) = await responses.turns("resp_1", ME, NOW)
    assert (turn.upstream, turn.upstream_id) == ("account", "resp_1")
    await responses.put(record("resp_2", owner="other"), named=("rs_1",))
    found = await responses.with_item("rs_1", OTHER, NOW)
    assert found is not None and found.id == "resp_2"
    assert await responses.delete("resp_1", ME, NOW)
    assert await responses.with_item("rs_1", ME, NOW) is None


async def test_work_in_the_background_learns_at_its_end_what_it_is_called_upstream(responses: ResponseStore) -> None:
    await responses.begin(begun())
    done = record(worker=0, upstream="account", upstream_id="resp_up")
    assert await responses.finish(done, 0, EVENTS, named=("msg_1",))
    assert await responses.get("resp_1", ME, NOW) == done
    assert await responses.with_item("msg_1", ME, NOW) == done


async def test_what_was_put_is_found_as_it_was(responses: ResponseStore) -> None:
    whole = record(previous_response_id="resp_0", conversation_id="conv_1")
    await responses.put(whole)
    assert await responses.get("resp_1", ME, NOW) == whole
    await responses.put(whole)  # a write may be repeated
    assert await responses.get("resp_1", ME, NOW) == whole


async def test_nobody_replaces_what_is_anothers(responses: ResponseStore) -> None:
    await responses.put(record())
    await responses.put(record(owner="other", body=msgspec.Raw(b'{"status":"completed","taken":true}')))
    assert await responses.get("resp_1", ME, NOW) == record()
    assert await responses.get("resp_1", OTHER, NOW) is None


async def test_only_its_owner_and_the_master_see_it(responses: ResponseStore) -> None:
    await responses.put(record())
    assert await responses.get("resp_1", MASTER, NOW) is not None
    assert await responses.get("resp_1", OTHER, NOW) is None
    assert await responses.turns("resp_1", OTHER, NOW) == ()
    assert await responses.events("resp_1", OTHER, NOW, after=-1) is None
    assert not await responses.delete("resp_1", OTHER, NOW)
    assert await responses.cancel("resp_1", OTHER, NOW) is None
    assert await responses.get("resp_1", ME, NOW) is not None


async def test_what_has_expired_is_not_there_and_is_swept(responses: ResponseStore) -> None:
    for number in range(3):
        await responses.put(record(f"resp_{number}", expires_at=NOW + number))
    assert await responses.get("resp_1", ME, NOW + 0.5) is not None
    assert await responses.get("resp_1", ME, NOW + 1) is None
    assert await responses.turns("resp_1", ME, NOW + 1) == ()
    assert not await responses.delete("resp_1", ME, NOW + 1)
    assert await responses.sweep(NOW + 1, limit=1) == 1
    assert await responses.sweep(NOW + 1, limit=5) == 1
    assert await responses.sweep(NOW + 1) == 0
    assert await responses.get("resp_2", ME, NOW + 1) is not None


async def test_a_chain_is_given_newest_first(responses: ResponseStore) -> None:
    await responses.put(record("resp_1"))
    await responses.put(record("resp_2", previous_response_id="resp_1"))
    await responses.put(record("resp_3", previous_response_id="resp_2", status="incomplete"))
    turns = await responses.turns("resp_3", ME, NOW)
    assert [turn.id for turn in turns] == ["resp_3", "resp_2", "resp_1"]
    assert turns[0].status == "incomplete" and turns[-1].previous_response_id is None
    assert bytes(turns[0].input_items) == b'[{"id":"msg_1"}]'


async def test_a_chain_tells_what_is_missing(responses: ResponseStore) -> None:
    await responses.put(record("resp_1"))
    await responses.put(record("resp_2", previous_response_id="resp_1", expires_at=NOW + 1))
    await responses.put(record("resp_3", previous_response_id="resp_2"))
    turns = await responses.turns("resp_3", ME, NOW + 1)
    assert [turn.id for turn in turns] == ["resp_3"] and turns[-1].previous_response_id == "resp_2"
    await responses.delete("resp_2", ME, NOW)
    assert [turn.id for turn in await responses.turns("resp_3", ME, NOW)] == ["resp_3"]


async def test_a_chain_that_goes_in_circles_or_on_and_on_is_refused(responses: ResponseStore) -> None:
    await responses.put(record("resp_1", previous_response_id="resp_2"))
    await responses.put(record("resp_2", previous_response_id="resp_1"))
    with pytest.raises(TurnsTooLong):
        await responses.turns("resp_1", ME, NOW)


async def test_a_chain_may_have_so_many_turns_and_no_more(responses: ResponseStore) -> None:
    most = TURNS_MAX
    for number in range(most + 1):
        before = f"resp_{number - 1}" if number else None
        await responses.put(record(f"resp_{number}", previous_response_id=before))
    assert len(await responses.turns(f"resp_{most - 1}", ME, NOW)) == most
    with pytest.raises(TurnsTooLong):
        await responses.turns(f"resp_{most}", ME, NOW)


async def test_a_chain_may_have_so_many_bytes_and_no_more(responses: ResponseStore) -> None:
    half = msgspec.Raw(b'"' + b"x" * (OBJECT_BYTES_MAX // 2) + b'"')
    await responses.put(record("resp_1", body=half))
    await responses.put(record("resp_2", body=half, previous_response_id="resp_1"))
    assert len(await responses.turns("resp_1", ME, NOW)) == 1
    with pytest.raises(TurnsTooLong):
        await responses.turns("resp_2", ME, NOW)


async def test_a_stream_is_read_back_from_any_place(responses: ResponseStore) -> None:
    await responses.begin(begun())
    assert await responses.add_events("resp_1", 0, EVENTS[:1])
    assert await responses.add_events("resp_1", 1, EVENTS[1:4])
    assert await responses.add_events("resp_1", 4, ())
    for after in range(-1, 4):
        page = await responses.events("resp_1", ME, NOW, after=after)
        assert page is not None
        assert page.events == tuple(enumerate(EVENTS[:4]))[after + 1 :]
        assert (page.status, page.is_last) == ("in_progress", True)
    assert await responses.finish(record(), 4, EVENTS[4:])
    page = await responses.events("resp_1", ME, NOW, after=3, limit=1)
    assert page is not None and page.events == ((4, EVENTS[4]),) and not page.is_last
    page = await responses.events("resp_1", ME, NOW, after=5)
    assert page is not None and (page.events, page.status) == ((), "completed")


async def test_many_batches_come_in_pages(responses: ResponseStore) -> None:
    await responses.begin(begun())
    for number in range(150):
        await responses.add_events("resp_1", number, [b"event: x\ndata: %d\n\n" % number])
    after, seen = -1, 0
    while True:
        page = await responses.events("resp_1", ME, NOW, after=after)
        assert page is not None
        if not page.events:
            break
        seen += len(page.events)
        after = page.events[-1][0]
    assert (seen, after) == (150, 149)


async def test_the_end_is_told_once(responses: ResponseStore) -> None:
    await responses.begin(begun())
    assert await responses.finish(record(body=msgspec.Raw(b'{"status":"completed","x":1}')), 0, EVENTS)
    assert not await responses.finish(record(status="failed"), 6, EVENTS)
    assert not await responses.add_events("resp_1", 6, EVENTS)
    found = await responses.get("resp_1", ME, NOW)
    assert found is not None and (found.status, bytes(found.body)) == ("completed", b'{"status":"completed","x":1}')


async def test_only_unfinished_work_in_the_background_is_cancelled(responses: ResponseStore) -> None:
    await responses.begin(begun())
    await responses.put(record("resp_2"))
    cancelled = await responses.cancel("resp_1", ME, NOW)
    assert cancelled is not None and cancelled.status == "cancelled"
    assert not await responses.add_events("resp_1", 0, EVENTS)
    assert not await responses.add_events("resp_1", 0, ())
    assert not await responses.finish(record(), 0, EVENTS)
    whole = await responses.cancel("resp_2", ME, NOW)
    assert whole is not None and whole.status == "completed"


async def test_deleting_takes_the_stream_along(responses: ResponseStore) -> None:
    await responses.begin(begun())
    await responses.add_events("resp_1", 0, EVENTS)
    assert await responses.delete("resp_1", ME, NOW)
    assert not await responses.delete("resp_1", ME, NOW)
    assert not await responses.add_events("resp_1", 6, EVENTS)
    await responses.begin(begun())
    page = await responses.events("resp_1", ME, NOW, after=-1)
    assert page is not None and page.events == ()


async def test_what_a_process_left_unfinished_has_failed(responses: ResponseStore) -> None:
    for number in range(4):
        await responses.begin(msgspec.structs.replace(begun(f"resp_{number}"), worker=number))
    await responses.put(record("resp_9"))
    assert await responses.fail_unfinished(0, 3) == 2, "its own, and that of a worker that is no more"
    statuses = [found.status for n in range(4) if (found := await responses.get(f"resp_{n}", ME, NOW))]
    assert statuses == ["failed", "in_progress", "in_progress", "failed"]
    assert await responses.fail_unfinished(0, 3) == 0


async def test_a_response_adds_to_its_conversation(responses: ResponseStore, conversations: ConversationStore) -> None:
    await conversations.create(ConversationRecord(id="conv_1", owner="me", created_at=NOW, expires_at=NOW + 1))
    await responses.put(record(conversation_id="conv_1"), [item("a")])
    await responses.put(record("resp_2", conversation_id="conv_1"), [item("b")], kept=False)
    await responses.begin(begun("resp_3", conversation_id="conv_1"))
    await responses.finish(record("resp_3", conversation_id="conv_1"), 0, (), [item("c")])
    await responses.put(record("resp_4", conversation_id="conv_gone"), [item("d")])
    history = await conversations.history("conv_1", ME, NOW + 50)
    assert history is not None, "it lives as long as its last response"
    assert [bytes(raw) for raw in history] == [b'{"id":"a"}', b'{"id":"b"}', b'{"id":"c"}']
    assert await responses.get("resp_2", ME, NOW) is None
    assert await responses.get("resp_4", ME, NOW) is not None


async def test_a_key_that_took_the_place_of_another_has_what_was_its(stores: Stores) -> None:
    await stores.keys.insert(full_key(token="me", key_alias=None))
    await stores.responses.put(record())
    await stores.conversations.create(
        ConversationRecord(id="conv_1", owner="me", created_at=NOW, expires_at=NOW + 1), [item("a")]
    )
    await stores.keys.rotate("me", full_key(token="next", key_alias=None))
    await stores.keys.rotate("next", full_key(token="last", key_alias=None))
    assert await stores.responses.get("resp_1", Owner("last"), NOW) is not None
    assert await stores.conversations.history("conv_1", Owner("last"), NOW) is not None
    assert await stores.responses.get("resp_1", OTHER, NOW) is None


async def test_streams_are_kept_for_a_day(responses: ResponseStore) -> None:
    await responses.begin(begun(expires_at=NOW + 10 * STREAM_SECONDS))
    await responses.finish(record(), 0, EVENTS)
    assert await responses.sweep(NOW + STREAM_SECONDS - 1) == 0
    assert await responses.sweep(NOW + STREAM_SECONDS) == 1
    assert await responses.sweep(NOW + STREAM_SECONDS) == 0
    page = await responses.events("resp_1", ME, NOW + STREAM_SECONDS, after=-1)
    assert page is not None and page.events == ()


async def test_beyond_so_many_bytes_the_oldest_go(responses: ResponseStore, conversations: ConversationStore) -> None:
    async def left() -> list[str]:
        names = [f"resp_{number}" for number in range(5)]
        talk = await conversations.get("conv_1", ME, NOW)
        return [name for name in names if await responses.get(name, ME, NOW)] + (["conv_1"] if talk else [])

    await conversations.create(ConversationRecord(id="conv_1", owner="me", created_at=NOW, expires_at=NOW + 52))
    body, items = msgspec.Raw(b"[" + b" " * 98 + b"]"), msgspec.Raw(b"[]")
    for number in range(5):
        record_of = {"expires_at": NOW + 50 + number, "body": body, "input_items": items}
        await responses.put(record(f"resp_{number}", **record_of))
        await responses.put(record(f"resp_{number}", **record_of))  # what is repeated counts once
    await conversations.add("conv_1", ME, NOW, [KeptItem("a", msgspec.Raw(b"x" * 102))], NOW)
    assert await responses.sweep(NOW, bytes_max=6 * 102) == 0
    assert await responses.sweep(NOW, limit=2, bytes_max=6 * 102 - 1) == 2
    assert await left() == ["resp_2", "resp_3", "resp_4", "conv_1"]
    assert await responses.sweep(NOW, limit=2, bytes_max=4 * 102) == 0
    assert await responses.sweep(NOW, limit=2, bytes_max=4 * 102 - 1) == 2
    assert await left() == ["resp_3", "resp_4"]
    await responses.delete("resp_3", ME, NOW)
    await responses.begin(begun("resp_0", body=items, input_items=items))
    await responses.add_events("resp_0", 0, [b"x" * 49])
    await responses.add_events("resp_0", 0, [b"x" * 49])
    await responses.add_events("resp_0", 1, [b"x" * 49])
    assert await responses.sweep(NOW, bytes_max=102 + 102) == 0
    assert await responses.sweep(NOW, bytes_max=102 + 101) == 2
    assert await left() == [] and await responses.sweep(NOW, bytes_max=0) == 0
