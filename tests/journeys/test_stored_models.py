"""Models that are added at run time: served at once and everywhere, encrypted, and never in place of the file's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pointsman.cli.main import cli
from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.servers import PostgresServer
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Reply

CANARY = "sk-canary-of-a-stored-model-0123456789"


@pytest.fixture
def gateway(launch: Launch, upstream: FakeOpenAI) -> Gateway:
    return launch({"model_list": [openai_entry("filed", upstream, {"id": "filed-1"})]})


def new(gateway: Gateway, upstream: FakeOpenAI, name: str = "stored", **changes: Any) -> dict[str, Any]:
    params = {"model": "openai/some-model", "api_base": upstream.base_url, "api_key": CANARY, **changes}
    answer = gateway.http("POST", "/model/new", {"model_name": name, "litellm_params": params})
    assert answer.status == 200, answer.body
    row: dict[str, Any] = answer.json()
    return row


def kept(gateway: Gateway) -> Iterator[bytes]:
    """Everything that the gateway has written, and printed."""
    for path in sorted(Path(gateway.data_dir).rglob("*")):
        if path.is_file():
            yield path.read_bytes()
    yield gateway.output().encode()


def info(gateway: Gateway, identity: str) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = gateway.http("GET", "/model/info").json()["data"]
    return next((row for row in rows if row["model_info"]["id"] == identity), None)


def test_a_stored_model_is_served_from_then_on_and_after_a_restart(gateway: Gateway, upstream: FakeOpenAI) -> None:
    row = new(gateway, upstream)
    identity = row["model_id"]
    assert row["litellm_params"]["api_key"] == "sk****89"
    assert row["model_info"]["db_model"] is True
    answer = gateway.chat("stored")
    assert answer.status == 200
    assert answer.headers["x-litellm-model-id"] == identity
    assert upstream.inference[-1].header("authorization") == f"Bearer {CANARY}"
    shown = info(gateway, identity)
    assert shown is not None and shown["model_info"]["db_model"] is True
    filed = info(gateway, "filed-1")
    assert filed is not None and filed["model_info"]["db_model"] is False
    gateway.restart()
    assert gateway.chat("stored").headers["x-litellm-model-id"] == identity


def test_its_key_is_nowhere_in_plain_text(gateway: Gateway, upstream: FakeOpenAI) -> None:
    row = new(gateway, upstream, extra_headers={"X-Secret": CANARY + "-header"})
    gateway.http("POST", "/model/update", {"model_info": {"id": row["model_id"]}, "litellm_params": {"rpm": 7}})
    told = [
        gateway.http("GET", path).body
        for path in ("/model/info", "/credentials/by_model/" + row["model_id"], "/audit", "/audit/export",
                     "/config/diff", "/audit/export?format=csv", "/health", "/metrics")
    ]  # fmt: skip
    upstream.script(Reply.error(401))
    told.append(gateway.chat("stored").body)
    told.append(gateway.http("POST", "/model/delete", {"id": row["model_id"]}).body)
    told += kept(gateway)
    assert not [text[:200] for text in told if CANARY.encode() in text]


def test_a_model_is_changed_blocked_and_deleted(gateway: Gateway, upstream: FakeOpenAI) -> None:
    identity = new(gateway, upstream)["model_id"]
    body = {
        "litellm_params": {"model": "openai/other-model", "api_key": None, "rpm": 70},
        "model_info": {"note": "mine"},
    }
    patched = gateway.http("PATCH", f"/model/{identity}/update", body)
    assert patched.status == 200, patched.body
    assert gateway.chat("stored").status == 200
    assert upstream.inference[-1].json()["model"] == "other-model"
    assert upstream.inference[-1].header("authorization") == f"Bearer {CANARY}"
    shown = info(gateway, identity)
    assert shown is not None and shown["model_info"]["note"] == "mine"
    removed = gateway.http("PATCH", f"/model/{identity}/update", {"litellm_params_to_remove": ["rpm"]})
    assert "rpm" not in removed.json()["litellm_params"]
    # What a form shows in place of the key, and sends back, changes nothing.
    gateway.http("PATCH", f"/model/{identity}/update", {"litellm_params": {"api_key": "sk****89"}})
    gateway.chat("stored")
    assert upstream.inference[-1].header("authorization") == f"Bearer {CANARY}"
    assert gateway.http("POST", "/model/block", {"model_id": identity}).json()["blocked"] is True
    assert gateway.chat("stored").status == 400
    assert gateway.http("POST", "/model/unblock", {"model_id": identity}).status == 200
    assert gateway.chat("stored").status == 200
    renamed = gateway.http("POST", "/model/update", {"model_name": "renamed", "model_info": {"id": identity}})
    assert renamed.status == 200, renamed.body
    assert (gateway.chat("renamed").status, gateway.chat("stored").status) == (200, 400)
    deleted = gateway.http("POST", "/model/delete", {"id": identity})
    assert deleted.json() == {"message": f"Model: {identity} deleted successfully"}
    assert gateway.chat("renamed").status == 400
    assert gateway.http("POST", "/model/delete", {"id": identity}).status == 404


def test_a_stored_model_joins_the_group_of_a_name(gateway: Gateway, upstream: FakeOpenAI) -> None:
    identity = new(gateway, upstream, name="filed")["model_id"]
    used = {gateway.chat("filed", text=str(number)).headers["x-litellm-model-id"] for number in range(60)}
    assert used == {"filed-1", identity}


def test_names_cannot_have_control_characters(gateway: Gateway, upstream: FakeOpenAI) -> None:
    params = {"model": "openai/x", "api_base": upstream.base_url}
    evil = "x\n12:00:00 ERROR forged"
    for path, body in (
        ("/model/new", {"model_name": evil, "litellm_params": params}),
        ("/model/new", {"model_name": "x", "litellm_params": params, "model_info": {"id": evil}}),
        ("/credentials", {"credential_name": evil, "credential_values": {"api_key": "k"}}),
    ):
        assert gateway.http("POST", path, body).status == 400, path
    assert "forged" not in gateway.output()


def test_the_files_models_are_not_changed(gateway: Gateway, upstream: FakeOpenAI) -> None:
    update = {"model_info": {"id": "filed-1"}, "litellm_params": {"api_base": "http://127.0.0.1:9/v1"}}
    for method, path, body in (
        ("POST", "/model/update", update),
        ("PATCH", "/model/filed-1/update", {"litellm_params": {"rpm": 1}}),
        ("POST", "/model/delete", {"id": "filed-1"}),
        ("POST", "/model/block", {"model_id": "filed-1"}),
    ):
        answer = gateway.http(method, path, body)
        assert answer.status == 400, answer.body
        assert answer.error["code"] == "model_in_config"
    again = {
        "model_name": "x",
        "litellm_params": {"model": "openai/x", "api_key": "k"},
        "model_info": {"id": "filed-1"},
    }
    assert gateway.http("POST", "/model/new", again).status == 400
    assert gateway.chat("filed").status == 200


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"model": "openai/x", "rpm": "many"}, "litellm_params.rpm"),
        ({"api_key": "k"}, "litellm_params"),
        ({"model": "openai/x", "api_base": "ftp://somewhere"}, "litellm_params.api_base"),
        ({"model": "openai/x", "api_key": "os.environ/PATH"}, "litellm_params.api_key"),
        ({"model": "openai/x", "api_key": "file:///etc/passwd"}, "litellm_params.api_key"),
        ({"model": "no_such_provider/x"}, "litellm_params"),
        ({"model": "openai/x", "litellm_credential_name": "nobody"}, "litellm_params.litellm_credential_name"),
    ],
)
def test_what_the_file_could_not_say_is_refused_with_its_field(
    shared: tuple[Gateway, FakeOpenAI], params: dict[str, Any], param: str
) -> None:
    gateway, _ = shared
    answer = gateway.http("POST", "/model/new", {"model_name": "bad", "litellm_params": params})
    assert answer.status == 400, answer.body
    assert answer.error["param"] == param
    assert gateway.chat("bad").status == 400


def test_only_an_administrator_adds_models(shared: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = shared
    key = gateway.new_key()
    body = {"model_name": "mine", "litellm_params": {"model": "openai/x", "api_base": "http://169.254.169.254/v1"}}
    assert gateway.http("POST", "/model/new", body, key=key).status == 403
    assert gateway.http("GET", "/credentials", key=key).status == 403
    assert gateway.http("POST", "/model/new", body, key="").status == 401


def test_all_workers_serve_it_within_two_seconds(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("filed", upstream)]}, args=["--workers", "3"])
    new(gateway, upstream)

    def everywhere() -> bool:
        return all(gateway.chat("stored").status == 200 for _ in range(24))

    eventually(everywhere, "every worker serves the model", 3.0)


def test_a_reload_of_the_file_keeps_what_is_stored(gateway: Gateway, upstream: FakeOpenAI) -> None:
    identity = new(gateway, upstream)["model_id"]
    gateway.write_config({"model_list": [openai_entry("other", upstream)]})
    eventually(lambda: gateway.chat("other").status == 200, "the file was read again", 5.0)
    assert gateway.chat("stored").headers["x-litellm-model-id"] == identity
    # The file takes the id: the file is the truth.
    gateway.write_config({"model_list": [openai_entry("taken", upstream, {"id": identity})]})
    eventually(lambda: gateway.chat("taken").status == 200, "the file was read again", 5.0)
    assert gateway.chat("stored").status == 400
    difference = gateway.http("GET", "/config/diff").json()
    assert [row["id"] for row in difference["left_out"]] == [identity]


def test_the_difference_to_the_file_is_told(gateway: Gateway, upstream: FakeOpenAI) -> None:
    identity = new(gateway, upstream, name="filed")["model_id"]
    difference = gateway.http("GET", "/config/diff").json()
    assert difference["in_force"] is True
    assert difference["stored_models"] == [
        {
            "model_id": identity,
            "model_name": "filed",
            "model": "openai/some-model",
            "joins": True,
            "blocked": False,
        }
    ]
    gateway.write_config("model_list: [{")
    eventually(lambda: not gateway.http("GET", "/config/diff").json()["in_force"], "the edit is refused", 5.0)
    assert "not YAML" in gateway.http("GET", "/config/diff").json()["refused_edit"]
    assert gateway.chat("filed").status == 200


def test_nothing_is_stored_or_served_where_the_operator_does_not_want_it(launch: Launch, upstream: FakeOpenAI) -> None:
    off = {"model_list": [openai_entry("filed", upstream)], "general_settings": {"store_model_in_db": False}}
    gateway = launch(off)
    body = {"model_name": "x", "litellm_params": {"model": "openai/x", "api_key": "k"}}
    answer = gateway.http("POST", "/model/new", body)
    assert (answer.status, answer.error["code"]) == (400, "store_model_in_db_off")
    gateway.write_config({**off, "general_settings": {"store_model_in_db": True}})
    eventually(lambda: gateway.http("POST", "/model/new", body).status == 200, "the file was read again", 5.0)
    new(gateway, upstream)
    assert gateway.chat("stored").status == 200
    gateway.write_config(off)
    eventually(lambda: gateway.chat("stored").status == 400, "what is stored is no longer served", 5.0)
    gateway.write_config({**off, "general_settings": {"store_model_in_db": True}})
    eventually(lambda: gateway.chat("stored").status == 200, "it is served again", 5.0)


def test_a_lost_key_is_told_and_nothing_is_overwritten(gateway: Gateway, upstream: FakeOpenAI) -> None:
    identity = new(gateway, upstream)["model_id"]
    key_file = gateway.data_dir / "secret.key"
    key = key_file.read_bytes()
    gateway.stop()
    key_file.unlink()
    gateway.launch()
    assert gateway.chat("filed").status == 200
    assert gateway.chat("stored").status == 400
    assert "was encrypted with the key" in gateway.http("GET", "/config/diff").json()["left_out"][0]["reason"]
    assert gateway.http("PATCH", f"/model/{identity}/update", {"litellm_params": {"rpm": 1}}).status == 500
    gateway.stop()
    key_file.write_bytes(key)
    key_file.chmod(0o600)
    gateway.launch()
    assert gateway.chat("stored").status == 200


def test_settings_are_not_changed_over_http(shared: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = shared
    for path in ("/config/update", "/config/field/update"):
        answer = gateway.http("POST", path, {"general_settings": {"master_key": "sk-other"}})
        assert (answer.status, answer.error["code"]) == (400, "config_is_the_file")


def test_the_operators_own_keys_are_sent_to_no_address_that_was_stored(launch: Launch, upstream: FakeOpenAI) -> None:
    config = {
        "model_list": [openai_entry("filed", upstream)],
        "router_settings": {"default_litellm_params": {"api_key": "os.environ/OPERATORS"}},
    }
    operators = "sk-of-the-operator-alone-0123456789"
    gateway = launch(config, env={"OPENAI_API_KEY": operators, "OPERATORS": operators})
    row = new(gateway, upstream, api_key=None)
    assert "api_key" not in row["litellm_params"]
    assert gateway.chat("stored").status == 200
    assert operators not in str(upstream.inference[-1].headers)


def test_replicas_on_one_database_serve_it_within_two_seconds(
    launch: Launch, upstream: FakeOpenAI, postgres: PostgresServer
) -> None:
    env = {"DATABASE_URL": postgres.url(postgres.new_database()), "POINTSMAN_SECRET_KEY": "a-key-of-both-0123456789"}
    config = {"model_list": [openai_entry("filed", upstream)]}
    one, other = launch(config, env=env), launch(config, env=env)
    identity = new(one, upstream)["model_id"]
    eventually(lambda: other.chat("stored").status == 200, "the other replica serves it", 3.0)
    changed = other.http("PATCH", f"/model/{identity}/update", {"model_name": "renamed"})
    assert changed.status == 200, changed.body
    eventually(lambda: one.chat("renamed").status == 200, "the first replica serves the change", 3.0)
    rows = one.http("GET", "/audit?sort_order=asc").json()["audit_logs"]
    assert [(row["action"], row["object_id"], row["outcome"]) for row in rows] == [
        ("created", identity, "done"), ("updated", identity, "done"),
    ]  # fmt: skip
    without = launch(config, env={"DATABASE_URL": env["DATABASE_URL"]})
    assert without.chat("renamed").status == 400
    assert "encrypted with the key" in str(without.http("GET", "/config/diff").json()["left_out"])
    assert without.http("GET", "/health/readiness").json()["degraded"]


def told(gateway: Gateway, *arguments: str) -> tuple[int, str]:
    """What a command says that asks the gateway."""
    asking = ["--url", gateway.url, "--key", gateway.master_key]
    result = CliRunner().invoke(cli, [*arguments, *asking])
    return result.exit_code, result.output


def test_the_command_line_tells_what_differs_from_the_file(gateway: Gateway, upstream: FakeOpenAI) -> None:
    assert "What is served is what the file says." in told(gateway, "config", "diff")[1]
    identity = new(gateway, upstream, name="filed")["model_id"]
    code, output = told(gateway, "config", "diff")
    assert code == 0
    assert f"+ model 'filed' ({identity}) -> openai/some-model: joins models of the file" in output
    assert identity in told(gateway, "config", "diff", "--json")[1]
    result = CliRunner().invoke(cli, ["config", "diff", "--url", gateway.url, "--key", "sk-stranger-0123456789"])
    assert "does not take this key" in str(result.exception)


def test_the_key_is_rotated_while_the_gateway_runs(launch: Launch, upstream: FakeOpenAI) -> None:
    old, fresh = "the-old-key-0123456789", "the-new-key-0123456789"
    gateway = launch({"model_list": [openai_entry("filed", upstream)]}, env={"POINTSMAN_SECRET_KEY": old})
    new(gateway, upstream)
    gateway.http("POST", "/credentials", {"credential_name": "c", "credential_values": {"api_key": CANARY}})
    assert told(gateway, "secrets", "check")[0] == 0
    gateway.stop()
    gateway._env["POINTSMAN_SECRET_KEY"] = f"{fresh},{old}"
    gateway.launch()
    code, output = told(gateway, "secrets", "check")
    assert code == 1 and "still needing another key: 2" in output
    code, output = told(gateway, "secrets", "rotate")
    assert code == 0 and "encrypted anew: 2" in output
    gateway.stop()
    gateway._env["POINTSMAN_SECRET_KEY"] = fresh
    gateway.launch()
    assert gateway.chat("stored").status == 200
    assert upstream.inference[-1].header("authorization") == f"Bearer {CANARY}"
    assert told(gateway, "secrets", "check")[0] == 0
