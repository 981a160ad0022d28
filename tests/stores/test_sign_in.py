"""What people sign in with is kept alike by all backends."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pointsman.stores.sign_in_ports import SignInEntry, SignInKind, SignInStore
from tests.stores.conftest import Stores


@pytest.fixture
def sign_in(stores: Stores) -> SignInStore:
    return stores.sign_in


def entry(identity: str, user_id: str = "ann", kind: SignInKind = "session", **fields: object) -> SignInEntry:
    given = {"record": msgspec.Raw(b'{"n":0}'), **fields}
    return SignInEntry(kind=kind, id=identity, user_id=user_id, **given)  # type: ignore[arg-type]


async def filled(store: SignInStore) -> SignInStore:
    for one in (
        entry("a", expires_at=10.0),
        entry("b", expires_at=20.5),
        entry("c", "bob"),
        entry("a", kind="invitation"),
    ):
        await store.put(one)
    return store


async def test_an_entry_is_found_by_its_kind_and_id(sign_in: SignInStore) -> None:
    store = await filled(sign_in)
    assert await store.get("session", "b") == entry("b", expires_at=20.5)
    assert await store.get("invitation", "b") is None
    await store.put(entry("b", "carl"))
    assert await store.get("session", "b") == entry("b", "carl")


async def test_entries_of_a_user_are_listed_and_removed(sign_in: SignInStore) -> None:
    store = await filled(sign_in)
    assert [one.id for one in await store.of("session", "ann")] == ["a", "b"]
    assert await store.remove_of("session", "ann", keep="a") == 1
    assert await store.remove_of("session", "ann") == 1
    assert await store.of("session", "ann") == ()
    assert await store.get("invitation", "a") is not None
    assert await store.remove("session", "c") is True
    assert await store.remove("session", "c") is False


async def test_what_has_expired_is_swept_a_little_at_a_time(sign_in: SignInStore) -> None:
    store = await filled(sign_in)
    assert await store.sweep(9.9) == 0
    assert await store.sweep(30.0, limit=1) == 1
    assert await store.sweep(30.0) == 1
    assert await store.get("session", "c") is not None


async def test_changes_at_once_are_all_made(sign_in: SignInStore) -> None:
    store = await filled(sign_in)

    def more(kept: SignInEntry) -> SignInEntry:
        count = msgspec.json.decode(kept.record)["n"] + 1
        return msgspec.structs.replace(kept, record=msgspec.Raw(msgspec.json.encode({"n": count})))

    await asyncio.gather(*(store.update("session", "a", more) for _ in range(20)))
    found = await store.get("session", "a")
    assert found is not None and msgspec.json.decode(found.record) == {"n": 20}
    assert await store.update("session", "a", lambda _kept: None) is None
    assert await store.update("session", "nothing", more) is None
    assert await store.get("session", "a") == found
