"""``/utils/token_counter``: how many tokens a text is, estimated the way budgets are reserved."""

from __future__ import annotations

from typing import Literal

import msgspec

from pointsman.accounting.estimate import estimate_body, estimate_text
from pointsman.admin.models.visible import visible_group
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, NotFound

__all__ = ["TokenCountReply", "TokenCountRequest", "count_tokens"]


class TokenCountRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A text or messages, for a model."""

    model: str
    prompt: str | None = None
    messages: list[dict[str, msgspec.Raw]] | None = None
    contents: list[dict[str, msgspec.Raw]] | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    system: msgspec.Raw | None = None


class TokenCountReply(msgspec.Struct, frozen=True):
    """An estimate, and it says so: by characters and script, no tokenizer is asked."""

    total_tokens: int
    request_model: str
    model_used: str
    tokenizer_type: Literal["estimate"] = "estimate"
    error: bool = False


async def count_tokens(office: Office, visit: Visit[Nothing, TokenCountRequest]) -> Answer:
    """An estimate of the prompt's tokens."""
    wanted = visit.body
    group = visible_group(office.table(), visit.caller, wanted.model)
    if group is None:
        raise NotFound("This model is not served here.", hint="GET /v1/models has all.", param="model")
    parts = [bytes(visit.fields[name]) for name in ("messages", "contents", "tools", "system") if name in visit.fields]
    if wanted.prompt is None and not parts:
        raise Malformed("prompt, messages or contents is required.", param="messages")
    total = sum(map(estimate_body, parts)) + (estimate_text(wanted.prompt) if wanted.prompt else 0)
    return Answer(TokenCountReply(total, wanted.model, group.deployments[0].litellm_model))
