"""A call of the ledger as a row of an export: flat, and the same columns in every format."""

from __future__ import annotations

import msgspec

from pointsman.admin.models.description import address_without_secrets
from pointsman.admin.timestamps import iso
from pointsman.core.address import without_address
from pointsman.core.outcome import CallRecord
from pointsman.core.price import exact_dollars

__all__ = ["ExportRow", "export_row"]


class ExportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``spend_usd`` is exact, a decimal number as text; ``spend_picodollars`` the same as a whole number.

    ``request_id`` is the answer's ``id``, and that of the call (``call_id``) where it has none. Times are in ISO 8601
    (UTC), ``api_key`` is the hash of the key, ``tags`` are joined by commas. ``service_tier`` is the one that was
    charged, empty on the usual one. Text of prompts and answers is not exported.
    """

    request_id: str
    call_id: str
    start_time: str
    end_time: str
    duration_ms: int
    status: str
    http_status: int
    call_type: str
    route: str
    api_key: str
    key_alias: str
    user_id: str
    team_id: str
    organization_id: str
    end_user: str
    tags: str
    model_requested: str
    model_group: str
    model: str
    model_id: str
    provider: str
    api_base: str
    stream: bool
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    usage_source: str
    spend_usd: str
    spend_picodollars: int
    energy_wh: float
    error_code: str
    error_message: str
    service_tier: str


def export_row(record: CallRecord, *, operator: bool) -> ExportRow:
    """The row of a call; the upstream's address is for the operator."""
    usage = record.usage
    ended_at = record.ended_at or record.started_at
    said = record.error_message or ""
    return ExportRow(
        request_id=record.answer_id or record.call_id,
        call_id=record.call_id,
        start_time=iso(record.started_at),
        end_time=iso(ended_at),
        duration_ms=max(0, round((ended_at - record.started_at) * 1000)),
        status=record.status,
        http_status=record.http_status,
        call_type=record.operation,
        route=record.route,
        api_key=record.key_token,
        key_alias=record.key_alias or "",
        user_id=record.user_id or "",
        team_id=record.team_id or "",
        organization_id=record.organization_id or "",
        end_user=record.end_user or "",
        tags=",".join(record.tags),
        model_requested=record.model_requested,
        model_group=record.model_group,
        model=record.model,
        model_id=record.deployment_id,
        provider=record.provider,
        api_base=address_without_secrets(record.api_base) if operator else "",
        stream=record.stream,
        attempts=record.attempts,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        cached_tokens=usage.cached,
        cache_write_tokens=usage.cache_write,
        reasoning_tokens=usage.reasoning,
        usage_source=usage.source,
        spend_usd=exact_dollars(record.cost),
        spend_picodollars=record.cost,
        energy_wh=record.energy_mwh / 1000,
        error_code=record.error_code or "",
        error_message=said if operator else without_address(said, record.api_base, record.model_group),
        service_tier=usage.service,
    )
