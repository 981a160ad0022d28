"""Where an Azure resource takes which request.

Sources: https://learn.microsoft.com/azure/ai-foundry/openai/reference (a deployment has paths of its own, and every
request names a version of the API), …/openai/api-version-lifecycle (the ``v1`` surface, which has neither),
…/openai/how-to/responses (the Responses API), …/openai/how-to/realtime-audio-websockets (Realtime),
https://learn.microsoft.com/rest/api/aifoundry/modelinference (models of other makers),
https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-claude (Claude).
What an ``api_base`` may hold already is what LiteLLM 1.109.1 accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from pointsman.core.upstream import Deployment, Operation
from pointsman.providers.express import EXTRAS_PATHS
from pointsman.providers.transport import Origin
from pointsman.wire.model_paths import demand_no_steps

__all__ = [
    "API_VERSION",
    "azure_key_header",
    "azure_path",
    "claude_path",
    "is_claude",
    "model_in_azure",
    "realtime_path",
    "responses_path",
]

API_VERSION: Final = "2025-02-01-preview"
"""Where nobody says; as in LiteLLM 1.109.1."""

_UNVERSIONED: Final = frozenset({"v1", "latest", "preview"})
_RESPONSES: Final = "/responses"
_RESPONSES_VERSION: Final = "preview"
"""Where nobody says; as in LiteLLM 1.109.1."""

_RESPONSES_SINCE: Final = "2025-03-01"
_OPENAI: Final = "azure"
_SERIES: Final = ("o_series/", "gpt5_series/")
_FOUNDRY: Final = "azure_ai"
_FOUNDRY_HOST: Final = ".services.ai.azure.com"
_KEYED_HOSTS: Final = (_FOUNDRY_HOST, ".openai.azure.com")
_ENDPOINTS: Final[Mapping[Operation, str]] = {
    Operation.COMPLETION: "/completions",
    Operation.EMBEDDING: "/embeddings",
    **{operation: path.decode() for operation, path in EXTRAS_PATHS.items()},
}
_CHAT: Final = "/chat/completions"
_MESSAGES: Final = "/anthropic/v1/messages"


def model_in_azure(deployment: Deployment) -> str:
    """The deployment's name in Azure, without LiteLLM's word for what kind of model it is."""
    model = deployment.model
    return next((model.removeprefix(word) for word in _SERIES if model.startswith(word)), model)


def azure_path(deployment: Deployment, operation: Operation, api_version: str | None) -> bytes:
    """Path and query below the deployment's ``api_base``, for conversations where ``operation`` is no other thing."""
    origin = Origin.parse(deployment.api_base)
    endpoint = _ENDPOINTS.get(operation, _CHAT)
    if deployment.provider == _FOUNDRY:
        path, version = _foundry_path(origin, endpoint), api_version
    else:
        version = api_version or API_VERSION
        path = _azure_path(origin.path, endpoint, model_in_azure(deployment), version)
    if version in _UNVERSIONED or "/openai/v1" in origin.path + path:
        version = version if version == "preview" else None
    if version is not None and "api-version=" not in origin.query:
        path += f"?api-version={quote(version, safe='')}"
    return path.encode("ascii")


def responses_path(deployment: Deployment, api_version: str | None) -> bytes | None:
    """Where Azure OpenAI takes requests for responses, below the deployment's ``api_base``; None: nowhere.

    Versions before 2025-03-01 do not have it, and an address that leads to one deployment has no way there.
    """
    origin = Origin.parse(deployment.api_base)
    version = api_version or _RESPONSES_VERSION
    if deployment.provider != _OPENAI or "/openai/deployments/" in origin.path:
        return None
    if origin.path.endswith("/openai/v1"):
        return _RESPONSES.encode()
    openai = "" if origin.path.endswith("/openai") else "/openai"
    if version in _UNVERSIONED:
        query = f"?api-version={version}" if version == "preview" else ""
        return f"{openai}/v1{_RESPONSES}{query}".encode()
    if version < _RESPONSES_SINCE:
        return None
    query = "" if "api-version=" in origin.query else f"?api-version={quote(version, safe='')}"
    return f"{openai}{_RESPONSES}{query}".encode()


def realtime_path(deployment: Deployment, api_version: str | None, *, beta: bool) -> str | None:
    """Where Azure OpenAI takes WebSockets, below the deployment's ``api_base``, with the query; None: nowhere.

    ``beta``: the client speaks the preview of the protocol, which names a version of the API and has a path of its own.
    """
    origin = Origin.parse(deployment.api_base)
    if deployment.provider != _OPENAI or "/openai/deployments/" in origin.path:
        return None
    model = quote(model_in_azure(deployment), safe="")
    version = api_version or API_VERSION
    openai = "" if origin.path.endswith("/openai") else "/openai"
    if origin.path.endswith("/openai/v1"):
        return f"/realtime?model={model}"
    if not beta or version in _UNVERSIONED:
        return f"{openai}/v1/realtime?model={model}"
    query = "" if "api-version=" in origin.query else f"api-version={quote(version, safe='')}&"
    return f"{openai}/realtime?{query}deployment={model}"


def claude_path(deployment: Deployment) -> bytes:
    """Where Foundry takes requests in Anthropic's dialect, below the deployment's ``api_base``."""
    base = Origin.parse(deployment.api_base).path
    whole = _MESSAGES
    ends = (_MESSAGES, "/anthropic/v1", "/anthropic")
    held = next((end for end in ends if base.endswith(end)), "")
    return whole.removeprefix(held).encode("ascii")


def is_claude(provider: str, model: str) -> bool:
    """Whether it is one of Anthropic's models, which Foundry serves in their own dialect."""
    return provider == _FOUNDRY and model.startswith("claude")


def azure_key_header(provider: str, api_base: str, model: str) -> str:
    """The header that bears the key: Foundry's own hosts want another one than the models that are served for it."""
    if provider != _FOUNDRY:
        return "api-key"
    if is_claude(provider, model):
        return "x-api-key"
    return "api-key" if Origin.parse(api_base).host.endswith(_KEYED_HOSTS) else "Authorization"


def _azure_path(base: str, endpoint: str, model: str, version: str) -> str:
    if "/openai/deployments/" in base or base.endswith("/openai/v1"):
        return "" if base.endswith(endpoint) else endpoint
    openai = "" if base.endswith("/openai") else "/openai"
    if version in _UNVERSIONED:
        return f"{openai}/v1{endpoint}"
    demand_no_steps(model)
    return f"{openai}/deployments/{quote(model, safe='')}{endpoint}"


def _foundry_path(origin: Origin, endpoint: str) -> str:
    if origin.path.endswith(endpoint):
        return ""
    models = origin.host.endswith(_FOUNDRY_HOST) and not origin.path.endswith(("/models", "/openai/v1"))
    return f"/models{endpoint}" if models and "/openai/deployments/" not in origin.path else endpoint
