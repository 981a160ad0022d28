"""Records with every field set, so that a field that gets lost is missed."""

from __future__ import annotations

from typing import Any

import msgspec

from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.core.trace import Dropped, FailedAttempt, RouteTrace
from pointsman.core.usage import Units, Usage

DAY = 86_400.0
NOON = 20_000 * DAY + DAY / 2
"""2024-10-04, 12:00 UTC."""


def full_key(token: str = "t1", **changes: Any) -> KeyRecord:
    record = KeyRecord(
        token=token,
        key_name="sk-…abcd",
        key_alias=f"alias of {token}",
        models=("gpt-*", "llama3"),
        aliases={"fast": "llama3"},
        metadata=msgspec.Raw(b'{"team":"a","n":[1,2.5,null]}'),
        user_id="user-1",
        team_id="team-1",
        spend=0,
        max_budget=5_000_000_000_000,
        soft_budget=4_000_000_000_000,
        budget_duration="30d",
        budget_reset_at=NOON + 30 * DAY,
        rpm_limit=10,
        tpm_limit=1000,
        max_parallel_requests=3,
        expires=NOON + 90 * DAY,
        blocked=True,
        tags=("prod", "null"),
        created_at=NOON,
        updated_at=NOON,
        created_by="admin",
        last_active=NOON - 5.5,
        extra=msgspec.Raw(b'{"permissions":{}}'),
    )
    return msgspec.structs.replace(record, **changes)


def bare_key(token: str = "t1", **changes: Any) -> KeyRecord:
    return msgspec.structs.replace(KeyRecord(token=token, key_name="sk-…"), **changes)


def full_call(call_id: str = "c1", **changes: Any) -> CallRecord:
    record = CallRecord(
        call_id=call_id,
        operation="chat",
        route="/v1/chat/completions",
        started_at=NOON,
        ended_at=NOON + 2.5,
        first_token_at=NOON + 0.25,
        status="failure",
        http_status=502,
        error_code="upstream_broken",
        error_message="cut off \x00 here",
        key_token="t1",
        key_alias="null",
        user_id="user-1",
        team_id="team-1",
        organization_id="org-1",
        end_user="Zoë",
        model_requested="gpt-5",
        model_group="gpt-5",
        deployment_id="d1",
        model="gpt-5-2025",
        provider="openai",
        api_base="https://api.example",
        trace=RouteTrace(
            "loaded",
            "warm-first",
            2,
            (Dropped("d2", "resting"),),
            3,
            (FailedAttempt("d3", "timeout", 1.5),),
            ("spare",),
            ("night",),
            12.5,
        ),
        usage=Usage(100, 50, 10, 5, 20, 2, 3, "measured", Units(1, 2, 3, 4, 5, 6), "flex"),
        cost=1234,
        attempts=2,
        stream=True,
        overhead_ms=0.75,
        tags=("a", "b"),
        charges=("project/p-1", "model_group/g-1"),
        peer="127.0.0.1",
        prompt=msgspec.Raw(b'{"messages":[]}'),
        reply=msgspec.Raw(b'{"choices":[]}'),
        energy_mwh=9_722,
        energy_cost=2_236_060_000,
        answer_id="chatcmpl-Zoë 1",
    )
    return msgspec.structs.replace(record, **changes)


def bare_call(call_id: str = "c1", **changes: Any) -> CallRecord:
    record = CallRecord(call_id, "chat", "/v1/chat/completions", NOON, NOON + 1, deployment_id="d1", model_group="m")
    return msgspec.structs.replace(record, **changes)
