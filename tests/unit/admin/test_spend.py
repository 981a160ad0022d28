from __future__ import annotations

import asyncio

import msgspec
import pytest

from pointsman.admin.keys import lookup
from pointsman.admin.spend.handlers import DaySpendRow, GlobalSpendReply
from pointsman.admin.spend.rows import SpendRow
from pointsman.core.identity import token_of
from pointsman.core.price import picodollars
from pointsman.core.usage import Usage
from tests.unit.admin.office_desk import MASTER, NOW, Desk, call_record

DAY = 86_400


async def test_a_row_tells_the_whole_call(desk: Desk) -> None:
    usage = Usage(prompt=10, completion=5, cached=3, reasoning=2, source="measured")
    await desk.ledger.append([
        call_record(
            "c-1", key_token="k", key_alias="alias", user_id="ann", usage=usage, provider="ollama", model="llama3:8b",
            api_base="http://u:pw@h:1/v1?key=x", first_token_at=NOW - 59.5, overhead_ms=0.25, tags=("t",), stream=True,
            attempts=1, peer="10.1.1.1", model_requested="gpt-4",
        )
    ])  # fmt: skip
    answer = await desk.ask("GET", "/spend/logs")
    (row,) = msgspec.json.decode(answer.body, type=list[SpendRow])
    assert (row.request_id, row.api_key, row.user, row.spend) == ("c-1", "k", "ann", 0.25)
    assert (row.total_tokens, row.prompt_tokens, row.completion_tokens) == (15, 10, 5)
    assert (row.request_duration_ms, row.model, row.model_group, row.status) == (1500, "llama3:8b", "llama3", "success")
    assert row.api_base == "http://h:1/v1"
    assert (row.metadata.usage_source, row.metadata.token_details.cached_tokens) == ("measured", 3)
    assert (row.metadata.time_to_first_token_ms, row.metadata.error_information) == (500.0, None)
    assert answer.json()[0]["startTime"].endswith("Z") and answer.json()[0]["messages"] == {}


@pytest.mark.parametrize(("service", "shown"), [("priority", "priority"), ("", None)])
async def test_the_service_tier_that_was_charged_is_shown(desk: Desk, service: str, shown: str | None) -> None:
    await desk.ledger.append([call_record("a", usage=Usage(10, 5, service=service))])
    (row,) = (await desk.ask("GET", "/spend/logs")).json()
    page = (await desk.ask("GET", "/spend/logs/v2?start_date=2000-01-01&end_date=2100-01-01")).json()["data"]
    assert row["metadata"]["service_tier"] == page[0]["metadata"]["service_tier"] == shown


async def test_prompts_are_shown_where_they_were_logged(desk: Desk) -> None:
    await desk.ledger.append([call_record("a", prompt=msgspec.Raw(b'{"messages":[1]}'), reply=msgspec.Raw(b'{"x":2}'))])
    (row,) = (await desk.ask("GET", "/spend/logs")).json()
    assert (row["messages"], row["response"]) == ({"messages": [1]}, {"x": 2})


async def test_a_key_does_not_learn_from_its_own_failures_where_the_upstream_is(desk: Desk) -> None:
    key = await desk.new_key()
    said = "Cannot reach the upstream at http://h:1/v1: refused."
    desk.spooled.append(
        call_record("c1", status="failure", error_code="x", error_message=said, api_base="http://h:1/v1", key_token=token_of(key))  # noqa: E501
    )  # fmt: skip
    for who, told in ((key, "Cannot reach the upstream at llama3: refused."), (MASTER, said)):
        (row,) = (await desk.ask("GET", "/spend/logs", key=who)).json()
        assert row["metadata"]["error_information"]["error_message"] == told
        assert ("http://h:1" in str(row)) is (who == MASTER)


@pytest.mark.parametrize("status", ["failure", "cancelled"])
async def test_what_did_not_succeed_is_a_failure_that_says_which(desk: Desk, status: str) -> None:
    failed = {"error_code": "upstream_timeout", "error_message": "silent", "http_status": 408}
    await desk.ledger.append([call_record("a", status=status, ended_at=0.0, **failed)])
    (row,) = (await desk.ask("GET", "/spend/logs")).json()
    assert (row["status"], row["metadata"]["status"]) == ("failure", status)
    assert row["metadata"]["error_information"] == {
        "error_code": "408", "error_class": "upstream_timeout", "error_message": "silent",
    }  # fmt: skip


async def test_rows_are_filtered_and_paged_latest_first(desk: Desk) -> None:
    key = await desk.new_key()
    await desk.ledger.append(
        [
            call_record(f"c{number}", started_at=NOW - number, key_token=token_of(key) if number % 2 else "other")
            for number in range(6)
        ]
    )

    async def asked(query: str) -> list[str]:
        return [row["request_id"] for row in (await desk.ask("GET", f"/spend/logs?{query}")).json()]

    assert await asked("") == ["c0", "c1", "c2", "c3", "c4", "c5"]
    assert await asked("limit=2&offset=3") == ["c3", "c4"]
    assert await asked(f"api_key={key}") == await asked(f"api_key={token_of(key)}") == ["c1", "c3", "c5"]
    assert await asked("request_id=c4") == ["c4"]
    for limit, cut in ((5, "true"), (6, "true"), (7, None)):
        answer = await desk.ask("GET", f"/spend/logs?limit={limit}")
        assert answer.headers.get("x-litellm-spend-logs-truncated") == cut


async def test_a_call_that_has_just_ended_is_there(desk: Desk) -> None:
    desk.spooled = [call_record("just-now")]
    assert [row["request_id"] for row in (await desk.ask("GET", "/spend/logs")).json()] == ["just-now"]


async def test_a_database_that_is_slow_to_take_in_calls_does_not_hold_up_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(lookup, "FLUSH_SECONDS_MAX", 0.01)
    assert (await Desk(flush=never).ask("GET", "/spend/logs")).json() == []


async def test_with_dates_there_are_sums_by_day(desk: Desk) -> None:
    await desk.ledger.append(
        [
            call_record("a", started_at=NOW - DAY, user_id="ann", key_token="k1"),
            call_record("b", started_at=NOW, user_id="ann", key_token="k1"),
            call_record("c", started_at=NOW, user_id="bob", key_token="k2", model_group="vip", cost=picodollars(1)),
        ]
    )
    query = "start_date=2026-09-20&end_date=2026-09-21"
    days = msgspec.json.decode((await desk.ask("GET", f"/spend/logs?{query}")).body, type=list[DaySpendRow])
    assert [day.start_time for day in days] == ["2026-09-20", "2026-09-21"]
    assert (days[1].spend, days[1].calls) == (1.25, 2)
    assert days[1].users == {"ann": 0.25, "bob": 1.0}
    assert days[1].models == {"llama3": 0.25, "vip": 1.0}
    assert days[1].api_keys == {"k1": 0.25, "k2": 1.0}
    flat = (await desk.ask("GET", f"/spend/logs?{query}")).json()[1]
    assert (flat["k1"], flat["k2"], flat["spend"]) == (0.25, 1.0, 1.25)
    only = (await desk.ask("GET", "/spend/logs?start_date=2026-09-21&end_date=2026-09-21")).json()
    assert [day["startTime"] for day in only] == ["2026-09-21"]
    bobs = (await desk.ask("GET", f"/spend/logs?{query}&user_id=bob")).json()
    assert [day["spend"] for day in bobs] == [1.0]


async def test_with_dates_and_without_summarize_there_are_rows(desk: Desk) -> None:
    await desk.ledger.append([call_record("a", started_at=NOW - DAY), call_record("b", started_at=NOW)])
    rows = (await desk.ask("GET", "/spend/logs?start_date=2026-09-21&summarize=false")).json()
    assert [row["request_id"] for row in rows] == ["b"]
    until = (await desk.ask("GET", "/spend/logs", end_date="2026-09-21T00:00:00Z", summarize="false")).json()
    assert [row["request_id"] for row in until] == ["a"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("start_date=yesterday", "start_date"),
        ("end_date=2026-13-01", "end_date"),
        ("start_date=2026-02-01&end_date=2026-01-01", "end_date"),
        ("end_date=9999-12-31", "end_date"),
        ("start_date=0001-01-01T00:00:00%2B14:00", "start_date"),
        ("limit=1001", "limit"),
        ("offset=-1", "offset"),
        ("summarize=perhaps", "summarize"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(desk: Desk, query: str, param: str) -> None:
    answer = await desk.ask("GET", f"/spend/logs?{query}")
    assert (answer.status, answer.error.param) == (400, param)


async def test_the_greatest_spenders_come_first(desk: Desk) -> None:
    for spend in (1, 3, 2):
        await desk.new_key(spend=spend, key_alias=f"s{spend}")
    assert [row["spend"] for row in (await desk.ask("GET", "/spend/keys")).json()] == [3.0, 2.0, 1.0]
    brief = (await desk.ask("GET", "/global/spend/keys?limit=1")).json()
    assert [(row["key_alias"], row["total_spend"]) for row in brief] == [("s3", 3.0)]


async def test_the_sum_of_everything(desk: Desk) -> None:
    usage = Usage(prompt=7, completion=3)
    await desk.ledger.append([call_record("a", usage=usage), call_record("b", usage=usage, status="failure")])
    reply = msgspec.json.decode((await desk.ask("GET", "/global/spend")).body, type=GlobalSpendReply)
    assert reply == GlobalSpendReply(0.5, None, 2, 1, 14, 6)
