"""``POST /spend/calculate``: what a call would cost, or what one has cost by its answer."""

from __future__ import annotations

import msgspec

from pointsman.accounting.estimate import estimate_body
from pointsman.accounting.price import cost_of
from pointsman.admin.models.visible import visible_deployments, visible_group
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed
from pointsman.core.price import Price, dollars
from pointsman.core.usage import Usage
from pointsman.policies.principal import Principal

__all__ = [
    "CalculateReply",
    "CalculateRequest",
    "CompletionResponse",
    "calculate",
]


class _Details(msgspec.Struct, frozen=True):
    """Tokens by kind, as OpenAI's ``usage`` has them."""

    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    """OpenAI's ``usage``; source: https://platform.openai.com/docs/api-reference/chat/object."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class CompletionResponse(msgspec.Struct, frozen=True):
    """An answer, as far as it tells its cost."""

    model: str
    usage: _Usage = _Usage()


class CalculateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A model with messages (before a call), or the answer of a call (after it)."""

    model: str | None = None
    messages: list[dict[str, msgspec.Raw]] | None = None
    completion_response: CompletionResponse | None = None


class CalculateReply(msgspec.Struct, frozen=True):
    """The cost in USD."""

    cost: float


async def calculate(office: Office, visit: Visit[Nothing, CalculateRequest]) -> Answer:
    """The cost of a prompt, whose tokens are estimated, or of an answer, which says how many it took.

    Raises:
        Malformed: neither is given, or nobody told what the model costs.
    """
    asked = visit.body
    if asked.model is not None:
        if asked.messages is None:
            raise Malformed("messages must be provided if model is provided.", param="messages")
        usage = Usage(prompt=estimate_body(bytes(visit.fields["messages"])))
        model = asked.model
    elif asked.completion_response is not None:
        usage = _usage(asked.completion_response.usage)
        model = asked.completion_response.model
    else:
        raise Malformed("Either model or completion_response must be provided.", hint="With model, also messages.")
    price = _price(office, visit.caller, model)
    if price is None:
        raise Malformed(
            "Nobody told what this model costs.",
            hint="Set input_cost_per_token and output_cost_per_token in its litellm_params.",
            param="model",
        )
    return Answer(CalculateReply(dollars(cost_of(usage, price))))


def _price(office: Office, caller: Principal, model: str) -> Price | None:
    """By the name that clients use, by the upstream's name of a configured model, or by the catalogue."""
    group = visible_group(office.table(), caller, model)
    if group is not None:
        return group.deployments[0].price
    for deployment in visible_deployments(office.table(), caller):
        if model in {deployment.model, deployment.litellm_model}:
            return deployment.price
    return office.price(model)


def _usage(told: _Usage) -> Usage:
    prompt = told.prompt_tokens_details or _Details()
    completion = told.completion_tokens_details or _Details()
    return Usage(
        prompt=told.prompt_tokens,
        completion=told.completion_tokens,
        cached=prompt.cached_tokens or 0,
        cache_write=prompt.cache_creation_tokens or 0,
        reasoning=completion.reasoning_tokens or 0,
        audio_input=prompt.audio_tokens or 0,
        audio_output=completion.audio_tokens or 0,
    )
