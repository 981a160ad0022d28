"""People sign in: with an identity provider or a password, for as long as their session holds, and in nobody's name."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI
from tests.upstreams.identity_server import FakeIdentity

COOKIE = "pointsman_session"


@pytest.fixture
def provider() -> Iterator[FakeIdentity]:
    with FakeIdentity() as server:
        yield server


def config(provider: FakeIdentity, **section: Any) -> dict[str, Any]:
    entry = {
        "name": "company",
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "groups_claim": "groups",
    }
    return {"pointsman": {"sign_in": {"providers": [entry], **section}}}


def browser(gateway: Gateway) -> Browser:
    return Browser(gateway.url.removesuffix("/v1"))


def signed_in(gateway: Gateway) -> Browser:
    """Somebody whom the provider has just vouched for."""
    one = browser(gateway)
    answer, place = one.follow("/sso/key/generate")
    assert answer.status == 200, answer.body
    assert place == f"{one.home}/ui/?login=success"
    return one


def operator(gateway: Gateway) -> Browser:
    one = browser(gateway)
    answer = one.ask("POST", "/v2/login", {"username": "admin", "password": MASTER_KEY})
    assert answer.status == 200, answer.body
    one.csrf = answer.json()["csrf_token"]
    return one


def new_user(gateway: Gateway, provider: FakeIdentity, user_id: str, password: str) -> None:
    """Somebody with a password of their own, chosen with an invitation."""
    provider.person = {"sub": user_id, "email": f"{user_id}@example.com", "email_verified": True}
    signed_in(gateway)
    invitation = gateway.http("POST", "/invitation/new", {"user_id": user_id}).json()["id"]
    claimed = gateway.http(
        "POST",
        "/onboarding/claim_token",
        {"invitation_link": invitation, "user_id": user_id, "password": password},
        key="",
    )
    assert claimed.status == 200, claimed.body


# -- with an identity provider ---------------------------------------------------------------------------------


def test_fifty_users_sign_in_and_nobody_asks_for_a_licence(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider))
    for number in range(50):
        provider.person = {"sub": f"user-{number}", "email": f"user-{number}@example.com", "email_verified": True}
        one = signed_in(gateway)
        assert one.session()["user_id"] == f"user-{number}"
    assert provider.refusals == []
    # The keys are asked for once, not for each of them.
    assert provider.key_requests == 1
    assert len(provider.matching("/.well-known/openid-configuration")) == 1


def test_groups_give_teams_and_roles_and_take_them_again(launch: Launch, provider: FakeIdentity) -> None:
    groups = [{"group": "admins", "role": "proxy_admin"}, {"group": "research", "teams": ["team-r"]}]
    gateway = launch(config(provider, groups=groups))
    provider.person |= {"groups": ["research", "admins", "others"]}
    one = signed_in(gateway)
    session = one.session()
    assert (session["user_role"], session["teams"]) == ("proxy_admin", ["team-r"])
    assert (session["user_email"], session["user_alias"]) == ("alice@example.com", "Alice")
    assert session["login_method"] == "company"
    assert one.ask("GET", "/global/spend").status == 200
    made = one.ask("POST", "/key/generate", {"models": []})
    assert made.status == 200, made.body
    provider.person |= {"groups": []}
    session = signed_in(gateway).session()
    assert (session["user_role"], session["teams"]) == ("internal_user_viewer", [])
    # The role is looked up with every request: the older session has lost it too.
    assert one.ask("GET", "/global/spend").status == 403


def test_who_comes_back_must_have_left_from_the_same_browser(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider))
    attacker, victim = browser(gateway), browser(gateway)
    away = attacker.ask("GET", "/sso/key/generate").headers["location"]
    back = attacker.ask("GET", away).headers["location"]
    # The attacker's answer, opened in the victim's browser, signs nobody in (login CSRF).
    assert victim.ask("GET", back).status == 401
    assert COOKIE not in victim.cookies[victim.home.removeprefix("http://")]
    # Another state than the one that was sent along is refused, too; then the true one still works, once.
    assert attacker.ask("GET", back.replace("state=", "state=x")).status == 401
    assert attacker.ask("GET", back).status == 303
    assert attacker.ask("GET", back).status == 401


@pytest.mark.parametrize("said", ["", "https%3A%2F%2Felsewhere.example.com"])
def test_the_answer_must_say_that_it_comes_from_the_provider_that_was_asked(
    shared_sign_in: tuple[Gateway, FakeIdentity], said: str
) -> None:
    visitor = browser(shared_sign_in[0])
    away = visitor.ask("GET", "/sso/key/generate").headers["location"]
    back, _, issuer = visitor.ask("GET", away).headers["location"].partition("&iss=")
    assert issuer
    assert visitor.ask("GET", f"{back}&iss={said}" if said else back).status == 401
    assert visitor.ask("GET", f"{back}&iss={issuer}").status == 303


def test_groups_may_be_one_text(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider, groups=[{"group": "admins", "role": "proxy_admin"}]))
    provider.person |= {"groups": "admins"}
    assert signed_in(gateway).session()["user_role"] == "proxy_admin"


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"aud": ["gateway", "another-client"]},
        {"iss": "https://elsewhere.example.com"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
    ],
    ids=lambda change: "-".join(map(str, [*change.keys(), *change.values()])),
)
def test_an_id_token_that_says_something_else_signs_nobody_in(
    shared_sign_in: tuple[Gateway, FakeIdentity], change: dict[str, Any]
) -> None:
    gateway, provider = shared_sign_in
    provider.amend = lambda claims: {**claims, **change}
    answer, _ = browser(gateway).follow("/sso/key/generate")
    assert answer.status == 401
    provider.amend = lambda claims: claims


@pytest.fixture(scope="module")
def shared_sign_in() -> Iterator[tuple[Gateway, FakeIdentity]]:
    with FakeIdentity() as provider, Gateway.start(config(provider)) as gateway:
        yield gateway, provider


def test_what_a_provider_tells_of_the_user_may_be_signed_and_must_then_be_its_own(
    shared_sign_in: tuple[Gateway, FakeIdentity],
) -> None:
    gateway, provider = shared_sign_in
    signed_by_it = {"iss": provider.issuer, "aud": provider.client_id, "name": "Signed Alice"}
    with FakeIdentity() as stranger:
        encrypted = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d"
        unsigned = "eyJhbGciOiJub25lIn0." + base64.urlsafe_b64encode(b'{"sub":"alice-1"}').rstrip(b"=").decode() + "."
        for about, status in (
            (lambda claims: provider.signed({**claims, **signed_by_it}), 200),
            (provider.signed, 200),  # issuer and audience need not be told
            (lambda claims: provider.signed({**claims, "sub": "bob"}), 401),
            (lambda claims: provider.signed({**claims, "iss": "https://elsewhere.example"}), 401),
            (lambda claims: provider.signed({**claims, "aud": ["another-client"]}), 401),
            (stranger.signed, 401),
            (lambda _claims: unsigned, 401),
        ):
            provider.about = about
            answer, _ = browser(gateway).follow("/sso/key/generate")
            assert answer.status == status, answer.body
    provider.about = lambda _claims: encrypted
    answer, _ = browser(gateway).follow("/sso/key/generate")
    assert answer.status == 401 and b"encrypted" in answer.body
    provider.about = None


def test_who_comes_back_while_the_provider_is_away_is_told_so_on_a_page(
    shared_sign_in: tuple[Gateway, FakeIdentity],
) -> None:
    gateway, provider = shared_sign_in
    visitor = browser(gateway)
    away = visitor.ask("GET", "/sso/key/generate").headers["location"]
    back = visitor.ask("GET", away).headers["location"]
    provider.vanish()
    answer = visitor.ask("GET", back)
    assert (answer.status, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert b"cannot be asked" in answer.body and b"Sign in with company" in answer.body
    provider.come_back()
    assert visitor.ask("GET", back).status == 303


def test_somebody_in_thousands_of_groups_is_known_by_the_last_of_them(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider, groups=[{"group": "admins", "role": "proxy_admin"}]))
    groups = [f"/department/of/everything/number-{number}" for number in range(3_000)] + ["admins"]
    provider.amend = lambda claims: {**claims, "groups": groups}
    provider.header = {"x5c": ["MII" + "A" * 1_500]}
    assert signed_in(gateway).session()["user_role"] == "proxy_admin"
    log = gateway.http("GET", "/audit").json()["audit_logs"]
    changes = [(one["action"], one["object_id"], one["changed_by"]) for one in log if one["object_id"] == "alice-1"]
    assert sorted(changes) == [("created", "alice-1", "sign-in"), ("updated", "alice-1", "sign-in")]
    # Where the provider leaves them out it is not as if there were none, by which roles and teams would be lost.
    provider.amend = lambda claims: {**claims, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}
    answer, _ = browser(gateway).follow("/sso/key/generate")
    assert answer.status == 403 and b"too many" in answer.body
    assert gateway.http("GET", "/user/info?user_id=alice-1").json()["user_info"]["user_role"] == "proxy_admin"


def test_who_is_sent_back_only_goes_to_our_own_pages(shared_sign_in: tuple[Gateway, FakeIdentity]) -> None:
    gateway, _ = shared_sign_in
    one = browser(gateway)
    for place in ("https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "javascript:alert(1)"):
        answer = one.ask("GET", f"/sso/key/generate?return_to={place}")
        assert answer.status == 400, place
    _, place = one.follow("/sso/key/generate?return_to=/session")
    assert place == f"{one.home}/session"
    # Where it does not know its own address, it does not believe what a client writes into Host.
    answer = one.ask("GET", "/sso/key/generate", headers={"Host": "evil.example.com"})
    assert answer.status == 400
    assert "PROXY_BASE_URL" in answer.error["message"]


def test_litellms_variables_describe_a_provider_too(launch: Launch, provider: FakeIdentity) -> None:
    env = {
        "GENERIC_CLIENT_ID": provider.client_id,
        "GENERIC_CLIENT_SECRET": provider.client_secret,
        "GENERIC_AUTHORIZATION_ENDPOINT": f"{provider.url}/authorize",
        "GENERIC_TOKEN_ENDPOINT": f"{provider.url}/token",
        "GENERIC_USERINFO_ENDPOINT": f"{provider.url}/userinfo",
        "GENERIC_USER_ID_ATTRIBUTE": "employee",
        "GENERIC_USER_ROLE_ATTRIBUTE": "job",
        "ALLOWED_EMAIL_DOMAINS": "example.com",
        "PROXY_ADMIN_ID": "e-1",
    }
    gateway = launch(None, env=env)
    provider.person |= {"employee": "e-7", "job": "internal_user"}
    session = signed_in(gateway).session()
    assert (session["user_id"], session["user_role"]) == ("e-7", "internal_user")
    provider.person = {"sub": "boss", "email": "boss@example.com", "employee": "e-1"}
    assert signed_in(gateway).session()["user_role"] == "proxy_admin"
    provider.person = {"sub": "m", "email": "mallory@elsewhere.com", "employee": "e-9"}
    answer, _ = browser(gateway).follow("/sso/key/generate")
    assert answer.status == 403


def test_an_unverified_address_makes_nobody_somebody_else(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider))
    first = signed_in(gateway).session()["user_id"]
    provider.person = {"sub": "mallory", "email": "alice@example.com", "email_verified": False, "name": "Alice"}
    assert signed_in(gateway).session()["user_id"] != first


# -- sessions --------------------------------------------------------------------------------------------------


def test_a_session_ends_when_its_owner_signs_out(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider))
    one = signed_in(gateway)
    one.session()
    (token,) = [value for jar in one.cookies.values() for name, value in jar.items() if name == COOKIE]
    assert one.ask("POST", "/logout").status == 200
    # Also for whoever has kept a copy of the cookie.
    kept = gateway.http("GET", "/session", key="", headers={"Cookie": f"{COOKIE}={token}"})
    assert kept.status == 401


def test_all_workers_know_a_session_and_its_end(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider), args=["--workers", "2"])
    one = signed_in(gateway)
    one.session()
    # Each request comes by a connection of its own, and so to either of them.
    assert {one.ask("GET", "/session").status for _ in range(20)} == {200}
    assert one.ask("POST", "/key/generate", {}).status == 403
    cookies = {netloc: dict(jar) for netloc, jar in one.cookies.items()}
    assert one.ask("POST", "/logout").status == 200
    one.cookies = cookies
    assert {one.ask("GET", "/session").status for _ in range(20)} == {401}


def test_only_the_digest_of_a_session_is_stored(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider))
    one = signed_in(gateway)
    (token,) = [value for jar in one.cookies.values() for name, value in jar.items() if name == COOKIE]
    gateway.stop()
    stored = b"".join(path.read_bytes() for path in gateway.data_dir.rglob("*") if path.is_file())
    assert token.encode() not in stored
    gateway.restart()
    assert one.session()["user_id"] == "alice-1"
    assert token not in gateway.output()


def test_cookies_are_out_of_reach_for_scripts_and_other_sites(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider), env={"PROXY_BASE_URL": "https://llm.example.com"})
    one = browser(gateway)
    answer = one.ask(
        "POST", "/v2/login", {"username": "admin", "password": MASTER_KEY}, origin="https://llm.example.com",
        headers={"Sec-Fetch-Site": "same-origin"},
    )  # fmt: skip
    assert answer.status == 200
    (line,) = one.cookie_lines
    assert line.startswith("__Host-pointsman_session=")
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= {part.strip() for part in line.split(";")}
    away = one.ask("GET", "/sso/key/generate").headers["location"]
    assert "redirect_uri=https%3A%2F%2Fllm.example.com%2Fsso%2Fcallback" in away


def test_a_page_of_another_site_changes_nothing_in_a_session(launch: Launch) -> None:
    gateway = launch(None)
    one = operator(gateway)
    evil = "https://evil.example.com"
    assert one.ask("POST", "/key/generate", {}, origin=evil).status == 403
    assert one.ask("POST", "/logout", origin=evil).status == 403
    # Neither does one of ours that does not know the session, as a form would not.
    token, one.csrf = one.csrf, ""
    refused = one.ask("POST", "/key/generate", {})
    assert (refused.status, refused.error["code"]) == (403, "csrf")
    one.csrf = token
    assert one.ask("POST", "/key/generate", {}).status == 200
    # What is only looked at cannot be read by scripts of other sites: no credentials are allowed.
    answer = one.ask("GET", "/key/list", headers={"Origin": evil})
    assert "access-control-allow-credentials" not in answer.headers


def test_nobody_signs_in_from_a_page_of_another_site(launch: Launch) -> None:
    gateway = launch(None)
    one = browser(gateway)
    form = {"username": "admin", "password": MASTER_KEY}
    assert one.ask("POST", "/login", form=form, origin="https://evil.example.com").status == 403
    answer = one.ask("POST", "/login", form=form)
    assert (answer.status, answer.headers["location"]) == (303, "/ui/?login=success")
    assert b"Signed in as" in one.follow("/ui/")[0].body


def test_a_key_counts_more_than_the_session_beside_it(launch: Launch) -> None:
    gateway = launch(None)
    one = operator(gateway)
    key = gateway.new_key()
    bearer = {"Authorization": f"Bearer {key}"}
    assert one.ask("GET", "/global/spend", headers=bearer).status == 403
    assert one.ask("GET", "/global/spend").status == 200
    assert one.ask("GET", "/global/spend", headers={"Authorization": "Bearer sk-nobody"}).status == 401


def test_another_operators_password_ends_the_operators_sessions(launch: Launch) -> None:
    gateway = launch(None, env={"UI_USERNAME": "root", "UI_PASSWORD": "first-password"})
    one = browser(gateway)
    assert one.ask("POST", "/v2/login", {"username": "admin", "password": MASTER_KEY}).status == 401
    assert one.ask("POST", "/v2/login", {"username": "root", "password": "first-password"}).status == 200
    assert one.session()["user_role"] == "proxy_admin"
    gateway.stop()
    gateway._env["UI_PASSWORD"] = "second-password"
    gateway.restart()
    assert one.ask("GET", "/session").status == 401


# -- passwords -------------------------------------------------------------------------------------------------


def test_a_user_chooses_changes_and_uses_a_password(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider))
    new_user(gateway, provider, "bob", "correct horse battery")
    one, other = browser(gateway), browser(gateway)
    for who in (one, other):
        answer = who.ask("POST", "/v2/login", {"username": "bob@example.com", "password": "correct horse battery"})
        assert answer.status == 200, answer.body
        assert who.session()["user_id"] == "bob"
    assert one.ask("GET", "/global/spend").status == 403
    weak = one.ask("POST", "/user/password/change", {"current_password": "correct horse battery", "new_password": "x"})
    assert (weak.status, weak.error["code"]) == (400, "weak_password")
    wrong = one.ask("POST", "/user/password/change", {"current_password": "wrong", "new_password": "another long one"})
    assert wrong.status == 403
    body = {"current_password": "correct horse battery", "new_password": "another long one"}
    changed = one.ask("POST", "/user/password/change", body)
    # That of the invitation has ended with it, as all others.
    assert (changed.status, changed.json()["sessions_ended"]) == (200, 2)
    assert other.ask("GET", "/session").status == 401
    assert one.session()["user_id"] == "bob"
    login = {"username": "bob", "password": "correct horse battery"}
    assert browser(gateway).ask("POST", "/v2/login", login).status == 401
    for path in ("/session", "/sessions"):
        assert b"argon2" not in one.ask("GET", path).body


def test_an_invitation_is_good_once(launch: Launch, provider: FakeIdentity) -> None:
    gateway = launch(config(provider))
    new_user(gateway, provider, "bob", "correct horse battery")
    invitation = gateway.http("POST", "/invitation/new", {"user_id": "bob"}).json()
    assert gateway.http("POST", "/invitation/new", {"user_id": "bob"}, key=gateway.new_key()).status == 403
    claim = {"invitation_link": invitation["id"], "user_id": "bob", "password": "yet another password"}
    assert gateway.http("GET", f"/onboarding/get_token?invite_link={invitation['id']}", key="").status == 200
    assert gateway.http("POST", "/onboarding/claim_token", {**claim, "user_id": "eve"}, key="").status == 401
    assert gateway.http("POST", "/onboarding/claim_token", claim, key="").status == 200
    assert gateway.http("POST", "/onboarding/claim_token", claim, key="").status == 401
    info = gateway.http("GET", f"/invitation/info?invitation_id={invitation['id']}").json()
    assert info["is_accepted"] is True


def test_guessing_ends_soon_for_whoever_guesses_alone(launch: Launch) -> None:
    settings = {"max_failed_login_attempts": 3, "use_x_forwarded_for": True}
    gateway = launch({"general_settings": settings})

    def guess(name: str, address: str, password: str = "wrong") -> int:
        return gateway.http(
            "POST", "/v2/login", {"username": name, "password": password}, key="", headers={"X-Forwarded-For": address}
        ).status

    known = [guess("admin", "192.0.2.1") for _ in range(4)]
    unknown = [guess("nobody-has-this-name", "192.0.2.2") for _ in range(4)]
    # Alike, so that nobody learns which names there are.
    assert known == unknown == [401, 401, 401, 429]
    assert guess("admin", "192.0.2.1", MASTER_KEY) == 429
    assert guess("admin", "192.0.2.3", MASTER_KEY) == 200


# -- addresses -------------------------------------------------------------------------------------------------


def test_addresses_that_may_not_are_turned_away_everywhere(launch: Launch, upstream: FakeOpenAI) -> None:
    general = {
        "allowed_ips": ["10.1.0.0/16", "2001:db8::/32"],
        "use_x_forwarded_for": True,
        "trusted_proxy_ranges": ["127.0.0.1", "10.9.0.0/16"],
    }
    models = [openai_entry("fast", upstream.url)]
    gateway = launch({"model_list": models, "general_settings": general})

    def status(method: str, path: str, body: Any = None, forwarded: str = "") -> int:
        return gateway.http(method, path, body, headers={"X-Forwarded-For": forwarded} if forwarded else None).status

    chat = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
    for forwarded, wanted in (
        ("", 403),
        ("10.1.2.3", 200),
        ("2001:db8::7", 200),
        ("192.0.2.7", 403),
        # What stands left of the last who is not trusted may be made up.
        ("10.1.2.3, 192.0.2.7", 403),
        ("192.0.2.7, 10.1.2.3", 200),
        ("10.1.2.3, 10.9.0.1", 200),
        ("10.1.2.3:4711", 200),
        ("rubbish", 403),
    ):
        assert status("POST", "/v1/chat/completions", chat, forwarded) == wanted, forwarded
        assert status("GET", "/key/list", None, forwarded) == wanted, forwarded
        assert (status("GET", "/login", None, forwarded) == 403) == (wanted == 403), forwarded
    assert status("GET", "/health/liveliness") == 200


def test_a_key_may_be_for_some_addresses_and_routes_only(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream.url)]})
    here = gateway.new_key(metadata={"allowed_ips": ["127.0.0.0/8"]})
    away = gateway.new_key(metadata={"allowed_ips": ["192.0.2.0/24"]})
    misspelt = gateway.new_key(metadata={"allowed_ips": ["everywhere"]})
    assert [gateway.chat("fast", key=key).status for key in (here, away, misspelt)] == [200, 403, 403]
    assert [gateway.http("GET", "/key/info", key=key).status for key in (here, away, misspelt)] == [200, 403, 403]
    chats = gateway.new_key(allowed_routes=["/v1/chat/completions"])
    group = gateway.new_key(allowed_routes=["llm_api_routes"])
    info = gateway.new_key(allowed_routes=["info_routes"])
    assert [gateway.chat("fast", key=key).status for key in (chats, group, info)] == [200, 200, 403]
    assert [gateway.http("GET", "/v1/models", key=key).status for key in (chats, group, info)] == [403, 200, 200]
    embedding = {"model": "fast", "input": "x"}
    statuses = [gateway.http("POST", "/v1/embeddings", embedding, key=key).status for key in (chats, group, info)]
    assert statuses == [403, 200, 403]
    # The same route by another of its paths is the same route.
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
    assert gateway.http("POST", "/openai/deployments/fast/chat/completions", body, key=chats).status == 200
    assert gateway.http("POST", "/v1/chat/completions?/v1/models", body, key=info).status == 403


def test_the_rules_about_addresses_are_reloaded(launch: Launch, upstream: FakeOpenAI) -> None:
    models = [openai_entry("fast", upstream.url)]
    gateway = launch({"model_list": models})
    assert gateway.chat("fast").status == 200
    gateway.write_config({"model_list": models, "general_settings": {"allowed_ips": ["192.0.2.1"]}})
    eventually(lambda: gateway.chat("fast").status == 403, "the new rule holds")
    gateway.write_config({"model_list": models, "general_settings": {"allowed_ips": ["not an address"]}})
    eventually(lambda: "allowed_ips" in gateway.output(), "the mistake is told")
    assert gateway.chat("fast").status == 403
