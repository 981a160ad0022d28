from __future__ import annotations

import msgspec
import pytest

from pointsman.admin import Readiness
from pointsman.admin.health import HealthReply, ReadinessReply
from tests.unit.admin.office_desk import Desk, deployment, found_host


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


async def test_health_follows_the_watched_servers(desk: Desk) -> None:
    plain = deployment(api_base="http://10.0.0.7:11434")
    desk = Desk(table=lambda: _table(plain))
    desk.hosts = (
        found_host("http://10.0.0.7:11434", online=False, problem="Connection refused."),
        found_host("http://10.0.0.8:8000", online=True),
    )
    reply = msgspec.json.decode((await desk.ask("GET", "/health")).body, type=HealthReply)
    assert (reply.healthy_count, reply.unhealthy_count) == (2, 1)
    (down,) = reply.unhealthy_endpoints
    assert (down.model_id, down.error, down.source) == ("id-llama3", "Connection refused.", "watched")
    assert {one.model_id: one.source for one in reply.healthy_endpoints} == {
        "id-vip": "watched",
        "id-far": "not watched",
    }
    assert [host.online for host in reply.hosts] == [False, True]
    groups = (await desk.ask("GET", "/model_group/info")).json()["data"]
    assert {row["model_group"]: row["health_status"] for row in groups} == {
        "llama3": "unhealthy", "vip": "healthy", "far": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "count"), [("model=vip", 1), ("model=ollama_chat/vip", 1), ("model_id=id-far", 1), ("model=x", 0)]
)
async def test_health_of_some(query: str, count: int) -> None:
    desk = Desk(table=lambda: _table(deployment()))
    assert (await desk.ask("GET", f"/health?{query}")).json()["healthy_count"] == count


def _table(*more: object) -> object:
    from pointsman.routing.table import RoutingTable

    rest = [deployment("vip", api_base="http://10.0.0.8:8000/v1"), deployment("far", api_base="https://api.example/v1")]
    return RoutingTable([*more, *rest])  # type: ignore[list-item]
