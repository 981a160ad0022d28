"""One of several replicas looks after the warmth of models."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pointsman.assembly.warm_turn import WarmTurn
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.stores.redis import BoardAnswer, RedisBoards, RedisLink, RedisSettings
from tests.support.servers import RedisServer
from tests.unit.policies.desk import FakeClock


class LaterBoards(RedisBoards):
    """Whose server's clock can be set forward."""

    later = 0.0

    async def exchange(self, name: str, version: str, document: bytes = b"") -> BoardAnswer:
        found = await super().exchange(name, version, document)
        return BoardAnswer(found.is_written, found.version, found.document, found.now + self.later, found.since)


@pytest.fixture
async def link(redis_server: RedisServer) -> AsyncIterator[RedisLink]:
    def fail(_name: str, error: BaseException) -> None:
        raise error

    nursery = Nursery(fail)
    settings = RedisSettings(at=Secret(redis_server.new_url()), namespace="warm-turn", command_seconds=2.0)
    one = RedisLink(settings, nursery)
    assert await one.open()
    yield one
    await nursery.close()
    await one.close()


async def test_one_has_the_turn_until_nothing_is_heard_of_it(link: RedisLink) -> None:
    clock, boards = FakeClock(), LaterBoards(link)
    first, second = (WarmTurn(boards, name, lambda: True, clock) for name in ("first", "second"))
    assert not first.is_held()
    for _ in range(3):
        await first.step()
        await second.step()
        boards.later += 3.0
        assert (first.is_held(), second.is_held()) == (True, False)
    boards.later += 8.1
    await second.step()
    await first.step()
    assert (first.is_held(), second.is_held()) == (False, True)


async def test_without_redis_it_is_everybodys_and_nothing_is_known_of_the_others(link: RedisLink) -> None:
    clock, is_up = FakeClock(), [True]
    turn = WarmTurn(RedisBoards(link), "a", lambda: is_up[0], clock)
    await turn.step()
    clock.now += 40.0
    await turn.step()
    assert turn.has_heard_all(40.0) and not turn.has_heard_all(41.0)
    is_up[0] = False
    assert turn.is_held() and not turn.has_heard_all(1.0)
    await turn.step()
    is_up[0] = True
    await turn.step()
    assert not turn.has_heard_all(1.0), "it begins anew"
    clock.now += 1.0
    assert turn.has_heard_all(1.0)
