from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.access import AwsAccess, AzureAccess
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.providers.health import Hop, examine
from tests.unit.providers.health.parts import KEY, Wire, admittance, deployment

OLLAMA = deployment("ollama_chat", "llama3.2", "http://h:11434", api_key=None, local=True)
CLOUD = deployment("groq", "qwen3", "https://api.groq.com/openai/v1")
VLLM = deployment("hosted_vllm", "qwen3", "http://h:8000/v1", api_key=None, local=True)
CLAUDE = deployment("anthropic", "claude-x", "https://api.anthropic.com", key_header="x-api-key")
GEMINI = deployment("gemini", "gemini-x", "https://g.example", key_header="x-goog-api-key")
CARDS = {"data": [{"id": "qwen3", "owned_by": "groq"}]}


async def hops(one: Deployment, wire: Wire) -> tuple[Hop, ...]:
    return await examine(one, wire, admittance(wire), 5.0)


def brief(found: tuple[Hop, ...]) -> str:
    return " ".join(f"{hop.name}:{hop.status}" for hop in found)


@pytest.mark.parametrize(
    ("one", "url", "status", "body", "expected"),
    [
        (OLLAMA, "http://h:11434/api/tags", 200, {"models": [{"name": "llama3.2:latest"}]}, "server:ok model:ok"),
        (OLLAMA, "http://h:11434/api/tags", 200, {"models": None}, "server:ok model:failed"),
        (OLLAMA, "http://h:11434/api/tags", 200, {"models": [{"name": "llama3.2:1b"}]}, "server:ok model:failed"),
        (OLLAMA, "http://h:11434/api/tags", 200, b"<html>", "server:failed"),
        (OLLAMA, "http://h:11434/api/tags", 500, {"error": "broken"}, "server:failed"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 200, CARDS, "credentials:ok server:ok model:ok"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 200, [{"id": "x"}], "credentials:ok server:ok model:warning"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 401, {"error": {"message": KEY}}, "credentials:failed"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 402, {}, "credentials:failed"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 403, {}, "server:ok credentials:warning"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 404, {}, "server:ok"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 429, {}, "server:warning"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 301, b"", "server:failed"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 503, {}, "server:failed"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 418, {}, "server:warning"),
        (CLOUD, "https://api.groq.com/openai/v1/models", 200, b"<html>", "server:failed"),
        (VLLM, "http://h:8000/v1/models", 200, {"data": [{"id": "x", "owned_by": "vllm"}]}, "server:ok model:failed"),
        (VLLM, "http://h:8000/v1/models", 200, {"data": [{"id": "x", "owned_by": "me"}]}, "server:ok model:warning"),
        (CLAUDE, "https://api.anthropic.com/v1/models/claude-x", 200, {}, "credentials:ok server:ok model:ok"),
        (CLAUDE, "https://api.anthropic.com/v1/models/claude-x", 404, {}, "credentials:ok server:ok model:failed"),
        (GEMINI, "https://g.example/v1beta/models/gemini-x", 200, {}, "credentials:ok server:ok model:ok"),
        (GEMINI, "https://g.example/v1beta/models/gemini-x", 400, b'{"x":"API_KEY_INVALID"}', "credentials:failed"),
    ],
)
async def test_what_an_answer_proves(one: Deployment, url: str, status: int, body: Any, expected: str) -> None:
    wire = Wire()
    wire.says(url, body, status)
    found = await hops(one, wire)
    assert brief(found) == expected
    assert all(hop.hint for hop in found if hop.failed and hop.name in {"credentials", "model"})
    assert KEY not in repr(found)


async def test_whoever_is_not_there_is_a_matter_of_the_connection() -> None:
    (hop,) = await hops(OLLAMA, Wire())
    assert (hop.name, hop.status, hop.hint) == ("connection", "failed", "Check that.")


@pytest.mark.parametrize(
    ("one", "header", "value"),
    [(CLOUD, "Authorization", f"Bearer {KEY}"), (CLAUDE, "x-api-key", KEY), (GEMINI, "x-goog-api-key", KEY)],
)
async def test_the_question_bears_the_deployments_own_key(one: Deployment, header: str, value: str) -> None:
    wire = Wire()
    await hops(one, wire)
    assert wire.asked[0][1][header] == value


async def test_an_embedding_model_is_well_when_it_is_there() -> None:
    wire = Wire()
    wire.says("http://h:11434/api/tags", {"models": [{"name": "nomic-embed-text:latest"}]})
    one = deployment("ollama", "nomic-embed-text", "http://h:11434", mode="embedding", api_key=None)
    assert brief(await hops(one, wire)) == "server:ok model:ok"
    assert [url for url, _ in wire.asked] == ["http://h:11434/api/tags"]


async def test_a_cloud_without_credentials_is_not_asked() -> None:
    wire = Wire()
    one = deployment("bedrock", "m", "https://bedrock-runtime.x.amazonaws.com", api_key=None, access=AwsAccess())
    (hop,) = await hops(one, wire)
    assert (hop.name, hop.told, wire.asked) == ("credentials", "No AWS credentials were found.", [])


async def test_a_cloud_that_answers_is_reached() -> None:
    wire = Wire()
    wire.says("https://bedrock-runtime.x.amazonaws.com/", b"", 404)
    one = deployment("bedrock", "m", "https://bedrock-runtime.x.amazonaws.com", access=AwsAccess())
    assert brief(await hops(one, wire)) == "credentials:ok server:ok"


async def test_azure_is_asked_for_its_models_with_the_operators_token() -> None:
    wire = Wire()
    url = "https://r.openai.azure.com/openai/models?api-version=2024-10-21"
    wire.says(url, {"data": []})
    access = AzureAccess(ad_token=Secret("entra-token"))
    one = deployment("azure", "gpt", "https://r.openai.azure.com", api_key=None, key_header="api-key", access=access)
    assert brief(await hops(one, wire)) == "credentials:ok server:ok"
    assert wire.asked[0][1]["Authorization"] == "Bearer entra-token"


async def test_what_only_the_library_reaches_is_not_judged() -> None:
    wire = Wire()
    (hop,) = await hops(deployment("watsonx_text", "m", ""), wire)
    assert (hop.status, wire.asked) == ("skipped", [])
