"""What a server can be asked that costs nothing and makes no model load or work, and what its answer proves.

Sources: Ollama's ``docs/api.md`` (``/api/tags``); https://platform.openai.com/docs/api-reference/models/list (which
OpenAI-compatible servers have too); https://docs.anthropic.com/en/api/models; https://ai.google.dev/api/models;
https://docs.cohere.com/reference/get-model;
https://learn.microsoft.com/rest/api/azureopenai/models/list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.providers.google import gemini_root
from pointsman.providers.health.answers import is_named, read_list, read_model, read_sign_of_life, read_tags
from pointsman.providers.health.hops import Hop
from pointsman.providers.registry import find_provider
from pointsman.providers.transport import FetchReply, Origin

__all__ = ["Question", "question_for"]

_AZURE_VERSION: Final = "2024-10-21"


class Question(msgspec.Struct, frozen=True):
    """A URL to GET; ``read`` makes hops of the answer, the last of which failed if any did."""

    url: str
    read: Callable[[FetchReply, Deployment], tuple[Hop, ...]]


def question_for(deployment: Deployment) -> Question | None:
    """The question for a deployment; None where its provider has nothing to be asked.

    Raises:
        Misconfigured: its address is none.
    """
    provider = find_provider(deployment.provider)
    if provider is not None and provider.long_tail:
        return None
    native = provider.native if provider is not None else None
    return _QUESTIONS.get(native or "", _compatible)(deployment)


def _compatible(deployment: Deployment) -> Question:
    return Question(_below(deployment, "/models"), read_list)


def _ollama(deployment: Deployment) -> Question:
    return Question(_below(deployment, "/api/tags"), read_tags)


def _anthropic(deployment: Deployment) -> Question:
    return _one_model(deployment, "/v1/models")


def _cohere(deployment: Deployment) -> Question:
    return _one_model(deployment, "/v1/models")


def _gemini(deployment: Deployment) -> Question:
    return _one_model(deployment, f"{gemini_root(deployment.api_base)}/models")


def _one_model(deployment: Deployment, path: str) -> Question:
    if not is_named(deployment):
        return Question(_below(deployment, path), read_sign_of_life)
    model = quote(deployment.model.removeprefix("models/"), safe=":@.")
    return Question(_below(deployment, f"{path}/{model}"), read_model)


def _azure(deployment: Deployment) -> Question:
    """Azure lists the models of a resource, not what is deployed there; so only that it lets in is found out."""
    origin = Origin.parse(deployment.api_base)
    if deployment.provider == "azure_ai":
        return Question(_root(origin) + "/", read_sign_of_life)
    if "/openai/v1" in origin.path:
        return Question(f"{_root(origin)}/openai/v1/models", read_sign_of_life)
    return Question(f"{_root(origin)}/openai/models?api-version={_AZURE_VERSION}", read_sign_of_life)


def _any_answer(deployment: Deployment) -> Question:
    """Requests are signed, or there is no list: only that somebody answers is found out."""
    return Question(_root(Origin.parse(deployment.api_base)) + "/", read_sign_of_life)


_QUESTIONS: Final[dict[str, Callable[[Deployment], Question]]] = {
    "ollama": _ollama,
    "anthropic": _anthropic,
    "cohere": _cohere,
    "gemini": _gemini,
    "azure": _azure,
    "bedrock": _any_answer,
    "vertex": _any_answer,
    "watsonx": _any_answer,
}


def _below(deployment: Deployment, path: str) -> str:
    origin = Origin.parse(deployment.api_base)
    return origin.url + path + (f"?{origin.query}" if origin.query else "")


def _root(origin: Origin) -> str:
    return msgspec.structs.replace(origin, path="", query="").url
