from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pointsman.core.access import AwsAccess
from pointsman.core.errors import Unreachable
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.providers.bedrock.keys import (
    FAILED_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    SPARE_SECONDS,
    AwsKeyring,
    Grant,
)
from pointsman.wire.aws_signature import AwsKeys
from tests.unit.providers.scripted import FakeClock

ACCESS = AwsAccess(region="eu-central-1", profile="p")
HOUR = 3600.0


class Office:
    """Hands out numbered keys, good for ``seconds``; fails while ``closed``, waits while ``gate`` is shut."""

    def __init__(self, nursery: Nursery) -> None:
        self.clock = FakeClock()
        self.keyring = AwsKeyring(self.find, nursery, self.clock)
        self.source = self.keyring.source(ACCESS)
        self.asked = 0
        self.seconds: float | None = HOUR
        self.closed = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, access: AwsAccess) -> Grant:
        self.asked += 1
        await self.gate.wait()
        if self.closed:
            raise Unreachable("closed")
        expires = None if self.seconds is None else self.clock.now + self.seconds
        return Grant(AwsKeys(f"key-{self.asked}", Secret("s")), expires)

    def known(self) -> str | None:
        keys = self.source.recall()
        return None if keys is None else keys.access_key_id


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    nursery = Nursery(lambda name, error: pytest.fail(f"{name}: {error}"))
    yield Office(nursery)
    await nursery.close()


async def test_keys_are_sought_once_and_then_known(office: Office) -> None:
    assert office.known() is None
    assert (await office.source.learn()).access_key_id == "key-1"
    assert (office.known(), office.asked) == ("key-1", 1)


async def test_many_who_want_keys_share_one_search(office: Office) -> None:
    office.gate.clear()
    waiting = [asyncio.create_task(office.source.learn()) for _ in range(20)]
    await settle()
    waiting[0].cancel()
    office.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert ({keys.access_key_id for keys in found}, office.asked) == ({"key-1"}, 1)


async def test_keys_are_renewed_behind_before_they_expire(office: Office) -> None:
    await office.source.learn()
    office.clock.now += HOUR - REFRESH_SECONDS - 1
    assert (office.known(), office.asked) == ("key-1", 1)
    office.clock.now += 1
    assert office.known() == office.known() == "key-1"
    await settle()
    assert (office.known(), office.asked) == ("key-2", 2)


async def test_keys_that_could_not_be_renewed_are_used_to_their_end(office: Office) -> None:
    await office.source.learn()
    office.closed = True
    office.clock.now += HOUR - REFRESH_SECONDS
    assert office.known() == "key-1"
    await settle()
    assert (office.known(), office.asked) == ("key-1", 2)
    office.clock.now += RETRY_SECONDS
    assert office.known() == "key-1"
    await settle()
    assert office.asked == 3
    office.clock.now += REFRESH_SECONDS - RETRY_SECONDS - SPARE_SECONDS
    assert office.known() is None


async def test_keys_that_live_shortly_are_renewed_half_way(office: Office) -> None:
    office.seconds = 300.0
    await office.source.learn()
    office.clock.now += 149
    assert office.known() == "key-1"
    await settle()
    assert office.asked == 1
    office.clock.now += 1
    assert office.known() == "key-1"
    await settle()
    assert office.known() == "key-2"


async def test_keys_without_an_end_are_kept(office: Office) -> None:
    office.seconds = None
    await office.source.learn()
    office.clock.now += 1e9
    assert (office.known(), office.asked) == ("key-1", 1)


async def test_a_search_that_failed_answers_for_the_next_ones(office: Office) -> None:
    office.closed = True
    for _ in range(3):
        with pytest.raises(Unreachable, match="closed"):
            await office.source.learn()
    assert office.asked == 1
    office.closed = False
    office.clock.now += FAILED_SECONDS
    assert (await office.source.learn()).access_key_id == "key-2"


async def test_forgotten_keys_are_sought_anew(office: Office) -> None:
    await office.source.learn()
    office.source.forget()
    assert office.known() is None
    assert (await office.source.learn()).access_key_id == "key-2"


async def test_deployments_that_say_the_same_share_their_keys(office: Office) -> None:
    first = AwsAccess(access_key_id=Secret("a"), secret_access_key=Secret("b"), runtime_endpoint="https://x")
    same = AwsAccess(access_key_id=Secret("a"), secret_access_key=Secret("b"))
    other = AwsAccess(access_key_id=Secret("a"), secret_access_key=Secret("c"))
    assert office.keyring.source(first) is office.keyring.source(same) is not office.keyring.source(other)
