"""Passwords that administrators give users with ``/user/new`` and ``/user/update``."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.secret import Secret
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, ORGANIZATIONS, USERS
from pointsman.stores.directory.records import Organization, OrganizationMember, Role, User
from tests.unit.admin.office_desk import Desk
from tests.unit.admin.sign_in.test_desk import Scene

FIRST = "correct horse battery"
SECOND = "another horse battery"


async def signs_in(scene: Scene, name: str, password: str) -> bool:
    answer = await scene.desk.ask("POST", "/v2/login", {"username": name, "password": password}, key=None)
    assert answer.status in {200, 401}
    return answer.status == 200


async def test_a_new_user_signs_in_with_the_password_that_they_were_given() -> None:
    scene = Scene()
    answer = await scene.desk.ask("POST", "/user/new", {"user_id": "new", "password": FIRST})
    assert answer.status == 200, answer.body
    assert await signs_in(scene, "new", FIRST)
    assert not await signs_in(scene, "new", SECOND)


@pytest.mark.parametrize("path", ["/user/update", "/user/bulk_update"])
async def test_another_password_ends_what_was_begun_with_the_first(path: str) -> None:
    scene = Scene()
    await scene.desk.ask("POST", "/user/new", {"user_id": "new", "password": FIRST})
    await scene.enter("new")
    change = {"user_id": "new", "password": SECOND}
    body = {"users": [change]} if path.endswith("bulk_update") else change
    assert (await scene.desk.ask("POST", path, body)).status == 200
    assert not await signs_in(scene, "new", FIRST)
    assert (await scene.ask("GET", "/session")).status == 401
    assert await signs_in(scene, "new", SECOND)
    # Nothing said about it leaves it.
    for told in ({"user_alias": "N"}, {"password": None}, {"password": ""}):
        assert (await scene.desk.ask("POST", "/user/update", {"user_id": "new", **told})).status == 200
    assert await signs_in(scene, "new", SECOND)


async def test_a_given_password_is_neither_shown_nor_in_the_audit_log() -> None:
    scene = Scene()
    hexadecimal = "0123456789abcdef" * 4  # looks like the digest of a key
    for path, password in (("/user/new", FIRST), ("/user/update", SECOND), ("/user/update", hexadecimal)):
        answer = await scene.desk.ask("POST", path, {"user_id": "new", "password": password})
        assert answer.status == 200
        assert "horse" not in answer.body.decode() and "argon2" not in answer.body.decode()
        assert "password" not in answer.body.decode()
    refused = await scene.desk.ask("POST", "/user/update", {"user_id": "nobody", "password": hexadecimal})
    assert refused.status == 404
    log = (await scene.desk.ask("GET", "/audit?page_size=100")).body.decode()
    assert "LiteLLM_UserTable" in log
    assert "argon2" not in log and hexadecimal not in log and FIRST[:2] + "****" not in log and "horse" not in log
    record = await scene.directory.get(USERS, "new")
    assert record is not None and b"password" not in bytes(record.extra)


async def test_only_administrators_give_passwords() -> None:
    scene = Scene()
    await scene.directory.insert(ORGANIZATIONS, Organization(organization_id="acme"))
    for user_id in ("olga", "mia"):
        await scene.directory.insert(USERS, User(user_id=user_id, role=Role.USER))
        role = Role.ORGANIZATION_ADMIN if user_id == "olga" else Role.USER
        member = OrganizationMember(organization_id="acme", user_id=user_id, role=role)
        await scene.directory.insert(ORGANIZATION_MEMBERS, member)
    olga, mia = [await scene.desk.new_key(user_id=user_id) for user_id in ("olga", "mia")]
    new = {"user_id": "fresh", "organizations": ["acme"], "password": FIRST}
    assert (await scene.desk.ask("POST", "/user/new", new, key=olga)).status == 403
    assert await scene.directory.get(USERS, "fresh") is None
    for key, user_id in ((olga, "mia"), (olga, "olga"), (mia, "mia")):
        answer = await scene.desk.ask("POST", "/user/update", {"user_id": user_id, "password": FIRST}, key=key)
        assert answer.status == 403
    assert (await scene.directory.get(USERS, "mia")).password is None  # type: ignore[union-attr]


async def test_a_password_that_nobody_can_use_is_refused_and_no_user_made() -> None:
    scene = Scene()
    weak = await scene.desk.ask("POST", "/user/new", {"user_id": "new", "password": "short"})
    assert (weak.status, weak.error.code) == (400, "weak_password")
    assert "short" not in weak.body.decode()
    scene.sign_in.settings = msgspec.structs.replace(scene.sign_in.settings, passwords=False)
    for desk in (scene.desk, Desk()):
        assert (await desk.ask("POST", "/user/new", {"user_id": "new", "password": FIRST})).status == 403
        assert await desk.directory.get(USERS, "new") is None
    assert await scene.sign_in.passwords.matches(Secret(FIRST), None) is False
