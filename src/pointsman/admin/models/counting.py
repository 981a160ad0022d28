"""How many tokens a prompt is, as its upstream counts or estimated: for clients of LiteLLM, Anthropic and Gemini."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from pointsman.accounting.estimate import estimate_body, estimate_text
from pointsman.admin.models.visible import visible_group
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.gemini.client_replies import write_count
from pointsman.dialects.gemini.client_requests import read_count_request, whole_request
from pointsman.lifecycle.versions import versions_in
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

_HEADER: Final = "x-pointsman-token-count"
_COUNTED_HEADERS: Final = ((_HEADER, "upstream"),)
_ESTIMATED_HEADERS: Final = ((_HEADER, "estimate"),)
"""The bodies have no place to say which of the two a number is."""

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
    error_message: str | None = None
    status_code: int | None = None
    count_source: str | None = None
    original_response: dict[str, msgspec.Raw] | None = None


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
    """What the upstream counted, or an estimate by characters and script."""

    totalTokens: int  # noqa: N815 - the wire's name


class MessageTokenCount(msgspec.Struct, frozen=True):
    """What the upstream counted, or an estimate by characters and script."""

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
    """A conversation's tokens, as its upstream counts them or estimated."""
    group = _demand_group(office, visit.caller, visit.body.model)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in visit.headers.items()]
    ask = Ask(Operation.MESSAGES, visit.body.model, dict(visit.fields), versions=versions_in(headers))
    counted = await office.count_tokens(group.deployments[0], ask)
    if counted is not None:
        return Answer(MessageTokenCount(counted.total), headers=_COUNTED_HEADERS)
    return Answer(MessageTokenCount(_estimate(visit.fields)[0]), headers=_ESTIMATED_HEADERS)


async def count_gemini_tokens(office: Office, visit: Visit[Nothing, GeminiTokenCountRequest]) -> Answer:
    """The tokens of contents, as Gemini's ``countTokens`` asks for them: counted by their upstream, or estimated.

    What Gemini says beyond the number (of images, of what is cached) is passed on.
    """
    name = visit.path["model_id"].removeprefix("models/")
    group = _demand_group(office, visit.caller, name)
    body = msgspec.json.encode(visit.fields)
    call = read_count_request(body, name)
    deployment = group.deployments[0]
    counted = await office.count_tokens(deployment, Ask(Operation.GEMINI_CHAT, name, whole_request(body)))
    if counted is None:
        return Answer(write_count(chat_tokens(call, estimate_text)), headers=_ESTIMATED_HEADERS)
    return Answer(counted.told if counted.is_native else write_count(counted.total), headers=_COUNTED_HEADERS)


def _demand_group(office: Office, caller: Principal, model: str) -> Group:
    group = visible_group(office.table(), caller, model)
    if group is None:
        raise NotFound("This model is not served here.", hint="GET /v1/models has all.", param="model")
    return group


def _estimate(fields: Mapping[str, msgspec.Raw]) -> tuple[int, int]:
    """The tokens of the fields that hold a prompt, and how many such fields there are."""
    parts = [bytes(fields[name]) for name in _COUNTED if name in fields]
    return sum(map(estimate_body, parts)), len(parts)
