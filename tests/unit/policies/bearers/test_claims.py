"""From claims to who somebody is: the operator's mapping, in LiteLLM's order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.config.jwt_sections import JwtAuth, JwtRoleMap, JwtRoleMapping, JwtScope
from pointsman.core.errors import Forbidden
from pointsman.policies.bearers.claims import Claimant, claim_text, claim_texts, is_left_out, read_claimant
from pointsman.policies.bearers.settings import ClaimFields


def raw(claims: dict[str, Any]) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in claims.items()}


def read(claims: dict[str, Any], rules: JwtAuth | None = None, **fields: str) -> Claimant:
    return read_claimant(raw(claims), "https://id.example", ClaimFields(**fields), rules or JwtAuth())


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("plain", ("x",)), ("number", ("7",)), ("list", ("a", "b", "3")), ("deep.er.still", ("found",)),
        ("https://claims.example/team", ("named like an address",)), ("deep", ()), ("deep.er", ()), ("yes", ()),
        ("none", ()), ("missing", ()), ("plain.x", ()), ("empty", ()), (None, ()), ("objects", ()),
    ],
)  # fmt: skip
def test_texts_are_found_in_all_the_forms_that_claims_have(path: str | None, texts: tuple[str, ...]) -> None:
    claims = raw({
        "plain": "x", "number": 7, "list": ["a", "b", 3], "deep": {"er": {"still": "found"}}, "yes": True, "none": None,
        "https://claims.example/team": "named like an address", "empty": "", "objects": [{"a": 1}],
    })  # fmt: skip
    assert claim_texts(claims, path) == texts
    assert claim_text(claims, path) == (texts[0] if texts else None)


def test_who_it_is_stays_the_same_for_all_tokens_of_one_subject() -> None:
    first, second = read({"sub": "ann", "jti": 1}), read({"sub": "ann", "jti": 2})
    assert first.identity == second.identity
    assert first.identity.startswith("jwt-")
    elsewhere = read_claimant(raw({"sub": "ann"}), "https://other.example", ClaimFields(), JwtAuth())
    assert len({first.identity, elsewhere.identity, read({"sub": "bob"}).identity}) == 3


def test_a_token_without_a_subject_is_told_apart_by_what_else_it_names() -> None:
    named: tuple[dict[str, Any], ...] = ({}, {"client_id": "a"}, {"client_id": "b"}, {"azp": "c"}, {"mail": "ann"})
    assert len({read(claims, user_id="mail").identity for claims in named}) == len(named)
    both = {"client_id": "a", "azp": "c"}
    assert read({"sub": "ann", **both}).identity == read({"sub": "ann"}).identity
    assert read({"mail": "ann", **both}, user_id="mail").identity == read({"mail": "ann"}, user_id="mail").identity
    assert read(both).identity == read({"client_id": "a"}).identity


@pytest.mark.parametrize(
    ("path", "claims", "left_out"),
    [
        ("groups", {"hasgroups": True}, True),
        ("groups", {"hasgroups": "true"}, True),
        ("groups", {"hasgroups": False}, False),
        ("groups", {"hasgroups": True, "groups": []}, False),
        ("roles", {"hasgroups": True}, False),
        ("roles", {"_claim_names": {"roles": "src1"}}, True),
        ("groups", {"_claim_names": {"roles": "src1"}}, False),
        ("groups", {"_claim_names": "groups"}, False),
        (None, {"hasgroups": True, "_claim_names": {"groups": "src1"}}, False),
    ],
)
def test_an_issuer_may_say_that_groups_are_too_many(path: str | None, claims: dict[str, Any], left_out: bool) -> None:
    assert is_left_out(raw(claims), path) is left_out


def test_every_field_has_its_claim() -> None:
    rules = JwtAuth(team_alias_jwt_field="team_name", org_alias_jwt_field="org_name")
    found = read(
        {
            "sub": "ann", "mail": "ann@example.com", "team": "t1", "teams": ["t2", "t1"], "org": "o", "for": "shop",
            "team_name": "T", "org_name": "O",
        },
        rules, user_id="sub", user_email="mail", team_id="team", team_ids="teams", org_id="org", end_user_id="for",
    )  # fmt: skip
    assert (found.user_id, found.email, found.teams) == ("ann", "ann@example.com", ("t2", "t1"))
    assert (found.org_id, found.end_user_id, found.team_alias, found.org_alias) == ("o", "shop", "T", "O")


@pytest.mark.parametrize(
    ("claims", "rules", "role"),
    [
        ({"scope": "openid litellm_proxy_admin"}, JwtAuth(), "proxy_admin"),
        ({"scope": ["litellm_proxy_admin"]}, JwtAuth(), "proxy_admin"),
        ({"scp": "boss"}, JwtAuth(admin_jwt_scope="boss"), "proxy_admin"),
        ({"scope": "litellm_proxy_administrator"}, JwtAuth(), "internal_user"),
        ({"team": "t"}, JwtAuth(), "team"),
        ({}, JwtAuth(team_id_default="usual"), "team"),
        ({"roles": ["x", "y"]}, JwtAuth(roles_jwt_field="roles", role_mappings=(JwtRoleMapping(role="y", internal_role="proxy_admin_viewer"),)), "proxy_admin_viewer"),  # noqa: E501
        ({"groups": ["eng-admins"]}, JwtAuth(user_roles_jwt_field="groups", sync_user_role_and_teams=True, jwt_litellm_role_map=(JwtRoleMap(jwt_role="*-admins", litellm_role="proxy_admin"),)), "proxy_admin"),  # noqa: E501
        ({"groups": ["eng-admins"]}, JwtAuth(user_roles_jwt_field="groups", jwt_litellm_role_map=(JwtRoleMap(jwt_role="*-admins", litellm_role="proxy_admin"),)), "internal_user"),  # noqa: E501
        ({}, JwtAuth(enforce_rbac=True), None),
        ({"user": "ann"}, JwtAuth(enforce_rbac=True), "internal_user"),
        ({"groups": ["a"]}, JwtAuth(user_roles_jwt_field="groups", user_allowed_roles=("a", "b")), "internal_user"),
        ({"groups": ["c"]}, JwtAuth(user_roles_jwt_field="groups", user_allowed_roles=("a", "b")), None),
        ({}, JwtAuth(user_roles_jwt_field="groups", user_allowed_roles=("a", "b")), None),
    ],
)  # fmt: skip
def test_a_token_gives_the_strongest_role_that_the_rules_find_in_it(
    claims: dict[str, Any], rules: JwtAuth, role: str | None
) -> None:
    if role is None:
        with pytest.raises(Forbidden):
            read({"sub": "x", **claims}, rules, user_id="user", team_id="team")
        return
    assert read({"sub": "x", **claims}, rules, user_id="user", team_id="team").role == role


def test_the_object_of_a_token_is_what_its_role_says() -> None:
    mappings = (
        JwtRoleMapping(role="group", internal_role="team"),
        JwtRoleMapping(role="person", internal_role="internal_user"),
    )
    rules = JwtAuth(roles_jwt_field="roles", object_id_jwt_field="oid", role_mappings=mappings)
    assert read({"roles": ["group"], "oid": "7"}, rules).teams == ("7",)
    found = read({"roles": ["person"], "oid": "7"}, rules)
    assert (found.user_id, found.teams) == ("7", ())


def test_routes_are_those_of_the_role_and_scopes_narrow_them() -> None:
    rules = JwtAuth(
        enforce_scope_based_access=True,
        scope_mappings=(
            JwtScope(scope="chat", models=("fast",), routes=("/v1/chat/completions",)),
            JwtScope(scope="all"),
        ),
    )
    assert read({"sub": "x"}).allowed_routes is None
    assert read({"scope": "litellm_proxy_admin"}).allowed_routes == JwtAuth().admin_allowed_routes
    narrow = read({"scope": "chat"}, rules)
    assert (narrow.models, narrow.allowed_routes) == (("fast",), ("/v1/chat/completions",))
    wide = read({"scope": "chat all"}, rules)
    assert (wide.models, wide.allowed_routes) == (None, None)
    with pytest.raises(Forbidden):
        read({"scope": "openid"}, rules)
    boss = read({"scope": "litellm_proxy_admin"}, rules)
    assert (boss.models, boss.allowed_routes) == (None, JwtAuth().admin_allowed_routes)


def test_an_address_that_is_not_verified_is_none() -> None:
    assert read({"mail": "a@example.com", "email_verified": False}, user_email="mail").email is None
    assert read({"mail": "a@example.com", "email_verified": "false"}, user_email="mail").email is None
    assert read({"mail": "a@example.com"}, user_email="mail").email == "a@example.com"


@pytest.mark.parametrize(
    ("claims", "may"),
    [
        ({"mail": "a@example.com"}, True), ({"mail": "a@EXAMPLE.com"}, True), ({"mail": "a@sub.example.com"}, False),
        ({"mail": "a@example.com", "email_verified": False}, False), ({"mail": "example.com"}, False), ({}, False),
        ({"mail": "a@example.com", "email_verified": True}, True),
    ],
)  # fmt: skip
def test_a_domain_that_is_demanded_is_that_of_a_verified_address(claims: dict[str, Any], may: bool) -> None:
    rules = JwtAuth(user_allowed_email_domain="example.com")
    if may:
        read(claims, rules, user_email="mail")
        return
    with pytest.raises(Forbidden, match="domain"):
        read(claims, rules, user_email="mail")
