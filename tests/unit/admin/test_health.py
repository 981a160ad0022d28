from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin import Readiness
from pointsman.admin.health.deployments import HealthReply
from pointsman.admin.health.process import ReadinessReply
from pointsman.core.upstream import Deployment
from pointsman.core.usage import Usage
from pointsman.lifecycle.trial import Trial
from pointsman.policies.principal import Principal
from pointsman.providers.health import HealthSettings
from pointsman.providers.transport import FetchReply
from pointsman.routing.table import RoutingTable
from pointsman.stores.directory.kinds import HEALTH_HISTORIES
from pointsman.stores.directory.records import HealthHistory, HealthLine
from tests.unit.admin.office_desk import CANARY, Desk, deployment, found_host


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness"])
async def test_alive_is_said_without_a_key(desk: Desk, path: str) -> None:
    answer = await desk.ask("GET", path, key=None)
    assert (answer.status, answer.json()) == (200, "I'm alive!")


@pytest.mark.parametrize(
    ("now", "status", "said"),
    [
        (Readiness(), 200, "healthy"),
        (Readiness(database="disconnected", degraded=("The database does not answer.",)), 200, "degraded"),
        (Readiness(ready=False, degraded=("Shutting down.",)), 503, "shutting_down"),
    ],
)
async def test_readiness_is_a_status_and_a_reason(desk: Desk, now: Readiness, status: int, said: str) -> None:
    desk.readiness = now
    answer = await desk.ask("GET", "/health/readiness", key=None)
    reply = msgspec.json.decode(answer.body, type=ReadinessReply)
    assert (answer.status, reply.status, reply.db, reply.degraded) == (status, said, now.database, now.degraded)
    assert reply.litellm_version == "9.8.7"


async def test_the_backlog_is_what_is_under_way() -> None:
    desk = Desk(in_flight=lambda: 3)
    assert (await desk.ask("GET", "/health/backlog")).json() == {"in_flight_requests": 3}
    assert (await desk.ask("GET", "/health/backlog", key=None)).status == 401


async def test_health_follows_the_watched_servers_and_asks_the_others() -> None:
    desk = standing_desk(deployment(api_base="http://10.0.0.7:11434"))
    desk.hosts = (
        found_host("http://10.0.0.7:11434", online=False, problem="Connection refused."),
        found_host("http://10.0.0.8:8000", online=True, kind="vllm"),
    )
    reply = msgspec.json.decode((await desk.ask("GET", "/health")).body, type=HealthReply)
    assert (reply.healthy_count, reply.unhealthy_count) == (2, 1)
    (down,) = reply.unhealthy_endpoints
    assert (down.model_id, down.error, down.source) == ("id-llama3", "Connection refused.", "watched")
    assert {one.model_id: one.source for one in reply.healthy_endpoints} == {"id-vip": "watched", "id-far": "checked"}
    assert [host.online for host in reply.hosts] == [False, True]
    assert desk.wire.asked == ["https://api.example/v1/models"]
    groups = (await desk.ask("GET", "/model_group/info")).json()["data"]
    assert {row["model_group"]: row["health_status"] for row in groups} == {
        "llama3": "unhealthy", "vip": "healthy", "far": "healthy",
    }  # fmt: skip
    listed = (await desk.ask("GET", "/v1/models")).json()["data"]
    assert [row["id"] for row in listed if row.get("status") == "offline"] == ["llama3"]
    left = (await desk.ask("GET", "/v1/models?healthy_only=true")).json()["data"]
    assert [row["id"] for row in left] == ["vip", "far"]


@pytest.mark.parametrize(
    ("query", "status", "count"),
    [
        ("model=vip", 200, 1),
        ("model=openai/vip", 200, 1),
        ("model_id=id-far", 200, 1),
        ("model=x", 503, 0),
        ("model=llama3", 503, 0),
    ],
)
async def test_health_of_one_model_is_a_status(query: str, status: int, count: int) -> None:
    answer = await standing_desk(deployment()).ask("GET", f"/health?{query}")
    assert (answer.status, answer.json()["healthy_count"]) == (status, count)


async def test_an_unknown_id_is_not_found() -> None:
    assert (await standing_desk().ask("GET", "/health?model_id=nobody")).status == 404


async def test_a_key_is_told_what_is_wrong_and_not_where() -> None:
    desk = standing_desk(deployment(api_base="http://10.9.9.9:11434"))
    key = await desk.new_key(models=["llama3"])
    answer = await desk.ask("GET", "/health", key=key)
    (row,) = answer.json()["unhealthy_endpoints"]
    assert "Cannot reach" in row["error"] and row["hop"] == "connection"
    assert b"10.9.9.9" not in answer.body
    assert "api_base" in answer.headers["litellm-health-field-notice"]
    for path in ("/health/latest", "/health/history"):
        found = await desk.ask("GET", path, key=key)
        assert b"llama3" in found.body and b"10.9.9.9" not in found.body and b"far" not in found.body


async def test_history_is_in_the_words_of_litellm() -> None:
    desk = standing_desk(deployment())
    await desk.ask("GET", "/health")
    desk.clock.now += 60
    tags = reply_of(b'{"models":[{"name":"llama3:latest"}]}')
    desk.wire.replies[f"http://10.0.0.7:11434/api/tags?key={CANARY}"] = tags
    await desk.ask("GET", "/health")
    told = (await desk.ask("GET", "/health/history?model=llama3")).json()
    assert [row["status"] for row in told["health_checks"]] == ["healthy", "unhealthy"]
    assert (told["total_records"], told["limit"], told["offset"]) == (2, 100, 0)
    ill = (await desk.ask("GET", "/health/history?status_filter=unhealthy&limit=1")).json()["health_checks"]
    assert [(row["model_name"], row["healthy_count"], row["unhealthy_count"]) for row in ill] == [("llama3", 0, 1)]
    latest = (await desk.ask("GET", "/health/latest")).json()
    assert latest["total_models"] == 3
    assert latest["latest_health_checks"]["id-llama3"]["status"] == "healthy"


async def test_the_last_check_is_that_of_any_process() -> None:
    desk = standing_desk(deployment())
    at = desk.clock.wall()
    for number, (name, later, healthy) in enumerate((("id-llama3", -60.0, True), ("id-cloud", 60.0, False))):
        line = HealthLine(f"hc-{number}", healthy, at + later, 0.5, None, "elsewhere")
        history = HealthHistory(deployment_id=name, model_name=name, lines=(line,), created_at=at, updated_at=at)
        await desk.office.directory.insert(HEALTH_HISTORIES, history)
    before = (await desk.ask("GET", "/health/latest")).json()["latest_health_checks"]
    assert before["id-llama3"]["checked_by"] == "elsewhere" and before["id-llama3"]["status"] == "healthy"
    await desk.ask("GET", "/health")
    after = (await desk.ask("GET", "/health/latest")).json()["latest_health_checks"]
    assert (after["id-llama3"]["status"], after["id-llama3"]["checked_by"]) != ("healthy", "elsewhere")


async def test_the_operator_is_told_who_rests() -> None:
    desk = standing_desk()
    live = desk.lives.of(desk.office.table().deployments[0])
    live.failed(desk.clock.monotonic(), "upstream_timeout")
    live.rests_until = desk.clock.monotonic() + 7.0
    (row,) = (await desk.ask("GET", "/health?model=vip")).json()["healthy_endpoints"]
    assert row["notes"] == ["It rests for 7 s more, after upstream_timeout."]


async def test_details_are_left_out_on_demand() -> None:
    desk = standing_desk()
    desk.health.settings = HealthSettings(details=False)
    (row, *_) = (await desk.ask("GET", "/health")).json()["healthy_endpoints"]
    assert set(row) == {"model", "model_id", "model_name"}


async def test_a_test_calls_what_is_configured_and_tells_what_came_of_it() -> None:
    called: list[str] = []

    async def try_model(one: Deployment, mode: str | None, caller: Principal) -> Trial:
        called.append(f"{one.id} {mode}")
        usage = Usage(source="measured", prompt=3, completion=1)
        return Trial(1.0, sent_at=1.0, heard_at=1.5, ended_at=2.0, usage=usage)

    desk = standing_desk(try_model=try_model)
    body = {"litellm_params": {"model": "openai/far"}, "mode": "chat"}
    told = (await desk.ask("POST", "/health/test_connection", body=body)).json()
    assert (told["status"], told["result"]["time_to_first_token_ms"], told["result"]["prompt_tokens"]) == (
        "success", 500.0, 3,
    )  # fmt: skip
    await desk.ask("POST", "/health/test_connection", body={"model_info": {"id": "id-vip"}})
    assert called == ["id-far chat", "id-vip None"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"litellm_params": {"model": "far", "api_base": "http://169.254.169.254"}}, 400),
        ({"litellm_params": {"model": "far", "api_key": "sk-x"}}, 400),
        ({"litellm_params": {"model": "nobody"}}, 404),
        ({"model_info": {"id": "nobody"}}, 404),
        ({}, 400),
        ({"litellm_params": {"model": 7}}, 400),
    ],
)
async def test_a_test_takes_no_address_and_no_key_of_the_caller(body: dict[str, object], status: int) -> None:
    assert (await standing_desk().ask("POST", "/health/test_connection", body=body)).status == status


def standing_desk(*more: Deployment, **parts: Any) -> Desk:
    """Two models whose server answers, and ``more``."""
    rest = [
        deployment("vip", provider="openai", litellm_model="openai/vip", api_base="http://10.0.0.8:8000/v1"),
        deployment("far", provider="openai", litellm_model="openai/far", api_base="https://api.example/v1"),
    ]
    desk = Desk(table=lambda: RoutingTable([*more, *rest]), **parts)
    for base, name in (("http://10.0.0.8:8000", "vip"), ("https://api.example", "far")):
        desk.wire.replies[f"{base}/v1/models"] = reply_of(b'{"data":[{"id":"%b"}]}' % name.encode())
    return desk


def reply_of(body: bytes) -> FetchReply:
    return FetchReply(200, (), body)
