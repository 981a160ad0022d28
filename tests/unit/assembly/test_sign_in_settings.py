"""LiteLLM's variables and the configuration say together how people and services come in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.assembly.sign_in import EntrancePlan
from pointsman.config.load import Loaded, load
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.stores.directory.records import Role

MASTER = Secret("sk-master-0123456789abcdef")
GENERIC = {
    "GENERIC_CLIENT_ID": "us",
    "GENERIC_CLIENT_SECRET": "secret",
    "GENERIC_AUTHORIZATION_ENDPOINT": "https://id.example/authorize",
    "GENERIC_TOKEN_ENDPOINT": "https://id.example/token",
    "GENERIC_USERINFO_ENDPOINT": "https://id.example/me",
}


def loaded(tmp_path: Path, config: Mapping[str, Any] | None = None, **variables: str) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(dict(config or {})))
    return load(path, variables)


def plan(tmp_path: Path, config: Mapping[str, Any] | None = None, **variables: str) -> EntrancePlan:
    return EntrancePlan(loaded(tmp_path, config, **variables), MASTER)


def test_without_anything_the_operator_signs_in_with_the_master_key(tmp_path: Path) -> None:
    made = plan(tmp_path)
    assert made.bearers is None
    assert made.sign_in is not None and made.sign_in.operator is not None
    assert made.sign_in.operator.username == "admin"
    assert made.sign_in.operator.password.reveal() == MASTER.reveal()
    assert made.sign_in.operator.user_id == "default_user_id"
    assert made.sign_in.parties == ()
    assert EntrancePlan(loaded(tmp_path), None).sign_in is None


def test_litellms_variables_name_providers(tmp_path: Path) -> None:
    variables = {
        **GENERIC,
        "GENERIC_USER_EMAIL_ATTRIBUTE": "mail",
        "GOOGLE_CLIENT_ID": "g",
        "MICROSOFT_CLIENT_ID": "m",
        "MICROSOFT_TENANT": "our-tenant",
        "PROXY_BASE_URL": "https://llm.example.com/",
        "ALLOWED_EMAIL_DOMAINS": "example.com, example.org",
        "PROXY_ADMIN_ID": "boss",
    }
    made = plan(tmp_path, None, **variables).sign_in
    assert made is not None
    google, microsoft, generic = made.parties
    assert google.party.issuer == "https://accounts.google.com"
    assert microsoft.party.issuer == "https://login.microsoftonline.com/our-tenant/v2.0"
    assert microsoft.trusts_email is True
    assert (generic.party.fields.user_id, generic.party.fields.email) == ("preferred_username", "mail")
    assert (made.base_url, made.email_domains) == ("https://llm.example.com", ("example.com", "example.org"))
    assert made.operator is not None and made.operator.user_id == made.admin_id == "boss"


def test_addresses_of_tenants_that_anybody_may_be_in_are_not_believed(tmp_path: Path) -> None:
    made = plan(tmp_path, MICROSOFT_CLIENT_ID="m").sign_in
    assert made is not None and made.parties[0].trusts_email is False


def test_passwords_may_be_left_to_nobody(tmp_path: Path) -> None:
    general = {"general_settings": {"disable_password_login_when_sso_enabled": True}}
    alone = plan(tmp_path, general).sign_in
    assert alone is not None and alone.passwords and alone.operator is not None
    with_provider = EntrancePlan(loaded(tmp_path, general, **GENERIC), MASTER).sign_in
    assert with_provider is not None and not with_provider.passwords and with_provider.operator is None
    without = plan(tmp_path, {"general_settings": {"disable_env_credential_login": True}}).sign_in
    assert without is not None and without.operator is None and without.passwords


def test_the_section_of_ours_is_read(tmp_path: Path) -> None:
    section = {
        "providers": [{"name": "company", "issuer": "https://id.example", "client_id": "us", "groups_claim": "groups"}],
        "groups": [{"group": "admins", "role": "proxy_admin"}, {"group": "r", "teams": ["research"]}],
        "default_role": "internal_user",
        "session_seconds_max": 3600,
    }
    made = plan(tmp_path, {"pointsman": {"sign_in": section}})
    assert made.sign_in is not None
    assert made.sign_in.default_role is Role.USER
    assert [(rule.group, rule.teams, rule.role) for rule in made.sign_in.groups] == [
        ("admins", (), Role.ADMIN), ("r", ("research",), None),
    ]  # fmt: skip
    assert made.sign_in.parties[0].party.fields.groups == "groups"
    assert made.sessions.life_seconds == 3600
    assert loaded(tmp_path, {"pointsman": {"sign_in": section}}).warnings == ()


def test_signed_tokens_are_those_of_whom_the_operator_names(tmp_path: Path) -> None:
    rules = {
        "user_id_jwt_field": "sub",
        "issuers": [
            {"issuer": "https://other.example", "audience": ["a", "b"], "user_id_jwt_field": "who"},
            {
                "issuer": "https://third.example",
                "disable_audience_validation": True,
                "jwks_url": "https://third.example/k",
            },
        ],
    }
    general = {"general_settings": {"enable_jwt_auth": True, "litellm_jwtauth": rules}}
    made = plan(
        tmp_path, general, JWT_PUBLIC_KEY_URL="https://id.example/k1, https://id.example/k2", JWT_ISSUER="https://id.example",
        JWT_AUDIENCE="us",
    ).bearers  # fmt: skip
    assert made is not None
    other, third, usual = made.issuers
    assert (other.audiences, other.fields.user_id, other.jwks_urls) == (("a", "b"), "who", ())
    assert (third.audiences, third.fields.user_id) == ((), "sub")
    assert (usual.audiences, usual.jwks_urls) == (("us",), ("https://id.example/k1", "https://id.example/k2"))
    assert made.trusted("https://other.example") is other
    assert made.trusted("https://nobody.example") is None


def jwt(**rules: Any) -> dict[str, Any]:
    return {"general_settings": {"enable_jwt_auth": True, "litellm_jwtauth": rules}}


@pytest.mark.parametrize(
    ("config", "variables"),
    [(jwt(), {"JWT_PUBLIC_KEY_URL": "https://id.example/keys"}), ({}, {"GOOGLE_CLIENT_ID": "g"})],
)
def test_what_needs_the_extra_says_so_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], variables: dict[str, str]
) -> None:
    plan(tmp_path, config, **variables)
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(Misconfigured, match="joserfc") as refused:
        plan(tmp_path, config, **variables)
    assert refused.value.hint == "Install it with: pip install 'pointsman[sso]'"
    plan(tmp_path)


@pytest.mark.parametrize(
    ("config", "variables", "why"),
    [
        (jwt(), {}, "nobody is named"),
        (jwt(), {"JWT_PUBLIC_KEY_URL": "nonsense"}, "not an http"),
        (jwt(issuers=[{"issuer": "https://x.example"}]), {}, "audience"),
        (jwt(issuers=[{"issuer": "x", "audience": "a", "disable_audience_validation": True}]), {}, "audience"),
        (jwt(issuers=[{"issuer": "x", "audience": {"a": 1}}]), {}, "audience"),
        ({}, {"GENERIC_CLIENT_ID": "us"}, "GENERIC_AUTHORIZATION_ENDPOINT"),
        ({}, {"PROXY_BASE_URL": "llm.example.com"}, "PROXY_BASE_URL"),
        ({"pointsman": {"sign_in": {"providers": [{"name": "a", "client_id": "b"}]}}}, {}, "neither an issuer"),
        (
            {
                "pointsman": {
                    "sign_in": {"providers": 2 * [{"name": "a", "client_id": "b", "issuer": "https://x.example"}]}
                }
            },
            {},
            "same name",
        ),
        ({"general_settings": {"allowed_ips": ["10.0.0.0/8", "x"]}}, {}, "allowed_ips"),
        ({"general_settings": {"trusted_proxy_ranges": ["x"]}}, {}, "trusted_proxy_ranges"),
        ({"pointsman": {"sign_in": {"default_role": "root"}}}, {}, "default_role"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_start(
    tmp_path: Path, config: dict[str, Any], variables: dict[str, str], why: str
) -> None:
    with pytest.raises(Misconfigured, match=why):
        plan(tmp_path, config, **variables)
