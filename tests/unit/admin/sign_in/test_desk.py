"""Whose session it is, what its user may do now, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from pointsman.admin.change import Change
from pointsman.admin.sign_in.accounts import Accounts
from pointsman.admin.sign_in.desk import SignInDesk
from pointsman.admin.sign_in.invitations import LIFE_SECONDS, Invitations
from pointsman.admin.sign_in.settings import GroupRule, OperatorAccount, SignInParty, SignInSettings
from pointsman.core.errors import Forbidden, NotFound
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.policies.sign_in.browser import CSRF_HEADER, Sender
from pointsman.policies.sign_in.passwords import Passwords
from pointsman.policies.sign_in.sessions import Sessions, SessionSettings
from pointsman.policies.sign_in.throttle import Throttle, ThrottleSettings
from pointsman.providers.identity import CodeFlow, DocumentBook, IdentityParty, KeySetBook, Proven
from pointsman.providers.identity.parties import PersonFields
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import Role, TeamMember, User, member_id
from pointsman.stores.memory import MemorySignInStore
from tests.unit.admin.office_desk import Desk, Reply, SilentWire

PARTY = IdentityParty(name="company", client_id="us", issuer="https://id.example", fields=PersonFields(groups="groups"))
SETTINGS = SignInSettings(
    parties=(SignInParty(party=PARTY),),
    operator=OperatorAccount(username="admin", password=Secret("operator's password"), user_id="boss"),
    groups=(GroupRule(group="admins", role=Role.ADMIN), GroupRule(group="research", teams=("r",))),
    state_key=Secret("state"),
)


class Scene:
    def __init__(self) -> None:
        wire, nursery = SilentWire(), Nursery(lambda _name, _error: None)
        first = Desk()
        self.store = MemorySignInStore()
        self.changes: list[Change] = []
        clock = first.clock
        keys = KeySetBook(wire, nursery, clock)
        self.accounts = Accounts(first.directory, clock)
        self.sign_in = SignInDesk(
            SETTINGS,
            sessions=Sessions(self.store, SessionSettings(), clock),
            accounts=self.accounts,
            passwords=Passwords(),
            throttle=Throttle(ThrottleSettings(), clock),
            flow=CodeFlow(wire, DocumentBook(wire, nursery, clock), keys, clock),
            clock=clock,
        )
        self.invitations = Invitations(self.store, clock)
        self.desk = Desk(sign_in=self.sign_in, invitations=self.invitations)
        self.directory = self.desk.directory
        self.clock = clock
        self.accounts._directory = self.directory
        self.cookie = self.csrf = ""

    async def enter(self, user_id: str) -> None:
        user = await self.directory.get(USERS, user_id)
        assert user is not None
        arrived = await self.sign_in.open_for(user, Sender(()))
        self.cookie = arrived.cookies[0].partition(";")[0]
        self.csrf = str((await self.ask("GET", "/session")).json()["csrf_token"])

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        given = {"cookie": self.cookie, CSRF_HEADER: self.csrf, **headers}
        return await self.desk.ask(method, path, body, key=None, headers=given)

    async def arrive(self, **claims: Any) -> User:
        raw: Mapping[str, msgspec.Raw] = {name: msgspec.Raw(msgspec.json.encode(said)) for name, said in claims.items()}
        self.changes.clear()
        proven = Proven("company", raw)
        return await self.accounts.arrived(proven, SETTINGS.parties[0], self.sign_in.settings, self.changes)


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    for user_id, role in (("ann", Role.USER), ("root", Role.ADMIN)):
        await made.directory.insert(USERS, User(user_id=user_id, email=f"{user_id}@example.com", role=role))
    return made


async def test_a_session_may_what_its_user_may_now(scene: Scene) -> None:
    await scene.enter("ann")
    assert (await scene.ask("GET", "/v1/models")).status == 200
    assert (await scene.ask("GET", "/global/spend")).status == 403
    await scene.directory.update(USERS, "ann", lambda user: msgspec.structs.replace(user, role=Role.ADMIN))
    assert (await scene.ask("GET", "/global/spend")).status == 200
    assert (await scene.ask("POST", "/key/generate", {})).status == 200


async def test_a_session_ends_with_its_user(scene: Scene) -> None:
    for change in ("blocked", "deleted"):
        await scene.enter("ann" if change == "blocked" else "root")
        if change == "blocked":
            await scene.directory.update(USERS, "ann", lambda user: msgspec.structs.replace(user, blocked=True))
        else:
            await scene.directory.delete(USERS, ["root"])
        assert (await scene.ask("GET", "/session")).status == 401
    await scene.directory.update(USERS, "ann", lambda user: msgspec.structs.replace(user, blocked=False))
    assert await scene.store.of("session", "ann") == ()


async def test_what_changes_something_needs_a_proof_and_what_does_not_none(scene: Scene) -> None:
    await scene.enter("root")
    right, scene.csrf = scene.csrf, "0" * 64
    assert (await scene.ask("GET", "/key/list")).status == 200
    assert (await scene.ask("POST", "/key/generate", {})).error.code == "csrf"
    assert (await scene.ask("POST", "/logout")).status == 403
    scene.csrf = right
    assert (await scene.ask("POST", "/key/generate", {}, origin="https://evil.example")).error.code == "foreign_page"
    assert (await scene.ask("POST", "/logout")).status == 200
    assert (await scene.ask("GET", "/key/list")).status == 401


async def test_the_first_time_somebody_is_found_by_a_verified_address_and_then_by_their_account(scene: Scene) -> None:
    stranger = await scene.arrive(sub="1", email="ann@example.com")
    assert (stranger.user_id, stranger.email) == ("1", None)
    found = await scene.arrive(sub="2", email="ANN@example.com", email_verified=True)
    assert (found.user_id, found.sso_user_id) == ("ann", "company:2")
    # Another account with the same address is somebody else, and a changed address changes nothing.
    assert (await scene.arrive(sub="3", email="ann@example.com", email_verified=True)).user_id == "3"
    assert (await scene.arrive(sub="2", email="new@example.com", email_verified=True)).user_id == "ann"


async def test_an_address_that_the_provider_does_not_vouch_for_is_nobodys(scene: Scene) -> None:
    # Whoever adds tom@example.com to a team must not mean who only said that they are.
    mallory = await scene.arrive(sub="m", email="tom@example.com", email_verified=False)
    assert mallory.email is None
    tom = await scene.arrive(sub="t", email="tom@example.com", email_verified=True)
    assert tom.email == "tom@example.com"
    assert (await scene.arrive(sub="m", email="tom@example.com", email_verified=True)).email is None
    # Where nothing is said of it, it is shown, and finds nobody.
    assert (await scene.arrive(sub="i", email="ida@example.com")).email == "ida@example.com"


async def test_an_address_that_is_verified_later_is_kept_then(scene: Scene) -> None:
    made = await scene.arrive(sub="l", email="liv@example.com", email_verified=False)
    assert made.email is None
    later = await scene.arrive(sub="l", email="liv@example.com", email_verified=True)
    assert (later.user_id, later.email) == (made.user_id, "liv@example.com")
    assert [(one.action, one.object_id) for one in scene.changes] == [("updated", "l")]
    await scene.arrive(sub="l", email="liv@example.com", email_verified=True)
    assert scene.changes == []


async def test_a_name_that_is_taken_is_given_to_nobody_else(scene: Scene) -> None:
    made = await scene.arrive(sub="root")
    assert made.user_id == "company:root"
    assert made.role is Role.USER_VIEWER
    scene.sign_in.settings = msgspec.structs.replace(SETTINGS, creates_users=False)
    with pytest.raises(Forbidden, match="not known"):
        await scene.arrive(sub="9")
    assert (await scene.arrive(sub="root")).user_id == "company:root"


async def test_nobodys_own_name_is_what_somebody_else_is_tied_by(scene: Scene) -> None:
    owner = await scene.arrive(sub="1")
    assert owner.sso_user_id == "company:1"
    assert (await scene.arrive(sub="company:1")).user_id != owner.user_id


async def test_what_a_sign_in_changes_is_told(scene: Scene) -> None:
    await scene.arrive(sub="7", groups=["admins", "research"])
    told = [(one.action, one.table_name, one.object_id, one.by) for one in scene.changes]
    assert told == [
        ("created", "LiteLLM_UserTable", "7", "sign-in"),
        ("updated", "LiteLLM_UserTable", "7", "sign-in"),
        ("created", "LiteLLM_TeamTable", "r", "sign-in"),
        ("updated", "LiteLLM_TeamTable", "r", "sign-in"),
    ]
    await scene.arrive(sub="7", groups=["admins", "research"])
    assert scene.changes == []
    await scene.arrive(sub="7", groups=[])
    assert [(one.table_name, one.after is None) for one in scene.changes] == [
        ("LiteLLM_UserTable", False),
        ("LiteLLM_TeamTable", True),
    ]
    await scene.arrive(sub="8", email="ann@example.com", email_verified=True)
    assert [(one.action, one.object_id) for one in scene.changes] == [("updated", "ann")]


async def test_groups_decide_what_they_name_and_leave_the_rest(scene: Scene) -> None:
    user = await scene.arrive(sub="7", groups=["admins", "research"])
    assert user.role is Role.ADMIN
    assert await scene.directory.get(TEAMS, "r") is not None
    await scene.directory.insert(TEAM_MEMBERS, TeamMember(team_id="others", user_id="7"))
    user = await scene.arrive(sub="7", groups="nothing")
    assert user.role is Role.USER_VIEWER
    assert await scene.directory.get(TEAM_MEMBERS, member_id("r", "7")) is None
    assert await scene.directory.get(TEAM_MEMBERS, member_id("others", "7")) is not None


async def test_an_invitation_has_its_time_and_is_kept_by_its_digest(scene: Scene) -> None:
    made = await scene.invitations.make("ann", "root")
    (entry,) = await scene.store.of("invitation", "ann")
    assert made.id not in repr(entry)
    assert await scene.invitations.use(made.id, "root") is False
    assert await scene.invitations.use(made.id, "ann") is True
    assert await scene.invitations.use(made.id, "ann") is False
    assert (await scene.invitations.mark(made.id, "root", accepted=False)).accepted_at is None
    scene.clock.now += LIFE_SECONDS
    assert await scene.invitations.use(made.id, "ann") is False
    with pytest.raises(NotFound):
        await scene.invitations.find(made.id)


async def test_nobody_is_made_who_would_be_the_administrator_when_they_sign_in(scene: Scene) -> None:
    scene.sign_in.settings = msgspec.structs.replace(SETTINGS, admin_id="chief")
    ask = scene.desk.ask
    await ask("POST", "/user/new", {"user_id": "tim"})
    await ask("POST", "/team/new", {"team_id": "t", "members_with_roles": [{"role": "admin", "user_id": "tim"}]})
    key = (await ask("POST", "/key/generate", {"user_id": "tim"})).json()["key"]
    member = {"role": "user", "user_id": "chief", "user_email": "accomplice@example.com"}
    added = await ask("POST", "/team/member_add", {"team_id": "t", "member": member}, key=key)
    assert added.status == 403
    assert await scene.directory.get(USERS, "chief") is None
    several = await ask("POST", "/team/bulk_member_add", {"team_id": "t", "members": [member]}, key=key)
    assert several.json()["successful_additions"] == 0
    assert (await ask("POST", "/user/new", {"user_id": "chief"})).status == 200, "the operator may"


async def test_many_wrong_passwords_at_once_are_no_more_than_one_after_the_other(scene: Scene) -> None:
    async def attempt(number: int) -> int:
        body = {"username": "ann", "password": f"wrong password {number}"}
        return (await scene.ask("POST", "/v2/login", body)).status

    statuses = await asyncio.gather(*map(attempt, range(30)))
    assert statuses.count(401) == ThrottleSettings().per_pair
    assert set(statuses) == {401, 429}
