"""The promises of conversations, kept by every backend."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.identity import Owner
from pointsman.stores.response_ports import (
    CONVERSATION_BYTES_MAX,
    ConversationFull,
    ConversationRecord,
    ConversationStore,
    ItemPage,
    ItemQuery,
    KeptItem,
    ResponseStore,
)
from tests.stores.test_responses import record

NOW = 1_790_000_000.0
ME, OTHER, MASTER = Owner("me"), Owner("other"), Owner("master", sees_all=True)
TALK = ConversationRecord(
    id="conv_1", owner="me", created_at=NOW, expires_at=NOW + 100, metadata=msgspec.Raw(b'{"a":"b"}')
)


def item(name: str, size: int = 0) -> KeptItem:
    return KeptItem(name, msgspec.Raw(b'{"id":"%b","x":"%b"}' % (name.encode(), b"x" * size)))


ITEMS = [item(name) for name in "abcde"]


async def test_what_was_made_is_found_by_who_may_see_it(conversations: ConversationStore) -> None:
    await conversations.create(TALK, ITEMS)
    assert await conversations.get("conv_1", ME, NOW) == TALK
    assert await conversations.get("conv_1", MASTER, NOW) == TALK
    assert await conversations.get("conv_1", ME, NOW + 100) is None
    assert await conversations.get("conv_2", ME, NOW) is None
    assert await conversations.history("conv_1", ME, NOW) == tuple(one.raw for one in ITEMS)


async def test_to_others_it_is_not_there(conversations: ConversationStore) -> None:
    await conversations.create(TALK, ITEMS)
    assert await conversations.get("conv_1", OTHER, NOW) is None
    assert await conversations.update("conv_1", OTHER, NOW, msgspec.Raw(b"{}")) is None
    assert not await conversations.add("conv_1", OTHER, NOW, ITEMS, NOW)
    assert await conversations.history("conv_1", OTHER, NOW) is None
    assert await conversations.page("conv_1", OTHER, NOW, ItemQuery()) is None
    assert await conversations.item("conv_1", OTHER, NOW, "a") is None
    assert not await conversations.delete_item("conv_1", OTHER, NOW, "a")
    assert not await conversations.delete("conv_1", OTHER, NOW)
    assert await conversations.history("conv_1", ME, NOW) == tuple(one.raw for one in ITEMS)


async def test_metadata_is_replaced(conversations: ConversationStore) -> None:
    await conversations.create(TALK)
    changed = await conversations.update("conv_1", ME, NOW, msgspec.Raw(b'{"c":"d"}'))
    assert changed is not None and bytes(changed.metadata) == b'{"c":"d"}'
    assert await conversations.get("conv_1", ME, NOW) == changed


async def test_items_come_in_pages_either_way(conversations: ConversationStore) -> None:
    await conversations.create(TALK, ITEMS)

    async def page(**query: object) -> ItemPage | None:
        return await conversations.page("conv_1", ME, NOW, msgspec.convert(query, ItemQuery))

    assert await page() == ItemPage(tuple(reversed(ITEMS)), has_more=False)
    assert await page(limit=2, order="asc") == ItemPage(tuple(ITEMS[:2]), has_more=True)
    assert await page(limit=2, order="asc", after="b") == ItemPage(tuple(ITEMS[2:4]), has_more=True)
    assert await page(limit=2, order="asc", after="c") == ItemPage(tuple(ITEMS[3:]), has_more=False)
    assert await page(limit=2, after="c") == ItemPage((ITEMS[1], ITEMS[0]), has_more=False)
    assert await page(after="e", order="asc") == ItemPage((), has_more=False)
    assert await page(after="nobody") is None


async def test_items_are_added_and_removed_one_by_one(conversations: ConversationStore) -> None:
    await conversations.create(TALK, ITEMS[:2])
    assert await conversations.add("conv_1", ME, NOW, ITEMS[2:3], NOW + 200)
    assert await conversations.get("conv_1", ME, NOW + 150) is not None, "it lives longer now"
    assert await conversations.item("conv_1", ME, NOW, "b") == ITEMS[1]
    assert await conversations.delete_item("conv_1", ME, NOW, "b")
    assert not await conversations.delete_item("conv_1", ME, NOW, "b")
    assert await conversations.item("conv_1", ME, NOW, "b") is None
    assert await conversations.history("conv_1", ME, NOW) == (ITEMS[0].raw, ITEMS[2].raw)
    assert not await conversations.add("conv_2", ME, NOW, ITEMS, NOW)


async def test_deleting_takes_the_items_along(conversations: ConversationStore) -> None:
    await conversations.create(TALK, ITEMS)
    assert await conversations.delete("conv_1", ME, NOW)
    assert not await conversations.delete("conv_1", ME, NOW)
    await conversations.create(TALK)
    assert await conversations.history("conv_1", ME, NOW) == ()


async def test_what_has_expired_is_swept_with_its_items(
    conversations: ConversationStore, responses: ResponseStore
) -> None:
    await conversations.create(TALK, ITEMS)
    assert await responses.sweep(NOW + 99) == 0
    assert await responses.sweep(NOW + 100) == 1
    await conversations.create(TALK)
    assert await conversations.history("conv_1", ME, NOW) == ()


async def test_there_is_room_for_so_many_bytes_and_no_more(conversations: ConversationStore) -> None:
    rest = CONVERSATION_BYTES_MAX - len(bytes(item("a").raw))
    await conversations.create(TALK, [item("a", rest)])
    with pytest.raises(ConversationFull):
        await conversations.add("conv_1", ME, NOW, [item("b")], NOW)
    assert len(await conversations.history("conv_1", ME, NOW) or ()) == 1
    await conversations.delete_item("conv_1", ME, NOW, "a")
    assert await conversations.add("conv_1", ME, NOW, [item("b")], NOW), "what is removed makes room"
    with pytest.raises(ConversationFull):
        await conversations.create(msgspec.structs.replace(TALK, id="conv_2"), [item("a", rest + 1)])


async def test_a_conversation_that_grew_beyond_its_bound_cannot_be_continued(
    conversations: ConversationStore, responses: ResponseStore
) -> None:
    await conversations.create(TALK)
    await responses.put(record(conversation_id="conv_1"), [item("a", CONVERSATION_BYTES_MAX)])
    with pytest.raises(ConversationFull):
        await conversations.history("conv_1", ME, NOW)
