"""What an upstream would be sent, and which of OpenAI's parameters it can be told."""

from __future__ import annotations

import asyncio

import msgspec

from pointsman.admin.models.visible import visible_group
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed
from pointsman.core.upstream import Deployment, Operation
from pointsman.providers.mapping import supported_openai_params
from pointsman.providers.registry import find_provider, split_model

__all__ = [
    "RawRequest",
    "SupportedParams",
    "SupportedParamsQuery",
    "TransformRequest",
    "operation_of",
    "show_supported_params",
    "transform_request",
]


class TransformRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a client would send it; ``call_type`` is LiteLLM's word for its route (``completion``, …)."""

    call_type: str
    request_body: dict[str, msgspec.Raw]


class RawRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The request that would be sent for it. Credentials are masked; where the upstream is, only the operator sees."""

    raw_request_api_base: str
    raw_request_body: msgspec.Raw
    raw_request_headers: dict[str, str]
    error: str | None = None


class SupportedParamsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """For which model."""

    model: str


class SupportedParams(msgspec.Struct, frozen=True):
    """Names of OpenAI's chat parameters, or of its embedding parameters, that have an effect."""

    supported_openai_params: tuple[str, ...]


async def transform_request(office: Office, visit: Visit[Nothing, TransformRequest]) -> Answer:
    """The upstream's request, written and not sent."""
    operation = operation_of(visit.body.call_type)
    raw = await office.preview(visit.caller, operation, msgspec.json.encode(visit.body.request_body))
    return Answer(
        RawRequest(raw_request_api_base=raw.url, raw_request_body=raw.body, raw_request_headers=dict(raw.headers))
    )


async def show_supported_params(office: Office, visit: Visit[SupportedParamsQuery, Nothing]) -> Answer:
    """Which of OpenAI's parameters have an effect at a model."""
    model = visit.query.model
    group = visible_group(office.table(), visit.caller, model)
    deployment = _imagined(office, model) if group is None else group.deployments[0]
    # Some hundred translations take their time, the first time; answers under way shall not wait for it.
    found = None if deployment is None else await asyncio.to_thread(supported_openai_params, deployment)
    if found is None:
        raise Malformed(
            f"Could not map model={model[:200]}.", hint="GET /v1/models has all that are served.", param="model"
        )
    return Answer(SupportedParams(found))


def _imagined(office: Office, model: str) -> Deployment | None:
    """A deployment of a model that nobody configured, by its name in LiteLLM; None: that tells no provider.

    What may be known of it is in the catalogue for everybody to read, so no key is asked for it.
    """
    provider, name = split_model(model, None, has_base=False)
    if find_provider(provider) is None or not name:
        return None
    bare = Deployment(id="", group=model, provider=provider, model=name, litellm_model=model, api_base="", price=None)
    facts = office.facts(bare)
    if facts is None:
        return bare if "/" in model else None
    mode = "embedding" if facts.mode == "embedding" else "chat"
    return msgspec.structs.replace(bare, capabilities=facts.capabilities, mode=mode)


def operation_of(call_type: str) -> Operation:
    """The route that LiteLLM means, under its name with and without the a of ``acompletion``.

    Raises:
        Malformed: it is no route that there is.
    """
    for operation in Operation:
        name = operation.value
        if call_type == name or (call_type == name[1:] and name[0] == "a"):
            return operation
    known = ", ".join(operation.value for operation in Operation)
    raise Malformed(f"call_type is none that is served here; these are: {known}.", param="call_type")
