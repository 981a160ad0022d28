from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.usage import Usage
from tests.unit.admin.office_desk import NOW, Desk, call_record, standard_table

LOCAL, CLOUD = "http://gpu1:11434", "https://r.azure.example/openai/deployments/x"
DAY = 86_400.0


def call(number: int, **changes: Any) -> Any:
    given = {"model": "llama", "api_base": LOCAL, "usage": Usage(completion=10), **changes}
    return call_record(f"c{number}", **given)


@pytest.fixture
def busy(desk: Desk) -> Desk:
    desk.spooled += [
        call(1, started_at=NOW - 10, ended_at=NOW - 8),
        call(2, started_at=NOW - 10, ended_at=NOW - 6, stream=True, first_token_at=NOW - 9.5),
        call(3, api_base=CLOUD, started_at=NOW - DAY, ended_at=NOW - DAY + 400, key_token="t", end_user="zoe"),
        call(4, status="failure", error_code="upstream_timeout", usage=Usage()),
        call(5, status="failure", error_code="upstream_timeout", usage=Usage(), model_group="other"),
        call(6, started_at=NOW - 40 * DAY, ended_at=NOW - 40 * DAY + 1),
    ]
    return desk


async def told(desk: Desk, path: str) -> Any:
    answer = await desk.ask("GET", path)
    assert answer.status == 200, answer.body
    return answer.json()


async def test_the_pace_is_told_by_day_and_series(busy: Desk) -> None:
    found = await told(busy, "/model/metrics")
    assert found == {
        "data": [
            {"date": "2026-09-20", "https://r.azure.example": 40.0},
            {"date": "2026-09-21", "llama-http://gpu1:11434": pytest.approx(0.3)},
        ],
        "all_api_bases": ["https://r.azure.example", "llama-http://gpu1:11434"],
    }
    assert (await told(busy, "/model/metrics?_selected_model_group=nobody"))["data"] == []
    assert len((await told(busy, "/model/metrics?customer=zoe"))["data"]) == 1
    assert len((await told(busy, "/model/metrics?startTime=2026-09-21&endTime=2026-09-21"))["data"]) == 1
    assert len((await told(busy, "/model/metrics?startTime=2026-01-01"))["data"]) == 3


async def test_the_first_token_is_told_by_day_and_on_one_day_by_stream(busy: Desk) -> None:
    assert (await told(busy, "/model/streaming_metrics"))["data"] == [
        {"date": "2026-09-21", "llama-http://gpu1:11434": 0.5}
    ]
    one = await told(busy, "/model/streaming_metrics?startTime=2026-09-21&endTime=2026-09-21")
    assert one == {
        "data": [{"date": "c2", "llama-http://gpu1:11434": 0.5}], "all_api_bases": ["llama-http://gpu1:11434"],
    }  # fmt: skip
    nobodys = "/model/streaming_metrics?startTime=2026-09-21&endTime=2026-09-21&_selected_model_group=nobody"
    assert (await told(busy, nobodys))["data"] == []


async def test_slow_calls_are_counted_by_address(busy: Desk) -> None:
    assert await told(busy, "/model/metrics/slow_responses") == [
        {"api_base": "https://r.azure.example", "total_count": 1, "slow_count": 1},
        {"api_base": LOCAL, "total_count": 4, "slow_count": 0},
    ]
    local = (await told(busy, "/model/metrics/slow_responses?slow_seconds=2"))[0]
    assert local == {"api_base": LOCAL, "total_count": 4, "slow_count": 2}


async def test_failures_are_counted_by_model_and_error(busy: Desk) -> None:
    assert await told(busy, "/model/metrics/exceptions?_selected_model_group=other") == {
        "data": [{"model": "llama-http://gpu1:11434", "total_exceptions": 1, "upstream_timeout": 1}],
        "exception_types": ["upstream_timeout"],
    }
    assert (await told(busy, "/model/metrics/exceptions"))["data"][0]["total_exceptions"] == 2


@pytest.mark.parametrize(
    "query", ["startTime=x", "endTime=0001-01-01", "startTime=2026-09-22&endTime=2026-09-01", "slow_seconds=0"]
)
async def test_a_span_that_is_none_is_refused(busy: Desk, query: str) -> None:
    assert (await busy.ask("GET", f"/model/metrics?{query}")).status == 400


async def test_a_key_sees_none_of_it(busy: Desk) -> None:
    key = await busy.new_key()
    assert (await busy.ask("GET", "/model/metrics", key=key)).status in {401, 403}


async def test_what_a_deployment_does_is_in_its_info_for_the_operator(desk: Desk) -> None:
    desk.lives.of(standard_table().deployments[0]).succeeded(12.0, 10.0, 10.5, 30)
    (row,) = (await told(desk, "/model/info?litellm_model_id=id-llama3"))["data"]
    found = row["model_info"]["performance"]
    assert (found["state"], found["latency_seconds"], found["tokens_per_second"]) == ("healthy", 2.0, 20.0)
    key = await desk.new_key()
    (row,) = (await desk.ask("GET", "/model/info?litellm_model_id=id-llama3", key=key)).json()["data"]
    assert "performance" not in row["model_info"]
