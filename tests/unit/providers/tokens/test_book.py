"""Tokens are asked for once, kept while they are good, and replaced in time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pointsman.core.clock import Clock
from pointsman.core.errors import Rejected
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Operation
from pointsman.providers.tokens import Grant, MissingCredential, TokenBook, TokenCredential
from pointsman.providers.tokens.book import REFRESH_AHEAD_SECONDS
from pointsman.providers.transport import Fetcher
from tests.unit.providers.scripted import FakeClock
from tests.unit.providers.tokens.answering import Answering

LIFE = 3600.0
ASK = Ask(Operation.CHAT, "m", {})


class Numbered(msgspec.Struct):
    """Gives token-1, token-2 and so on; fails while ``broken``."""

    identity: str = "me"
    given: int = 0
    broken: bool = False
    hold: asyncio.Event | None = None

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        self.given += 1
        if self.hold is not None:
            await self.hold.wait()
        await asyncio.sleep(0)
        if self.broken:
            raise Rejected("no token today", status=401)
        return Grant(Secret(f"token-{self.given}"), LIFE)


class Bench:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.failures: list[BaseException] = []
        self.nursery = Nursery(lambda _name, error: self.failures.append(error))
        self.book = TokenBook(Answering(), self.nursery, self.clock)
        self.source = Numbered()

    async def token(self) -> str:
        grant = self.book.recall(self.source) or await self.book.learn(self.source)
        return grant.token.reveal()

    async def settle(self) -> None:
        while len(self.nursery):
            await asyncio.sleep(0)


async def test_however_many_ask_one_token_is_got() -> None:
    bench = Bench()
    bench.source.hold = asyncio.Event()
    waiting = [asyncio.ensure_future(bench.token()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    bench.source.hold.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert set(results[1:]) == {"token-1"} and bench.source.given == 1


async def test_a_token_that_ages_is_replaced_behind_the_back() -> None:
    bench = Bench()
    assert await bench.token() == "token-1"
    bench.clock.now += LIFE - REFRESH_AHEAD_SECONDS - 1
    assert (await bench.token(), bench.source.given) == ("token-1", 1)
    bench.clock.now += 2
    assert [await bench.token() for _ in range(3)] == ["token-1"] * 3
    await bench.settle()
    assert (await bench.token(), bench.source.given) == ("token-2", 2)
    assert list(bench.book.issued()) == ["token-2", "token-1"], "requests with the former one may be under way"


async def test_a_refresh_that_fails_is_tried_again_while_the_old_token_is_good() -> None:
    bench = Bench()
    await bench.token()
    bench.clock.now += LIFE - 100
    bench.source.broken = True
    await bench.token()
    await bench.settle()
    assert (await bench.token(), bench.source.given) == ("token-1", 2), "not at once"
    bench.clock.now += 20
    bench.source.broken = False
    await bench.token()
    await bench.settle()
    assert await bench.token() == "token-3"
    assert bench.failures == []


async def test_an_expired_token_is_never_given() -> None:
    bench = Bench()
    await bench.token()
    bench.clock.now += LIFE - 1
    assert bench.book.recall(bench.source) is None
    bench.source.broken = True
    with pytest.raises(Rejected, match="no token today"):
        await bench.token()
    bench.source.broken = False
    assert await bench.token() == "token-3"


async def test_each_identity_has_its_own_and_the_oldest_go_first() -> None:
    bench = Bench()
    for number in range(1030):
        bench.source = Numbered(f"identity-{number}")
        await bench.token()
    assert bench.book.recall(Numbered("identity-1029")) is not None
    assert bench.book.recall(Numbered("identity-0")) is None


async def test_a_credential_forgets_what_the_upstream_refused_and_only_that() -> None:
    bench = Bench()
    one, two = (TokenCredential(bench.book, bench.source) for _ in range(2))
    await one.prepare(ASK)
    await two.prepare(ASK)
    assert one.headers()[0][1].reveal() == "Bearer token-1" == two.headers()[0][1].reveal()
    one.answered(500)
    await one.prepare(ASK)
    assert bench.source.given == 1
    one.answered(401)
    await one.prepare(ASK)
    two.answered(401)  # told late, of the former token
    await two.prepare(ASK)
    assert (two.headers()[0][1].reveal(), bench.source.given) == ("Bearer token-2", 2)


async def test_an_upstream_that_refuses_every_token_does_not_make_us_ask_for_more_and_more() -> None:
    bench = Bench()
    credential = TokenCredential(bench.book, bench.source)
    for _ in range(5):
        await credential.prepare(ASK)
        credential.answered(401)
    assert bench.source.given == 2
    bench.clock.now += 11
    credential.answered(401)
    await credential.prepare(ASK)
    assert bench.source.given == 3


async def test_a_missing_credential_says_so() -> None:
    with pytest.raises(Rejected) as refused:
        await MissingCredential("nothing there", "Set a key.").prepare(ASK)
    assert (refused.value.status, refused.value.code, refused.value.sent) == (401, "upstream_credentials", False)
