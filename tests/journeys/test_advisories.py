"""What went wrong elsewhere is tried here: every published advisory about gateways like this one, and who tests it.

``ADVISORIES`` has each of them with the tests that replay it, here or where the matter is tested anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.upstreams import FakeOpenAI, Reply
from tests.upstreams.identity_server import FakeIdentity

ADVISORIES: Mapping[str, tuple[str, ...]] = {
    "PYSEC-2026-2 MAL-2026-2144 (a stolen token, code that runs at every start of Python)": (
        "house/test_wheel.py::test_it_holds_nothing_but_the_package_and_its_metadata",
        "house/test_wheel.py::test_it_asks_for_few_packages",
        "house/test_imports_alone.py::test_importing_the_package_loads_nothing_else_and_is_quick",
        "house/test_locks.py::test_every_pin_has_a_hash_and_no_place",
        "journeys/test_one_command.py::test_it_needs_no_connection_to_anywhere",
    ),
    "CVE-2026-42208 GHSA-r75f-5x8p-qvmc (SQL in the bearer token)": (
        "journeys/test_advisories.py::test_a_key_is_never_a_part_of_a_statement",
        "house/test_sql_has_parameters.py::test_no_statement_is_put_together_from_strings",
    ),
    "CVE-2025-45809 SNYK-PYTHON-LITELLM-10598343, CVE-2024-5225 GHSA-h6m6-jj8v-94jj (SQL in queries)": (
        "journeys/test_advisories.py::test_what_is_searched_for_is_never_a_part_of_a_statement",
    ),
    "CVE-2026-49468 GHSA-4xpc-pv4p-pm3w, CVE-2026-48710 BadHost (the Host header chooses the route that is checked)": (
        "journeys/test_advisories.py::test_the_host_header_opens_nothing",
        "unit/admin/test_authority.py::test_a_route_lets_in_whom_its_scope_names",
    ),
    "CVE-2026-42271 GHSA-v4p8-mg3p-g94g, CVE-2026-30623 (a connection test that starts a command)": (
        "journeys/test_advisories.py::test_nobody_starts_a_program_over_http",
        "house/test_no_dynamic_code.py::test_nothing_that_serves_runs_code_or_processes",
    ),
    "CVE-2026-59822 GHSA-7488-6r32-c95q (a failed check leaves an empty identity)": (
        "journeys/test_advisories.py::test_a_check_that_fails_leaves_nobody",
        "journeys/test_signed_tokens.py::test_a_token_that_proves_nothing_lets_nobody_in",
    ),
    "CVE-2026-47101 GHSA-qrc4-49gv-mv9m, CVE-2026-47102, CVE-2026-40217 (rights that one gives oneself)": (
        "journeys/test_advisories.py::test_nobody_gives_themselves_rights",
        "unit/admin/test_guarding.py::test_nobody_gives_away_more_routes_than_they_have",
    ),
    "CVE-2026-35029 (any key changes the configuration and reads the environment)": (
        "journeys/test_advisories.py::test_no_request_changes_the_configuration_or_reads_the_environment",
    ),
    "CVE-2026-35030 GHSA-jjhc-v7c2-5hh6 (tokens that begin alike are taken for one another)": (
        "journeys/test_signed_tokens.py::test_tokens_that_begin_alike_are_told_apart",
        "journeys/test_signed_tokens.py::test_a_token_is_no_key_and_a_key_no_token",
    ),
    "GHSA-69x8-hrgq-fjj8 (a password's hash is shown, and accepted as the password)": (
        "journeys/test_advisories.py::test_a_digest_is_neither_shown_nor_taken_for_what_it_is_of",
    ),
    "CVE-2026-42203 GHSA-xqmj-j6mv-4862 CVE-2026-37004, CVE-2024-2952 GHSA-46cm-pfwv-cgf8 (templates)": (
        "journeys/test_advisories.py::test_templates_in_prompts_stay_texts",
    ),
    "CVE-2024-4264 GHSA-7ggm-4rjg-594w, CVE-2024-5751 GHSA-gppg-gqw8-wh9g (eval)": (
        "house/test_no_dynamic_code.py::test_nothing_that_serves_runs_code_or_processes",
        "journeys/test_advisories.py::test_no_request_changes_the_configuration_or_reads_the_environment",
    ),
    "CVE-2024-6587 GHSA-g26j-5385-hhw3 (a client's api_base is sent our key)": (
        "journeys/test_advisories.py::test_a_client_cannot_say_where_its_request_goes",
    ),
    "CVE-2024-4888 GHSA-3xr8-qfvj-9p9j (the name of an upload removes a file)": (
        "journeys/test_advisories.py::test_the_name_of_an_upload_touches_no_file",
    ),
    "CVE-2024-8984 GHSA-fh2c-86xm-pm2x (a form without end from nobody)": (
        "journeys/test_bad_input.py::test_a_large_body_without_a_key_is_refused_before_it_is_read",
        "journeys/test_advisories.py::test_a_strangers_form_is_not_read",
    ),
    "CVE-2024-9606, CVE-2025-11203 (keys in logs, health and traces)": (
        "journeys/test_secrets_stay.py::test_no_secret_is_said_or_written",
        "journeys/test_secrets_stay.py::test_a_virtual_key_is_kept_as_its_digest_only",
        "journeys/test_sign_in.py::test_only_the_digest_of_a_session_is_stored",
    ),
    "CVE-2026-12773, CVE-2026-12796, CVE-2026-12797, CVE-2026-12799, CVE-2025-0628 (access checked by halves)": (
        "journeys/test_advisories.py::test_a_restriction_holds_whatever_header_and_path_the_key_comes_by",
        "journeys/test_sign_in.py::test_a_session_ends_when_its_owner_signs_out",
        "unit/admin/test_authority.py::test_a_route_lets_in_whom_its_scope_names",
    ),
    "GHSA-6qr3-3g89-m4jj, GHSA-qqcv-vg9f-5rr3 (others' keys, by their ids)": (
        "journeys/test_advisories.py::test_a_key_sees_no_other_key",
    ),
    "CVE-2026-25591 of new-api (% in a search)": (
        "journeys/test_advisories.py::test_what_is_searched_for_is_never_a_part_of_a_statement",
    ),
    "CVE-2026-41432 of new-api (an empty secret is a secret)": (
        "journeys/test_advisories.py::test_an_empty_master_key_is_none",
    ),
    "one-api 2387, 2388; CVE-2025-6242 of vLLM (addresses of pictures lead inside)": (
        "unit/providers/test_media.py::test_the_machine_and_its_network_are_out_of_reach",
        "journeys/test_ollama_knobs.py::test_an_image_that_must_not_or_cannot_be_fetched_is_a_400",
    ),
    "CVE-2026-45339 of Open WebUI (a restriction on one of two headers)": (
        "journeys/test_advisories.py::test_a_restriction_holds_whatever_header_and_path_the_key_comes_by",
    ),
    "CVE-2026-45349, CVE-2026-45671 of Open WebUI (others' objects)": (
        "journeys/test_advisories.py::test_a_key_sees_no_other_key",
    ),
    "CVE-2026-7482 of Ollama (models made and pushed by anybody)": (
        "journeys/test_advisories.py::test_models_on_hosts_are_managed_by_nobody_who_may_not",
    ),
    "exposure (an address of the internet without a key)": (
        "journeys/test_one_command.py::test_a_public_address_without_a_key_is_refused_with_the_reason",
    ),
}
"""Not among them, since there is nothing of the kind here: CVE-2026-42248 and CVE-2026-42249 (Ollama's own updater)."""

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("advisory", ADVISORIES)
def test_the_tests_of_an_advisory_are_there(advisory: str) -> None:
    for place in ADVISORIES[advisory]:
        path, _, name = place.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (TESTS / path).read_text(), re.MULTILINE), place


# -- SQL -------------------------------------------------------------------------------------------------------

INJECTIONS = (
    "' OR '1'='1",
    "'; DROP TABLE keys; --",
    '" OR ""="',
    "sk-' UNION SELECT token FROM keys --",
    "%",
    "_%_%_%_%_%_%",
)


@pytest.fixture(scope="module")
def scene() -> Iterator[tuple[Gateway, FakeOpenAI]]:
    with FakeOpenAI() as upstream, Gateway.start({"model_list": [openai_entry("fast", upstream.url)]}) as gateway:
        yield gateway, upstream


Scene = tuple[Gateway, FakeOpenAI]


@pytest.mark.parametrize("key", INJECTIONS)
def test_a_key_is_never_a_part_of_a_statement(scene: Scene, key: str) -> None:
    gateway, _ = scene
    for header in ("Authorization", "x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"):
        value = f"Bearer {key}" if header == "Authorization" else key
        assert gateway.http("GET", "/v1/models", key="", headers={header: value}).status == 401
    assert gateway.http("POST", "/v2/login", {"username": key, "password": key}, key="").status == 401
    session = {"Cookie": f"pointsman_session=ps-{key.replace(';', '')}"}
    assert gateway.http("GET", "/session", key="", headers=session).status == 401


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_searched_for_is_never_a_part_of_a_statement(scene: Scene, text: str) -> None:
    gateway, _ = scene
    gateway.http("POST", "/team/new", {"team_id": "searched-team", "team_alias": "searched-alias"})
    person = {"user_id": "searched-user", "user_email": "searched@example.com", "auto_create_key": False}
    gateway.http("POST", "/user/new", person)
    gateway.new_key(user_id="searched-user", team_id="searched-team")
    quoted = "".join(f"%{byte:02x}" for byte in text.encode())
    for name in ("api_key", "user_id", "request_id"):
        answer = gateway.http("GET", f"/spend/logs?{name}={quoted}")
        assert (answer.status, answer.body) in {(200, b"[]"), (404, answer.body)}, (name, answer.body)
    for name in ("key_alias", "user_id", "team_id", "key_hash"):
        for also in ("", "&substring_matching=true"):
            answer = gateway.http("GET", f"/key/list?{name}={quoted}{also}")
            assert answer.status == 200
            assert answer.json()["total_count"] == 0, (name, also)
    for path in ("/key/list?search=", "/user/list?user_email=", "/user/list?user_ids=", "/audit?object_id="):
        answer = gateway.http("GET", f"{path}{quoted}")
        assert answer.status == 200
        assert answer.json().get("total_count", answer.json().get("total")) == 0, path
    assert gateway.http("GET", f"/v2/team/list?team_alias={quoted}").json()["teams"] == []
    assert gateway.http("GET", f"/team/filter/ui?team_alias={quoted}").json() == []
    for name in ("sort_by", "sort_order"):
        assert gateway.http("GET", f"/key/list?{name}={quoted}").status == 400
    for path in ("/key/list?user_id=SEARCHED&substring_matching=true", "/user/list?user_email=SEARCHED"):
        found = gateway.http("GET", path).json()
        assert found.get("total_count", found.get("total")) > 0, "what does occur is found"


# -- who is asked for what -------------------------------------------------------------------------------------

HOSTS = ("x/#@y", "x/health/liveliness?", "127.0.0.1/docs#", "[::1", "a b", "localhost\\@evil", "")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("target", ["/key/generate", "http://x/health/liveliness?/key/generate", "//health/liveliness"])
def test_the_host_header_opens_nothing(scene: Scene, host: str, target: str) -> None:
    gateway, _ = scene
    answer = gateway.raw(
        f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        "Connection: close\r\n\r\n{}".encode()
    )
    assert int(answer.split(b" ", 2)[1]) in {400, 401, 404, 405}, answer
    assert b'"key"' not in answer


def test_nobody_starts_a_program_over_http(scene: Scene) -> None:
    gateway, _ = scene
    body = {"server_name": "x", "transport": "stdio", "command": "touch", "args": ["/tmp/owned"]}
    for path in ("/mcp-rest/test/connection", "/mcp-rest/test/tools/list", "/v1/mcp/server"):
        assert gateway.http("POST", path, body).status in {404, 405}


def test_a_check_that_fails_leaves_nobody(scene: Scene) -> None:
    gateway, _ = scene
    routes = gateway.http("GET", "/routes").json()["routes"]
    assert all(route["scope"] for route in routes)
    for credential in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic YWRtaW46"}, {"Cookie": "token=x"}):
        for route in routes:
            if route["scope"] == "public":
                continue
            path = re.sub(r"\{[^}]*\}", "x", route["path"])
            answer = gateway.http(route["method"], path, key="", headers=credential)
            assert answer.status == 401, (route, credential)


def test_nobody_gives_themselves_rights(launch: Launch) -> None:
    with FakeIdentity() as provider:
        entry = {"name": "company", "issuer": provider.issuer, "client_id": "gateway", "client_secret": "client-secret"}
        gateway = launch({"pointsman": {"sign_in": {"providers": [entry], "default_role": "internal_user"}}})
        person = Browser(gateway.url.removesuffix("/v1"))
        person.follow("/sso/key/generate")
        assert person.session()["user_role"] == "internal_user"
        key = gateway.new_key(user_id="alice-1")
        wishes: list[tuple[str, dict[str, Any]]] = [
            ("/user/update", {"user_id": "alice-1", "user_role": "proxy_admin"}),
            ("/user/new", {"user_id": "other", "user_role": "proxy_admin"}),
            ("/key/update", {"key": key, "allowed_routes": ["/*"], "user_id": "default_user_id"}),
            ("/key/generate", {"user_id": "default_user_id", "allowed_routes": ["/*"], "user_role": "proxy_admin"}),
            ("/invitation/new", {"user_id": "alice-1"}),
        ]
        for path, body in wishes:
            for answer in (person.ask("POST", path, body), gateway.http("POST", path, body, key=key)):
                assert answer.status in {400, 403, 404}, (path, answer.body)
        assert person.session()["user_role"] == "internal_user"
        assert person.ask("GET", "/global/spend").status == 403


def test_no_request_changes_the_configuration_or_reads_the_environment(scene: Scene) -> None:
    gateway, _ = scene
    key = gateway.new_key()
    for path in ("/config/update", "/config/yaml", "/config/field/update", "/get/config/callbacks"):
        for bearer in (key, None):
            answer = gateway.http("POST", path, {"environment_variables": {"X": "1"}}, key=bearer)
            assert answer.status in {403, 404, 405} or answer.json()["error"]["code"] == "config_is_the_file", path
    said = "os.environ/POINTSMAN_MASTER_KEY"
    made = gateway.http("POST", "/key/generate", {"metadata": {"x": said}, "key_alias": said}).json()
    assert made["metadata"] == {"x": said}
    assert MASTER_KEY not in gateway.http("GET", f"/key/info?key={made['key']}").body.decode()
    stored = {"model_name": "x", "litellm_params": {"model": "openai/x", "api_key": said}}
    values = {"credential_name": "x", "credential_values": {"api_key": said}}
    for path, body in (("/model/new", stored), ("/credentials", values)):
        assert gateway.http("POST", path, body).status == 400, "only the file may refer to the environment"
    answer = gateway.chat("__import__('os').environ")
    assert answer.status in {400, 404}


def test_a_digest_is_neither_shown_nor_taken_for_what_it_is_of(launch: Launch) -> None:
    with FakeIdentity() as provider:
        entry = {"name": "company", "issuer": provider.issuer, "client_id": "gateway", "client_secret": "client-secret"}
        gateway = launch({"pointsman": {"sign_in": {"providers": [entry]}}})
        person = Browser(gateway.url.removesuffix("/v1"))
        person.follow("/sso/key/generate")
        person.session()
        change = {"current_password": "x", "new_password": "correct horse battery"}
        assert person.ask("POST", "/user/password/change", change).status == 403
        link = gateway.http("POST", "/invitation/new", {"user_id": "alice-1"}).json()["id"]
        claim = {"invitation_link": link, "user_id": "alice-1", "password": "correct horse battery"}
        assert gateway.http("POST", "/onboarding/claim_token", claim, key="").status == 200
        person.follow("/sso/key/generate")
        for path in ("/session", "/sessions", "/user/info?user_id=alice-1", "/user/list"):
            for shown in (person.ask("GET", path), gateway.http("GET", path)):
                assert b"argon2" not in shown.body and b"battery" not in shown.body
        gateway.stop()
        stored = b"".join(path.read_bytes() for path in gateway.data_dir.rglob("*.db*"))
        (digest, *_) = re.findall(rb"\$argon2id\$[A-Za-z0-9+/=,$]+", stored)
        assert b"correct horse battery" not in stored
        gateway.restart()
        login = {"username": "alice-1", "password": digest.decode()}
        assert gateway.http("POST", "/v2/login", login, key="").status == 401
        login["password"] = "correct horse battery"
        assert gateway.http("POST", "/v2/login", login, key="").status == 200


# -- what requests carry ---------------------------------------------------------------------------------------


def test_templates_in_prompts_stay_texts(scene: Scene) -> None:
    gateway, upstream = scene
    text = "{{ 7 * 7 }} {% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %} ${7*7}"
    upstream.forget()
    assert gateway.chat("fast", text).status == 200
    assert upstream.inference[-1].json()["messages"][0]["content"] == text
    assert gateway.http("POST", "/prompts/test", {"dotprompt_content": text}).status in {404, 405}


def test_a_client_cannot_say_where_its_request_goes(scene: Scene) -> None:
    gateway, upstream = scene
    with FakeOpenAI() as evil:
        wishes: tuple[dict[str, Any], ...] = (
            {"api_base": evil.url}, {"base_url": evil.url}, {"api_key": "sk-x", "api_base": evil.url},
            {"litellm_params": {"api_base": evil.url}}, {"extra_headers": {"Host": "evil"}}, {"user_config": {}},
            {"fallbacks": [{"model": "fast", "api_base": evil.url}]}, {"metadata": {"api_base": evil.url}},
        )  # fmt: skip
        for fields in wishes:
            upstream.forget()
            answers = [
                gateway.chat("fast", **fields),
                gateway.http("POST", "/v1/embeddings", {"model": "fast", "input": "x", **fields}),
                gateway.http("POST", "/v1/messages", {
                    "model": "fast", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5, **fields,
                }),
            ]  # fmt: skip
            assert {answer.status for answer in answers} <= {200, 400}
            assert len(upstream.inference) == sum(answer.status == 200 for answer in answers)
            assert all(request.header("authorization") == "Bearer sk-up" for request in upstream.inference)
            assert all(str(request.header("host")) in upstream.url for request in upstream.inference)
        assert evil.requests == []


def test_the_name_of_an_upload_touches_no_file(scene: Scene, tmp_path: Path) -> None:
    gateway, upstream = scene
    victim = tmp_path / "precious.mp3"
    victim.write_bytes(b"precious")
    form = (
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nfast\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + str(victim).encode() + b'"\r\n'
        b"Content-Type: audio/mpeg\r\n\r\nother\r\n--b--\r\n"
    )
    upstream.forget()
    upstream.script(Reply.json({"text": "heard"}))
    answer = gateway.http(
        "POST", "/v1/audio/transcriptions", form, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )  # fmt: skip
    assert (answer.status, answer.json()["text"]) == (200, "heard")
    assert b"other" in upstream.requests[-1].body
    assert victim.read_bytes() == b"precious"


def test_a_strangers_form_is_not_read(scene: Scene) -> None:
    gateway, _ = scene
    for boundary in ("b", "-" * 60_000):
        head = (
            "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 31457280\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n"
        )
        assert gateway.raw(head.encode()).split(b" ", 2)[1] == b"401"


def test_a_restriction_holds_whatever_header_and_path_the_key_comes_by(scene: Scene) -> None:
    """The same requests with a key that may are answered, so that it is the restriction that refuses the others."""
    gateway, upstream = scene
    of_model, of_route = gateway.new_key(models=["another"]), gateway.new_key(allowed_routes=["/v1/embeddings"])
    free = gateway.new_key()
    body = {
        "model": "fast", "messages": [{"role": "user", "content": "hello"}], "prompt": "hello", "input": "hello",
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}], "max_tokens": 5,
    }  # fmt: skip
    wanted = {
        "/v1/chat/completions": "messages", "/chat/completions": "messages", "/v1/messages": "messages",
        "/openai/deployments/fast/chat/completions": "messages", "/engines/fast/chat/completions": "messages",
        "/openai/v1/chat/completions": "messages", "/v1/completions": "prompt", "/v1/responses": "input",
        "/api/chat": "messages", "/v1beta/models/fast:generateContent": "contents",
    }  # fmt: skip
    for header in ("Authorization", "x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"):
        for path, part in wanted.items():
            fields = {"model", part} | ({"max_tokens"} if path == "/v1/messages" else set())
            said = {name: value for name, value in body.items() if name in fields and part != "contents"}
            said = said or {"contents": body["contents"]}
            upstream.forget()
            for key, expected in ((of_model, {403}), (of_route, {403}), (free, {200})):
                value = f"Bearer {key}" if header == "Authorization" else key
                answer = gateway.http("POST", path, {**said, "stream": False} if path == "/api/chat" else said,
                                      key="", headers={header: value})  # fmt: skip
                assert answer.status in expected, (header, path, answer.body)
            assert len(upstream.inference) == 1, "that of the key that may"
    refused = gateway.http("POST", "/v1/embeddings", {"model": "fast", "input": "x"}, key=of_model)
    assert refused.status == 403


def test_a_key_sees_no_other_key(scene: Scene) -> None:
    gateway, _ = scene
    mine, theirs = gateway.new_key(), gateway.new_key(key_alias="theirs", metadata={"secret": "theirs-only"})
    token = gateway.http("GET", f"/key/info?key={theirs}").json()["key"]
    for other in (theirs, token, "no-such-key"):
        refused = gateway.http("GET", f"/key/info?key={other}", key=mine)
        assert refused.status == 403
        assert gateway.http("GET", f"/spend/logs?api_key={other}", key=mine).status == 403
    listed = gateway.http("GET", "/key/list?return_full_object=true", key=mine)
    assert b"theirs-only" not in listed.body
    for path, body in (
        ("/key/update", {"key": theirs, "models": []}), ("/key/delete", {"keys": [theirs]}),
        ("/key/block", {"key": theirs}), ("/key/regenerate", {"key": theirs}), ("/v2/key/info", {"keys": [theirs]}),
    ):  # fmt: skip
        assert gateway.http("POST", path, body, key=mine).status == 403, path
    assert gateway.http("GET", f"/key/info?key={theirs}").status == 200


def test_an_empty_master_key_is_none(launch: Launch) -> None:
    gateway = launch({"general_settings": {"master_key": ""}}, master_key=None, ready=False)
    gateway.spawn()
    assert gateway.wait() != 0
    assert "master_key" in gateway.output()


def test_models_on_hosts_are_managed_by_nobody_who_may_not(scene: Scene) -> None:
    gateway, upstream = scene
    key = gateway.new_key()
    upstream.forget()
    for method, path in (
        ("POST", "/api/create"), ("POST", "/api/push"), ("POST", "/api/pull"), ("POST", "/api/copy"),
        ("DELETE", "/api/delete"), ("POST", "/api/blobs/sha256:0"),
    ):  # fmt: skip
        assert gateway.http(method, path, {"model": "fast"}, key=key).status == 403
        assert gateway.http(method, path, {"model": "fast"}, key="").status == 401
    assert upstream.requests == []
