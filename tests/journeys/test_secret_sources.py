"""Keys that stand in HashiCorp Vault or in files: found at the start, followed when they change, kept in an outage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_vault import FakeVault
from tests.support.gateway import Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

CANARY = "sk-canary-of-the-vault-0123456789"
SECOND = "sk-second-of-the-vault-0123456789"


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with FakeVault() as running:
        running.put("UPSTREAM_KEY", CANARY)
        yield running


def config(upstream: FakeOpenAI, reference: str = "os.environ/UPSTREAM_KEY", **general: Any) -> dict[str, Any]:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": reference}
    return {"model_list": [{"model_name": "a", "litellm_params": params}], "general_settings": general}


def presented(upstream: FakeOpenAI) -> str:
    return (upstream.inference[-1].header("authorization") or "").removeprefix("Bearer ")


def test_a_key_of_the_vault_is_used_followed_and_kept_through_an_outage(
    launch: Launch, upstream: FakeOpenAI, vault: FakeVault
) -> None:
    said = config(upstream, key_management_system="hashicorp_vault")
    gateway = launch(said, env={**vault.environment, "HCP_VAULT_REFRESH_INTERVAL": "1"})
    assert gateway.chat("a").status == 200
    assert presented(upstream) == CANARY
    vault.put("UPSTREAM_KEY", SECOND)

    def follows() -> bool:
        assert gateway.chat("a").status == 200
        return presented(upstream) == SECOND

    eventually(follows, "the changed key is used", 10.0)
    vault.down = True
    eventually(
        lambda: gateway.http("GET", "/health/readiness").json().get("degraded"), "readiness tells of the outage", 15.0
    )
    # A reload in the middle of it keeps what is known.
    gateway.write_config({**said, "litellm_settings": {"drop_params": True}})
    eventually(lambda: gateway.output().count("was reloaded") >= 2, "the file was read again", 10.0)
    assert gateway.chat("a").status == 200
    assert presented(upstream) == SECOND
    vault.down = False
    eventually(lambda: not gateway.http("GET", "/health/readiness").json().get("degraded"), "it is over", 25.0)
    assert CANARY not in gateway.output() and SECOND not in gateway.output() and vault.token not in gateway.output()


def test_a_missing_secret_keeps_it_from_starting_and_is_told_with_its_path(
    launch: Launch, upstream: FakeOpenAI, vault: FakeVault
) -> None:
    said = config(upstream, "os.environ/NOT_THERE", key_management_system="hashicorp_vault")
    gateway = launch(said, env=vault.environment, ready=False)
    gateway.spawn()
    assert gateway.wait(15) == 2
    output = gateway.output().replace("\n", " ")
    assert "model_list[0].litellm_params.api_key" in output
    assert "secret/data/NOT_THERE" in output


def test_a_key_in_a_file_is_followed(launch: Launch, upstream: FakeOpenAI, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(CANARY + "\n")
    gateway = launch(config(upstream, f"file://{file}"))
    assert gateway.chat("a").status == 200
    assert presented(upstream) == CANARY
    file.write_text(SECOND + "\n")

    def follows() -> bool:
        assert gateway.chat("a").status == 200
        return presented(upstream) == SECOND

    eventually(follows, "the changed key is used", 5.0)
