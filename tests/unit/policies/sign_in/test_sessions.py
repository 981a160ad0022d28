from __future__ import annotations

import pytest

from pointsman.core.errors import Forbidden
from pointsman.core.secret import Secret
from pointsman.policies.sign_in import sessions as sessions_module
from pointsman.policies.sign_in.browser import (
    CSRF_HEADER,
    Cookie,
    cookie_in,
    demand_csrf,
    demand_own_page,
    session_cookie,
)
from pointsman.policies.sign_in.sessions import Sessions, SessionSettings, csrf_token, proves
from pointsman.stores.memory import MemorySignInStore
from tests.unit.admin.office_desk import SetClock

SETTINGS = SessionSettings(life_seconds=1000, idle_seconds=300)


class Scene:
    def __init__(self) -> None:
        self.clock = SetClock()
        self.store = MemorySignInStore()
        self.sessions = Sessions(self.store, SETTINGS, self.clock)


async def test_a_session_is_found_by_its_token_and_stored_by_its_digest() -> None:
    scene = Scene()
    opened = await scene.sessions.open("ann", "password", "192.0.2.1")
    found = await scene.sessions.find(opened.token.reveal())
    assert found is not None and found.user_id == "ann" and found.peer == "192.0.2.1"
    (entry,) = await scene.store.of("session", "ann")
    assert opened.token.reveal() not in repr(entry)
    assert await scene.sessions.find(found.digest) is None
    assert await scene.sessions.find(opened.token.reveal() + "x") is None
    assert await scene.sessions.find("") is None


async def test_a_session_ends_with_its_life_and_sooner_if_it_is_not_used() -> None:
    scene = Scene()
    used, idle = [await scene.sessions.open("ann", "password", "") for _ in range(2)]
    for _ in range(3):
        scene.clock.now += 290
        assert await scene.sessions.find(used.token.reveal())
    assert await scene.sessions.find(idle.token.reveal()) is None
    scene.clock.now += 131
    assert await scene.sessions.find(used.token.reveal()) is None
    assert await scene.store.of("session", "ann") == ()


async def test_signing_out_ends_this_session_or_all() -> None:
    scene = Scene()
    opened = [await scene.sessions.open("ann", "password", "") for _ in range(3)]
    await scene.sessions.open("bob", "password", "")
    await scene.sessions.end(opened[0].session)
    assert await scene.sessions.find(opened[0].token.reveal()) is None
    assert await scene.sessions.end_all("ann", but=opened[1].session) == 1
    assert [one.digest for one in await scene.sessions.of("ann")] == [opened[1].session.digest]
    assert len(await scene.sessions.of("bob")) == 1


async def test_who_has_very_many_sessions_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "SESSIONS_PER_USER_MAX", 3)
    scene = Scene()
    opened = []
    for _ in range(5):
        opened.append(await scene.sessions.open("ann", "password", ""))
        scene.clock.now += 1
    alive = [await scene.sessions.find(one.token.reveal()) is not None for one in opened]
    assert alive == [False, False, True, True, True]


async def test_a_session_may_be_tied_to_a_credential() -> None:
    scene = Scene()
    opened = await scene.sessions.open("ann", "operator", "", Secret("first"))
    assert proves(opened.session, opened.token, Secret("first"))
    assert not proves(opened.session, opened.token, Secret("second"))
    assert not proves((await scene.sessions.open("ann", "operator", "")).session, opened.token, Secret("first"))


def test_cookies_are_for_this_host_alone_where_they_can_be() -> None:
    line = session_cookie(secure=True).line("value", 60)
    assert line == "__Host-pointsman_session=value; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
    assert "Secure" not in session_cookie(secure=False).line("value", 60)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"a=1; it=2", "2"),
        (b"it=x=y", "x=y"),
        (b"xit=1", None),
        (b"it", ""),
        (b"", None),
        (b"it=" + b"x" * 20_000, None),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(header: bytes, value: str | None) -> None:
    assert cookie_in([(b"x-cookie", b"it=0"), (b"cookie", header)], Cookie("it", False)) == value


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({}, True),
        ({b"sec-fetch-site": b"same-origin", b"origin": b"https://us.example"}, True),
        ({b"sec-fetch-site": b"none"}, True),
        ({b"sec-fetch-site": b"same-site"}, False),
        ({b"sec-fetch-site": b"cross-site"}, False),
        ({b"origin": b"https://us.example"}, True),
        ({b"origin": b"https://us.example.evil"}, False),
        ({b"origin": b"http://us.example"}, False),
        ({b"origin": b"null"}, False),
    ],
)
def test_pages_of_others_are_told_by_what_browsers_say(headers: dict[bytes, bytes], may: bool) -> None:
    if may:
        demand_own_page(list(headers.items()), "https://us.example")
        return
    with pytest.raises(Forbidden):
        demand_own_page(list(headers.items()), "https://us.example")


def test_the_proof_of_a_page_is_that_of_its_session() -> None:
    token = Secret("ps-token")
    name = CSRF_HEADER.encode()
    demand_csrf([(name, csrf_token("ps-token").encode())], token)
    for shown in (
        [],
        [(name, b"")],
        [(name, csrf_token("ps-other").encode())],
        [(b"x", csrf_token("ps-token").encode())],
    ):
        with pytest.raises(Forbidden):
            demand_csrf(shown, token)
