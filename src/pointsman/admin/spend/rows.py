"""A call of the ledger as LiteLLM's ``SpendLogs`` row. Amounts are in USD, times in ISO 8601."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pointsman.admin.models.description import address_without_secrets
from pointsman.admin.timestamps import iso, iso_or_none
from pointsman.core.address import without_address
from pointsman.core.outcome import CallRecord
from pointsman.core.price import dollars
from pointsman.core.trace import RouteTrace
from pointsman.stores.charges import project_of

__all__ = [
    "CompletionDetails",
    "ErrorInformation",
    "PromptDetails",
    "SpendMetadata",
    "SpendRow",
    "TokenDetails",
    "UsageObject",
    "spend_row",
]

_NOTHING: Final = msgspec.Raw(b"{}")


class TokenDetails(msgspec.Struct, frozen=True):
    """Tokens by kind; those of the prompt are within ``prompt_tokens``, those of the completion likewise."""

    cached_tokens: int
    cache_creation_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int


class PromptDetails(msgspec.Struct, frozen=True):
    """Tokens of the prompt by kind."""

    cached_tokens: int
    audio_tokens: int


class CompletionDetails(msgspec.Struct, frozen=True):
    """Tokens of the completion by kind."""

    reasoning_tokens: int
    audio_tokens: int


class UsageObject(msgspec.Struct, frozen=True):
    """The tokens once more, where LiteLLM's clients look for them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class ErrorInformation(msgspec.Struct, frozen=True):
    """Why a call failed. ``error_code`` is the HTTP status as a string, as in LiteLLM; ``error_class`` our code."""

    error_code: str
    error_class: str
    error_message: str


class SpendMetadata(msgspec.Struct, frozen=True):
    """What LiteLLM's columns have no room for.

    ``status`` tells a call that its client broke off (``cancelled``) from one that failed. ``usage_source`` is
    ``measured`` where the upstream counted the tokens, ``estimated`` where the gateway did, ``none`` without any.
    ``energy_wh`` is what a local host drew for it, in watt-hours, and ``energy_cost`` what that cost, in USD; null
    where nobody told what the host draws. ``service_tier`` is the one that was charged, as prices call it (``flex``,
    ``priority``); null on the usual one, and where the price knows none.
    """

    status: Literal["success", "failure", "cancelled"]
    usage_source: Literal["measured", "estimated", "none"]
    user_api_key: str
    user_api_key_alias: str | None
    user_api_key_user_id: str | None
    user_api_key_team_id: str | None
    user_api_key_project_id: str | None
    model_requested: str
    route: str
    stream: bool
    attempts: int
    http_status: int
    overhead_ms: float
    time_to_first_token_ms: float | None
    token_details: TokenDetails
    error_information: ErrorInformation | None
    usage_object: UsageObject
    litellm_call_id: str
    requester_ip_address: str
    routing: RouteTrace | None
    energy_wh: float | None = None
    energy_cost: float | None = None
    service_tier: str | None = None


class SpendRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``request_id`` is the answer's ``id``, and that of the call where it has none.

    ``session_id`` is the call's, too: calls are not grouped. ``api_key`` is the hash of the key; ``messages`` and
    ``response`` are empty unless they are logged.
    """

    request_id: str
    litellm_call_id: str
    call_type: str
    api_key: str
    spend: float
    total_tokens: int
    prompt_tokens: int
    completion_tokens: int
    start_time: str = msgspec.field(name="startTime")
    end_time: str = msgspec.field(name="endTime")
    completion_start_time: str | None = msgspec.field(name="completionStartTime")
    request_duration_ms: int
    model: str
    model_id: str
    model_group: str
    custom_llm_provider: str
    api_base: str
    user: str
    team_id: str
    organization_id: str
    end_user: str
    requester_ip_address: str
    request_tags: tuple[str, ...]
    metadata: SpendMetadata
    cache_hit: Literal["False"]
    cache_key: Literal["Cache OFF"]
    session_id: str
    created_at: str
    updated_at: str
    proxy_server_request: dict[str, msgspec.Raw] = {}
    messages: msgspec.Raw
    response: msgspec.Raw
    status: Literal["success", "failure"]


def spend_row(record: CallRecord, *, operator: bool) -> SpendRow:
    """The row of a call; the upstream's address is for the operator."""
    usage = record.usage
    return SpendRow(
        request_id=record.answer_id or record.call_id,
        litellm_call_id=record.call_id,
        call_type=record.operation,
        api_key=record.key_token,
        spend=dollars(record.cost),
        total_tokens=usage.total,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        start_time=iso(record.started_at),
        end_time=iso(record.ended_at or record.started_at),
        completion_start_time=iso_or_none(record.first_token_at),
        request_duration_ms=max(0, round((record.ended_at - record.started_at) * 1000)) if record.ended_at else 0,
        model=record.model or record.model_requested,
        model_id=record.deployment_id,
        model_group=record.model_group,
        custom_llm_provider=record.provider,
        api_base=address_without_secrets(record.api_base) if operator else "",
        user=record.user_id or "",
        team_id=record.team_id or "",
        organization_id=record.organization_id or "",
        end_user=record.end_user or "",
        requester_ip_address=record.peer,
        request_tags=record.tags,
        metadata=_metadata(record, operator=operator),
        cache_hit="False",
        cache_key="Cache OFF",
        session_id=record.call_id,
        created_at=iso(record.ended_at or record.started_at),
        updated_at=iso(record.ended_at or record.started_at),
        messages=record.prompt or _NOTHING,
        response=record.reply or _NOTHING,
        status="success" if record.status == "success" else "failure",
    )


def _metadata(record: CallRecord, *, operator: bool) -> SpendMetadata:
    usage = record.usage
    first = record.first_token_at
    said = record.error_message or ""
    if said and not operator:
        said = without_address(said, record.api_base, record.model_group)
    return SpendMetadata(
        status=record.status,
        usage_source=usage.source,
        user_api_key=record.key_token,
        user_api_key_alias=record.key_alias,
        user_api_key_user_id=record.user_id,
        user_api_key_team_id=record.team_id,
        user_api_key_project_id=project_of(record),
        model_requested=record.model_requested,
        route=record.route,
        stream=record.stream,
        attempts=record.attempts,
        http_status=record.http_status,
        overhead_ms=round(record.overhead_ms, 3),
        time_to_first_token_ms=None if first is None else round((first - record.started_at) * 1000, 3),
        token_details=TokenDetails(
            usage.cached, usage.cache_write, usage.reasoning, usage.audio_input, usage.audio_output
        ),
        error_information=None
        if record.error_code is None
        else ErrorInformation(str(record.http_status), record.error_code, said),
        energy_wh=record.energy_mwh / 1000 if record.energy_mwh else None,
        energy_cost=dollars(record.energy_cost) if record.energy_mwh else None,
        service_tier=usage.service or None,
        usage_object=UsageObject(
            usage.prompt,
            usage.completion,
            usage.total,
            PromptDetails(usage.cached, usage.audio_input),
            CompletionDetails(usage.reasoning, usage.audio_output),
        ),
        litellm_call_id=record.call_id,
        requester_ip_address=record.peer,
        routing=record.trace if operator or record.trace is None else record.trace.in_brief,
    )
