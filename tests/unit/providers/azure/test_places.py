"""Where Azure takes which request, whatever an ``api_base`` holds already."""

from __future__ import annotations

import pytest

from pointsman.core.upstream import Deployment, Operation
from pointsman.providers.azure.places import (
    API_VERSION,
    azure_key_header,
    azure_path,
    claude_path,
    realtime_path,
    responses_path,
)

RESOURCE = "https://r.openai.azure.com"
FOUNDRY = "https://r.services.ai.azure.com"
DATED = "2024-10-21"


def deployment(base: str, model: str = "my gpt", provider: str = "azure") -> Deployment:
    return Deployment("d", "m", provider, model, f"{provider}/{model}", base, None)


@pytest.mark.parametrize(
    ("base", "version", "path"),
    [
        (RESOURCE, None, f"/openai/deployments/my%20gpt/chat/completions?api-version={API_VERSION}"),
        (RESOURCE, DATED, f"/openai/deployments/my%20gpt/chat/completions?api-version={DATED}"),
        (f"{RESOURCE}/openai", DATED, f"/deployments/my%20gpt/chat/completions?api-version={DATED}"),
        (f"{RESOURCE}/openai/deployments/other", DATED, f"/chat/completions?api-version={DATED}"),
        (f"{RESOURCE}/openai/deployments/x/chat/completions?api-version={DATED}", None, ""),
        (RESOURCE, "v1", "/openai/v1/chat/completions"),
        (RESOURCE, "latest", "/openai/v1/chat/completions"),
        (RESOURCE, "preview", "/openai/v1/chat/completions?api-version=preview"),
        (f"{RESOURCE}/openai/v1", None, "/chat/completions"),
    ],
)
def test_a_deployments_chat(base: str, version: str | None, path: str) -> None:
    assert azure_path(deployment(base), Operation.CHAT, version) == path.encode()
    assert azure_path(deployment(base), Operation.MESSAGES, version) == path.encode()


@pytest.mark.parametrize(
    ("base", "version", "path"),
    [
        (FOUNDRY, DATED, f"/models/chat/completions?api-version={DATED}"),
        (FOUNDRY, None, "/models/chat/completions"),
        (f"{FOUNDRY}/models", DATED, f"/chat/completions?api-version={DATED}"),
        (f"{FOUNDRY}/models/chat/completions", DATED, f"?api-version={DATED}"),
        (f"{FOUNDRY}/openai/v1", DATED, "/chat/completions"),
        ("https://llama.eastus.models.ai.azure.com", None, "/chat/completions"),
    ],
)
def test_foundrys_chat(base: str, version: str | None, path: str) -> None:
    assert azure_path(deployment(base, provider="azure_ai"), Operation.CHAT, version) == path.encode()


def test_completions_and_embeddings() -> None:
    one = deployment(RESOURCE, "o_series/e")
    assert (
        azure_path(one, Operation.EMBEDDING, DATED) == f"/openai/deployments/e/embeddings?api-version={DATED}".encode()
    )
    assert azure_path(one, Operation.COMPLETION, "v1") == b"/openai/v1/completions"


@pytest.mark.parametrize("held", ["", "/anthropic", "/anthropic/v1", "/anthropic/v1/messages"])
def test_claude_has_a_path_of_its_own(held: str) -> None:
    found = claude_path(deployment(FOUNDRY + held, "claude-opus-4-5", "azure_ai"))
    assert held.encode() + found == b"/anthropic/v1/messages"


@pytest.mark.parametrize(
    ("provider", "base", "model", "header"),
    [
        ("azure", RESOURCE, "gpt", "api-key"),
        ("azure_ai", FOUNDRY, "gpt", "api-key"),
        ("azure_ai", "https://llama.eastus.models.ai.azure.com", "llama", "Authorization"),
        ("azure_ai", FOUNDRY, "claude-opus-4-5", "x-api-key"),
    ],
)
def test_the_header_of_the_key(provider: str, base: str, model: str, header: str) -> None:
    assert azure_key_header(provider, base, model) == header


NEW = "2025-04-01-preview"


@pytest.mark.parametrize(
    ("base", "version", "path"),
    [
        (RESOURCE, None, "/openai/v1/responses?api-version=preview"),
        (RESOURCE, "v1", "/openai/v1/responses"),
        (RESOURCE, NEW, f"/openai/responses?api-version={NEW}"),
        (f"{RESOURCE}/openai", NEW, f"/responses?api-version={NEW}"),
        (f"{RESOURCE}/openai/v1", DATED, "/responses"),
        (f"{RESOURCE}/openai?api-version={NEW}", NEW, "/responses"),
        (RESOURCE, DATED, None),
        (f"{RESOURCE}/openai/deployments/other", NEW, None),
    ],
)
def test_responses(base: str, version: str | None, path: str | None) -> None:
    assert responses_path(deployment(base), version) == (None if path is None else path.encode())


@pytest.mark.parametrize(
    ("base", "version", "beta", "path"),
    [
        (RESOURCE, DATED, False, "/openai/v1/realtime?model=my%20gpt"),
        (RESOURCE, "v1", True, "/openai/v1/realtime?model=my%20gpt"),
        (RESOURCE, DATED, True, f"/openai/realtime?api-version={DATED}&deployment=my%20gpt"),
        (RESOURCE, None, True, f"/openai/realtime?api-version={API_VERSION}&deployment=my%20gpt"),
        (f"{RESOURCE}/openai?api-version={NEW}", NEW, True, "/realtime?deployment=my%20gpt"),
        (f"{RESOURCE}/openai/v1", DATED, True, "/realtime?model=my%20gpt"),
        (f"{RESOURCE}/openai/deployments/other", NEW, False, None),
    ],
)
def test_realtime(base: str, version: str | None, path: str | None, *, beta: bool) -> None:
    assert realtime_path(deployment(base), version, beta=beta) == path


@pytest.mark.parametrize("provider", ["azure_ai", "azure_text"])
def test_other_providers_on_azure_have_no_responses(provider: str) -> None:
    assert responses_path(deployment(FOUNDRY, provider=provider), NEW) is None
    assert realtime_path(deployment(FOUNDRY, provider=provider), NEW, beta=False) is None
