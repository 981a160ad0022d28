"""Services and people come with tokens that an issuer has signed, as with LiteLLM's ``enable_jwt_auth``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from joserfc.jwk import RSAKey

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI
from tests.upstreams.identity_server import FakeIdentity

Scene = tuple[Gateway, FakeIdentity, FakeOpenAI]


@pytest.fixture
def provider() -> Iterator[FakeIdentity]:
    with FakeIdentity() as server:
        yield server


def config(upstream: FakeOpenAI, **rules: Any) -> dict[str, Any]:
    return {
        "model_list": [openai_entry("fast", upstream.url), openai_entry("priced", upstream.url)],
        "general_settings": {"enable_jwt_auth": True, "litellm_jwtauth": rules},
    }


def variables(provider: FakeIdentity) -> dict[str, str]:
    return {
        "JWT_PUBLIC_KEY_URL": f"{provider.url}/keys",
        "JWT_ISSUER": provider.issuer,
        "JWT_AUDIENCE": provider.client_id,
    }


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    rules = {
        "user_id_jwt_field": "sub",
        "user_email_jwt_field": "email",
        "team_id_jwt_field": "team",
        "end_user_id_jwt_field": "customer.id",
        "user_id_upsert": True,
        "team_id_upsert": True,
    }
    with (
        FakeIdentity() as provider,
        FakeOpenAI() as upstream,
        Gateway.start(config(upstream, **rules), env=variables(provider)) as gateway,
    ):
        yield gateway, provider, upstream


def test_a_signed_token_is_let_in_and_what_it_spends_is_its_users(scene: Scene) -> None:
    gateway, provider, _ = scene
    first = provider.token(sub="svc-1", team="team-1", customer={"id": "shop-9"})
    second = provider.token(sub="svc-1", team="team-1", customer={"id": "shop-9"}, jti="another")
    for token in (first, second):
        assert gateway.chat("fast", key=token).status == 200
    rows = [row for row in gateway.settled_ledger(2) if row["user"] == "svc-1"]
    assert len(rows) == 2
    assert {row["team_id"] for row in rows} == {"team-1"}
    assert {row["end_user"] for row in rows} == {"shop-9"}
    # Whoever comes with a new token every few minutes stays the same caller.
    assert len({row["api_key"] for row in rows}) == 1


def test_the_keys_are_asked_for_once_and_for_an_unknown_one_again(
    launch: Launch, provider: FakeIdentity, upstream: FakeOpenAI
) -> None:
    gateway = launch(config(upstream), env=variables(provider))
    for number in range(5):
        assert gateway.chat("fast", key=provider.token(sub=f"svc-{number}")).status == 200
    assert provider.key_requests == 1
    # Names that are made up have the keys fetched once in a while, not once each.
    for number in range(5):
        forged = provider.token(sub="x", header={"kid": f"made-up-{number}"})
        assert gateway.chat("fast", key=forged).status == 401
    assert provider.key_requests <= 2
    provider.vanish()
    assert gateway.chat("fast", key=provider.token(sub="svc-again")).status == 200


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_every_usual_algorithm_is_taken(launch: Launch, upstream: FakeOpenAI, algorithm: str) -> None:
    with FakeIdentity() as provider:
        provider.add_key(algorithm)
        gateway = launch(config(upstream), env=variables(provider))
        assert gateway.chat("fast", key=provider.token(sub="svc")).status == 200


def base64_url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_algorithm(provider: FakeIdentity, algorithm: str, secret: bytes | None) -> str:
    """A token whose head names another algorithm, signed with whatever an attacker has."""
    now = int(time.time())
    claims = {"iss": provider.issuer, "aud": provider.client_id, "sub": "svc", "exp": now + 60}
    head = base64_url(msgspec.json.encode({"alg": algorithm, "kid": next(iter(provider.keys)), "typ": "JWT"}))
    signed = f"{head}.{base64_url(msgspec.json.encode(claims))}"
    signature = b"" if secret is None else hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64_url(signature)}"


def test_a_token_that_proves_nothing_lets_nobody_in(scene: Scene) -> None:
    gateway, provider, upstream = scene
    _, key = next(iter(provider.keys.values()))
    assert isinstance(key, RSAKey)
    pem = key.as_pem(private=False)
    good = provider.token(sub="svc")
    head, claims, signature = good.split(".")
    changed = base64_url(base64.urlsafe_b64decode(claims + "==").replace(b"svc", b"adm"))
    with FakeIdentity() as stranger:
        foreign = stranger.token(sub="svc", iss=provider.issuer, aud=provider.client_id)
    upstream.forget()
    for name, token in {
        "unsigned": with_algorithm(provider, "none", None),
        "unsigned, otherwise spelt": with_algorithm(provider, "nOnE", None),
        "signed with the public key": with_algorithm(provider, "HS256", pem),
        "without its signature": f"{head}.{claims}.",
        "with other claims": f"{head}.{changed}.{signature}",
        "another's key": foreign,
        "expired": provider.token(exp=int(time.time()) - 60),
        "without an end": provider.token(exp=None),
        "not valid yet": provider.token(nbf=int(time.time()) + 600),
        "another audience": provider.token(aud="another"),
        "without audience": provider.token(aud=None),
        "another issuer": provider.token(iss="https://elsewhere.example.com"),
        "an issuer that is our own host": provider.token(iss=f"{provider.issuer}/", sub="svc"),
        "critical extensions": provider.token(header={"crit": ["b64"], "b64": True}),
        "no token at all": "eyJ.eyJ.x",
    }.items():
        answer = gateway.chat("fast", key=token)
        assert answer.status == 401, name
        assert token not in answer.body.decode()
    assert upstream.inference == []
    assert gateway.chat("fast", key=good).status == 200


def test_tokens_that_begin_alike_are_told_apart(scene: Scene) -> None:
    """CVE-2026-35030: LiteLLM kept what it knew of a token under its first characters."""
    gateway, provider, _ = scene
    admin = provider.token(sub="boss", scope="openid litellm_proxy_admin")
    plain = provider.token(sub="mallory")
    assert admin[:60] == plain[:60]
    assert gateway.http("GET", "/global/spend", key=admin).status == 200
    assert gateway.http("GET", "/global/spend", key=plain).status == 403
    forged = f"{admin.rpartition('.')[0]}.{plain.rpartition('.')[2]}"
    assert gateway.http("GET", "/global/spend", key=forged).status == 401


def test_an_administrators_token_manages_and_does_no_more(scene: Scene) -> None:
    gateway, provider, _ = scene
    admin = provider.token(sub="boss", scope="litellm_proxy_admin")
    made = gateway.http("POST", "/key/generate", {"models": ["fast"]}, key=admin)
    assert made.status == 200, made.body
    assert gateway.chat("fast", key=admin).status == 403
    assert gateway.http("GET", "/traffic", key=admin).status == 403


def test_a_token_of_a_team_may_call_models_and_not_manage(scene: Scene) -> None:
    gateway, provider, _ = scene
    token = provider.token(sub="svc-1", team="team-1")
    assert gateway.chat("fast", key=token).status == 200
    assert gateway.http("GET", "/v1/models", key=token).status == 200
    assert gateway.http("POST", "/key/generate", {}, key=token).status == 403
    assert gateway.http("GET", "/spend/logs", key=token).status == 403


def test_a_token_is_no_key_and_a_key_no_token(scene: Scene) -> None:
    gateway, provider, _ = scene
    token = provider.token(sub="svc-2")
    assert gateway.chat("fast", key=token).status == 200
    assert gateway.http("POST", "/key/generate", {"key": token}).status == 400
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert gateway.chat("fast", key=digest).status == 401
    assert gateway.chat("fast", key=f"jwt.{digest}").status == 401
    assert gateway.http("GET", f"/key/info?key={digest}").status == 404


def test_an_expired_token_is_out_even_on_an_open_connection(scene: Scene) -> None:
    gateway, provider, _ = scene
    token = provider.token(sub="svc-3", exp=int(time.time()) + 2 - 30)
    client = gateway.openai(token)
    ask = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
    client.chat.completions.create(**ask)  # type: ignore[call-overload]

    def is_out() -> bool:
        try:
            client.chat.completions.create(**ask)  # type: ignore[call-overload]
        except Exception as error:  # noqa: BLE001
            return getattr(error, "status_code", 0) == 401
        return False

    eventually(is_out, "the token has expired", 10.0)


def test_several_issuers_each_have_their_own_keys_and_claims(
    launch: Launch, provider: FakeIdentity, upstream: FakeOpenAI
) -> None:
    with FakeIdentity(client_id="other-audience") as other:
        issuers = [{"issuer": other.issuer, "audience": "other-audience", "user_id_jwt_field": "who"}]
        rules = {"user_id_jwt_field": "sub", "user_id_upsert": True, "issuers": issuers}
        gateway = launch(config(upstream, **rules), env=variables(provider))
        assert gateway.chat("fast", key=provider.token(sub="a")).status == 200
        assert gateway.chat("fast", key=other.token(sub="x", who="b")).status == 200
        users = {row["user"] for row in gateway.settled_ledger(2)}
        assert users == {"a", "b"}
        # The key of one does not sign for the other, nor is a token for one meant for the other.
        assert gateway.chat("fast", key=other.token(sub="x", iss=provider.issuer)).status == 401
        assert gateway.chat("fast", key=other.token(sub="x", aud=provider.client_id)).status == 401


def test_keys_may_be_in_several_places_and_behind_documents(launch: Launch, upstream: FakeOpenAI) -> None:
    with FakeIdentity() as one, FakeIdentity() as two:
        env = {"JWT_PUBLIC_KEY_URL": f"{one.url}/keys,{two.url}/.well-known/openid-configuration"}
        one.add_key("ES256")
        gateway = launch(config(upstream), env=env)
        assert gateway.chat("fast", key=one.token()).status == 200
        assert gateway.chat("fast", key=two.token()).status == 200
        assert (one.key_requests, two.key_requests) == (1, 1)
        assert "JWT_AUDIENCE" in gateway.output()


def test_the_rules_say_who_is_nobody(launch: Launch, provider: FakeIdentity, upstream: FakeOpenAI) -> None:
    rules = {
        "user_id_jwt_field": "sub",
        "user_email_jwt_field": "email",
        "user_allowed_email_domain": "example.com",
        "user_roles_jwt_field": "resource.roles",
        "user_allowed_roles": ["llm-user"],
        "user_id_upsert": True,
        "enforce_scope_based_access": True,
        "scope_mappings": [{"scope": "llm.fast", "models": ["fast"], "routes": ["/v1/chat/completions"]}],
    }
    gateway = launch(config(upstream, **rules), env=variables(provider))
    good: dict[str, Any] = {
        "sub": "u", "email": "u@example.com", "resource": {"roles": ["llm-user"]}, "scope": "openid llm.fast",
    }  # fmt: skip
    token = provider.token(**good)
    assert gateway.chat("fast", key=token).status == 200
    assert gateway.chat("priced", key=token).status == 403
    assert gateway.http("GET", "/v1/models", key=token).status == 403
    for change in (
        {"email": "u@example.com.evil.org"},
        {"email": "example.com"},
        {"email": None},
        {"email_verified": False},
        {"resource": {"roles": ["guest"]}},
        {"resource": None},
        {"scope": "openid"},
    ):
        assert gateway.chat("fast", key=provider.token(**{**good, **change})).status == 403, change


def test_without_upserts_only_who_is_known_comes_in(
    launch: Launch, provider: FakeIdentity, upstream: FakeOpenAI
) -> None:
    rules = {"user_id_jwt_field": "sub", "team_id_jwt_field": "team"}
    gateway = launch(config(upstream, **rules), env=variables(provider))
    assert gateway.chat("fast", key=provider.token(sub="stranger")).status == 403
    assert gateway.chat("fast", key=provider.token(sub="stranger", team="no-team")).status == 403


def test_nobody_is_let_in_while_the_keys_are_not_to_be_had(launch: Launch, upstream: FakeOpenAI) -> None:
    with FakeIdentity() as provider:
        env, token = variables(provider), provider.token(sub="svc")
        provider.vanish()
        gateway = launch(config(upstream), env=env)
        answer = gateway.chat("fast", key=token)
        assert (answer.status, answer.error["code"]) == (503, "identity_provider_unavailable")
        assert gateway.chat("fast", key=gateway.new_key()).status == 200
        provider.come_back()
        eventually(lambda: gateway.chat("fast", key=token).status == 200, "the keys are there", 15.0)


def test_without_it_a_token_is_a_key_that_nobody_has(
    launch: Launch, provider: FakeIdentity, upstream: FakeOpenAI
) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream.url)]}, env=variables(provider))
    assert gateway.chat("fast", key=provider.token()).status == 401
    assert provider.key_requests == 0
