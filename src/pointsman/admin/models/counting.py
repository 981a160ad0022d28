"""How many tokens a prompt is, estimated the way budgets are reserved: for clients of LiteLLM, Anthropic and Gemini."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from pointsman.accounting.estimate import estimate_body, estimate_text
from pointsman.admin.models.visible import visible_group
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, NotFound
from pointsman.dialects.gemini.client_replies import write_count
from pointsman.dialects.gemini.client_requests import read_count_request
from pointsman.policies.principal import Principal
from pointsman.providers.prompt import chat_tokens
from pointsman.routing.table import Group

__all__ = [
    "GeminiTokenCount",
    "GeminiTokenCountRequest",
    "MessageTokenCount",
    "MessageTokenCountRequest",
    "TokenCountReply",
    "TokenCountRequest",
    "count_gemini_tokens",
    "count_message_tokens",
    "count_tokens",
]

_COUNTED: Final = ("messages", "contents", "tools", "system")


class TokenCountRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A text or messages, for a model."""

    model: str
    prompt: str | None = None
    messages: list[dict[str, msgspec.Raw]] | None = None
    contents: list[dict[str, msgspec.Raw]] | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    system: str | list[dict[str, msgspec.Raw]] | None = None


class TokenCountReply(msgspec.Struct, frozen=True):
    """An estimate, and it says so: by characters and script, no tokenizer is asked."""

    total_tokens: int
    request_model: str
    model_used: str
    tokenizer_type: Literal["estimate"] = "estimate"
    error: bool = False


class MessageTokenCountRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in Anthropic's form; source: https://platform.claude.com/docs/en/api/messages-count-tokens."""

    model: str
    messages: list[dict[str, msgspec.Raw]]
    tools: list[dict[str, msgspec.Raw]] | None = None
    system: str | list[dict[str, msgspec.Raw]] | None = None


class GeminiTokenCountRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Contents, or a whole request, in Gemini's form; source: https://ai.google.dev/api/tokens."""

    contents: list[dict[str, msgspec.Raw]] | dict[str, msgspec.Raw] | None = None
    generateContentRequest: dict[str, msgspec.Raw] | None = None  # noqa: N815 - the wire's name


class GeminiTokenCount(msgspec.Struct, frozen=True):
    """An estimate, by characters and script."""

    totalTokens: int  # noqa: N815 - the wire's name


class MessageTokenCount(msgspec.Struct, frozen=True):
    """An estimate, by characters and script."""

    input_tokens: int


async def count_tokens(office: Office, visit: Visit[Nothing, TokenCountRequest]) -> Answer:
    """An estimate of the prompt's tokens."""
    wanted = visit.body
    group = _demand_group(office, visit.caller, wanted.model)
    total, counted = _estimate(visit.fields)
    if wanted.prompt is None and not counted:
        raise Malformed("prompt, messages or contents is required.", param="messages")
    total += estimate_text(wanted.prompt) if wanted.prompt else 0
    return Answer(TokenCountReply(total, wanted.model, group.deployments[0].litellm_model))


async def count_message_tokens(office: Office, visit: Visit[Nothing, MessageTokenCountRequest]) -> Answer:
    """An estimate of a conversation's tokens."""
    _demand_group(office, visit.caller, visit.body.model)
    return Answer(MessageTokenCount(_estimate(visit.fields)[0]))


async def count_gemini_tokens(office: Office, visit: Visit[Nothing, GeminiTokenCountRequest]) -> Answer:
    """An estimate of the tokens of contents, as Gemini's ``countTokens`` asks for it."""
    name = visit.path["model_id"].removeprefix("models/")
    _demand_group(office, visit.caller, name)
    call = read_count_request(msgspec.json.encode(visit.fields), name)
    return Answer(write_count(chat_tokens(call, estimate_text)))


def _demand_group(office: Office, caller: Principal, model: str) -> Group:
    group = visible_group(office.table(), caller, model)
    if group is None:
        raise NotFound("This model is not served here.", hint="GET /v1/models has all.", param="model")
    return group


def _estimate(fields: Mapping[str, msgspec.Raw]) -> tuple[int, int]:
    """The tokens of the fields that hold a prompt, and how many such fields there are."""
    parts = [bytes(fields[name]) for name in _COUNTED if name in fields]
    return sum(map(estimate_body, parts)), len(parts)
