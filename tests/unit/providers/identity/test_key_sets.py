"""Keys of issuers are asked for seldom, and what was known holds for a while when nobody answers."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import GatewayError, Unreachable
from pointsman.core.nursery import Nursery
from pointsman.providers.identity import DocumentBook, KeySetBook
from pointsman.providers.identity.fetching import ANSWER_BYTES_MAX
from pointsman.providers.identity.key_sets import RETRY_SECONDS, UNKNOWN_KEY_SECONDS
from pointsman.providers.transport import FetchReply
from tests.unit.admin.office_desk import SetClock

URL = "https://id.example/keys"


def key(name: str) -> dict[str, str]:
    return {"kty": "EC", "crv": "P-256", "kid": name, "x": "x", "y": "y"}


class Wire:
    """``body`` None: nobody answers."""

    def __init__(self, body: Any = None, status: int = 200) -> None:
        self.body = body
        self.status = status
        self.asked: list[str] = []
        self.bounds: set[tuple[float, int]] = set()

    async def fetch(
        self, method: str, url: str, *, timeout_seconds: float = 5.0, bytes_max: int = 0, **_: Any
    ) -> FetchReply:
        self.asked.append(url)
        self.bounds.add((timeout_seconds, bytes_max))
        await asyncio.sleep(0)
        if self.body is None:
            raise Unreachable("nobody there")
        body = self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)
        return FetchReply(self.status, (), body)


class Scene:
    def __init__(self, body: Any = None) -> None:
        self.clock = SetClock()
        self.wire = Wire(body)
        self.nursery = Nursery(lambda _name, _error: None)
        self.book = KeySetBook(self.wire, self.nursery, self.clock, fresh_seconds=600, stale_seconds=3600)

    async def names(self, wanted: str | None = None) -> list[str | None]:
        return [one.identity for one in await self.book.keys(URL, wanted)]


async def test_keys_are_kept_and_asked_for_once_however_many_want_them() -> None:
    scene = Scene({"keys": [key("a")]})
    found = await asyncio.gather(*(scene.names("a") for _ in range(20)))
    assert found == [["a"]] * 20
    scene.clock.now += 599
    await scene.names("a")
    assert len(scene.wire.asked) == 1
    scene.clock.now += 1
    await scene.names("a")
    assert len(scene.wire.asked) == 2
    assert scene.wire.bounds == {(5.0, ANSWER_BYTES_MAX)}


async def test_an_unknown_key_has_them_asked_for_again_but_not_each_time() -> None:
    scene = Scene({"keys": [key("a")]})
    await scene.names("a")
    scene.wire.body = {"keys": [key("a"), key("b")]}
    assert await scene.names("b") == ["a"]  # just asked
    scene.clock.now += UNKNOWN_KEY_SECONDS
    assert await scene.names("b") == ["a", "b"]
    for number in range(10):
        await scene.names(f"made-up-{number}")
    assert len(scene.wire.asked) == 2


async def test_while_nobody_answers_what_was_known_holds_and_then_no_more() -> None:
    scene = Scene({"keys": [key("a")]})
    await scene.names()
    scene.wire.body = None
    scene.clock.now += 600 + 3599
    assert await scene.names() == ["a"]
    scene.clock.now += 1
    with pytest.raises(GatewayError, match="cannot be asked") as refused:
        await scene.names()
    assert (refused.value.status, refused.value.code) == (503, "identity_provider_unavailable")
    asked = len(scene.wire.asked)
    with pytest.raises(GatewayError):
        await scene.names()
    assert len(scene.wire.asked) == asked
    scene.wire.body = {"keys": [key("a")]}
    scene.clock.now += RETRY_SECONDS
    assert await scene.names() == ["a"]


@pytest.mark.parametrize(("body", "status"), [(b"<html>", 200), ({"keys": 1}, 200), ({"keys": []}, 404)])
async def test_an_answer_that_is_no_set_of_keys_is_none(body: Any, status: int) -> None:
    scene = Scene(body)
    scene.wire.status = status
    with pytest.raises(GatewayError, match="cannot be asked"):
        await scene.names()


async def test_an_answer_that_is_too_long_is_none() -> None:
    scene = Scene(b" " * (ANSWER_BYTES_MAX + 1))
    with pytest.raises(GatewayError, match="more than"):
        await scene.names()


@pytest.mark.parametrize(
    ("issuer", "said", "good"),
    [
        ("https://id.example", "https://id.example", True),
        ("https://id.example/", "https://id.example", True),
        ("https://id.example", "https://evil.example", False),
        ("https://id.example", "https://id.example.evil", False),
        ("https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0", True),
        ("https://evil.example/common/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0", False),
    ],
)
async def test_a_document_speaks_for_its_own_issuer_only(issuer: str, said: str, good: bool) -> None:
    wire = Wire({"issuer": said, "jwks_uri": URL})
    book = DocumentBook(wire, Nursery(lambda _name, _error: None), SetClock())
    if not good:
        with pytest.raises(GatewayError, match="no document"):
            await book.document(issuer)
        return
    assert (await book.document(issuer)).jwks_uri == URL
    await book.document(issuer)
    assert wire.asked == [issuer.rstrip("/") + "/.well-known/openid-configuration"]
