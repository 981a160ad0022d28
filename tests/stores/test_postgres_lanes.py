"""What becomes of calls when the server is given up at the moment at which their time is over."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.stores.postgres.lanes import Call, Lane
from pointsman.stores.postgres.session import Session


class Mute:
    """A server that takes connections and says nothing."""

    async def session(self) -> Session:
        never: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        return await never

    async def perform(self, session: Session, call: Call) -> object:
        raise AssertionError

    def too_late(self, seconds: float) -> Exception:
        return StorageUnavailable(f"not within {seconds:g} s")


@pytest.mark.parametrize("seconds", [0.05, 30.0])
async def test_a_call_whose_time_is_over_may_be_given_up_at_that_very_moment(seconds: float) -> None:
    lane = Lane(Mute(), 1)
    lane.start(Nursery(lambda _name, error: pytest.fail(str(error))))
    loop = asyncio.get_running_loop()
    asked = asyncio.ensure_future(lane.call("look", lambda _session: asyncio.sleep(0), seconds))
    await asyncio.sleep(0)
    given_up: asyncio.Future[None] = loop.create_future()

    def give_up() -> None:
        try:
            lane.give_up(StorageUnavailable("silent"))
        except RuntimeError as error:
            given_up.set_exception(error)
        else:
            given_up.set_result(None)

    while (bound := lane.lines[0]._bound) is None:
        await asyncio.sleep(0)
    deadline = bound.when()
    assert deadline is not None
    # Timers of one moment ring in the order in which they were set: the bound's own first.
    loop.call_at(deadline if seconds < 1 else loop.time(), give_up)
    await given_up
    with pytest.raises(StorageUnavailable, match="silent"):
        await asked
    await lane.close(1.0)
