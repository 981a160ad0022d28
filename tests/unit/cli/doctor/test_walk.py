from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.cli.doctor.practice import Practice
from pointsman.cli.doctor.subjects import Subject, find_subjects
from pointsman.cli.doctor.walk import Patience, Walk, origin_of
from pointsman.config.load import load
from pointsman.core.handling import Handling
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from tests.unit.providers.health.parts import deployment
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, faults
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply


@pytest.fixture
async def practice() -> AsyncIterator[Practice]:
    async with Practice.open(load(None, {})) as made:
        yield made


async def walked(practice: Practice, one: Deployment, **patience: Any) -> dict[str, tuple[str, str, str]]:
    hops = await Walk(practice, Patience(hop_seconds=2.0, **patience)).to_model(Subject(one))
    return {hop.name: (hop.status, hop.told, hop.hint or "") for hop in hops}


class Claiming(FakeOpenAI):
    """Lists one model, as a server of a certain make."""

    owner = ""

    async def answer(self, request: RecordedRequest) -> Reply:
        if request.path == "/v1/models":
            return Reply.json({"object": "list", "data": [{"id": "m", "owned_by": self.owner}]})
        return Reply.error(404, "no such path")


async def test_ollama_behind_its_openai_face_is_warned_of(practice: Practice) -> None:
    with FakeOllama([OllamaModel("m")]) as ollama, Claiming() as host:
        host.owner = "library"
        found = await walked(practice, deployment("openai", "m", host.base_url))
        assert (await walked(practice, deployment("openai", "m", f"{ollama.url}/v1")))["server"][0] == "ok"
    status, told, hint = found["server"]
    assert status == "warning" and "num_ctx" in told
    assert hint == f"Write ollama_chat/m with api_base {host.url}."


async def test_an_ollama_at_the_wrong_path_is_told_its_address(practice: Practice) -> None:
    with Claiming() as host:
        host.owner = "library"
        found = await walked(practice, deployment("ollama_chat", "m", host.base_url, local=True))
    assert found["server"][2] == f"Write api_base {host.url}, since this provider speaks Ollama's own API."


class Silent(FakeOpenAI):
    """Closes every connection without a word, as a server that waits for TLS does."""

    async def answer(self, _request: RecordedRequest) -> Reply:
        return faults.reset_before_head()


async def test_what_may_help_is_said_where_nobody_says_anything(practice: Practice) -> None:
    with Silent() as host:
        found = await walked(practice, deployment("hosted_vllm", "m", host.base_url, local=True))
    assert found["server"][0] == "failed" and "https" in found["server"][2]


async def test_a_load_that_takes_longer_than_the_call_is_told(practice: Practice) -> None:
    with Claiming() as host:
        host.owner = "vllm"
        host.script(faults.stall_before_head())
        one = deployment("hosted_vllm", "m", host.base_url, local=True)
        found = await walked(practice, one, call_seconds=0.3)
    assert found["call"][0] == "failed" and "--call-timeout" in found["call"][2]


async def test_another_make_is_told_by_its_name(practice: Practice) -> None:
    with Claiming() as server:
        server.owner = "vllm"
        right = await walked(practice, deployment("hosted_vllm", "m", server.base_url, local=True))
        assert right["server"][:2] == ("ok", "It is vLLM.")
        wrong = await walked(practice, deployment("ollama_chat", "m", server.url, local=True))
    assert wrong["server"] == (
        "warning", "What answers is vLLM.", f"Write hosted_vllm/m with api_base {server.url}/v1.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("api_base", "warned"),
    [
        ("http://models.example.com/v1", True),
        ("http://8.8.8.8/v1", True),
        ("https://models.example.com/v1", False),
        ("http://192.168.1.7/v1", False),
        ("http://gpu1:8000/v1", False),
        ("http://gpu.local/v1", False),
    ],
)
async def test_a_key_that_everybody_can_read_is_warned_of(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, api_base: str, warned: bool
) -> None:
    async def nothing(*_: object, **__: object) -> tuple[()]:
        return ()

    monkeypatch.setattr("pointsman.cli.doctor.walk.examine", nothing)
    monkeypatch.setattr(Walk, "_look_closer", _as_they_are)
    found = await walked(practice, deployment("openai", "m", api_base, api_key=Secret("k")))
    assert ("encryption" in found) is warned


async def _as_they_are(_walk: Walk, _one: Deployment, hops: tuple[Any, ...]) -> tuple[Any, ...]:
    return hops


async def test_what_cannot_be_called_cheaply_is_not(practice: Practice) -> None:
    with FakeOpenAI(["m"]) as server:
        one = deployment("openai", "m", server.base_url, mode="image_generation")
        found = await walked(practice, one, call_seconds=5.0)
        assert found["call"][0] == "skipped" and server.inference == []


async def test_what_answers_by_itself_is_well_and_nobody_is_asked(practice: Practice) -> None:
    plain = deployment("openai", "m", "")
    mocked = msgspec.structs.replace(plain, handling=Handling(mock_response=msgspec.Raw(b'"Hello"')))
    found = await walked(practice, mocked, call_seconds=5.0)
    assert {name: status for name, (status, _, _) in found.items()} == {"server": "ok", "call": "ok"}


async def test_what_only_the_library_reaches_has_no_origin() -> None:
    assert origin_of(deployment("watsonx_text", "m", "")) is None
    origin = origin_of(deployment("openai", "m", "https://a.example/v1?x=1"))
    assert origin is not None and origin.url == "https://a.example"


async def test_an_entry_that_cannot_be_served_is_a_failure(practice: Practice, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("model_list:\n  - model_name: m\n    litellm_params: {model: nobody/x}\n")
    found = await find_subjects(practice, load(file, {}), file, (), ())
    assert [hop.status for hop in found.hops][-2:] == ["failed", "failed"]
    assert "not supported" in found.hops[-2].told and "There is no model" in found.hops[-1].told
