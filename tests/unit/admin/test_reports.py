"""Reports over the ledger's sums: their shapes, their figures, and who may look at them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pointsman.admin.spend.daily_shapes import SpendAnalyticsReply
from pointsman.admin.spend.export_rows import export_row
from pointsman.core.identity import token_of
from pointsman.core.price import picodollars
from pointsman.core.usage import Usage
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import Limits, Team, TeamMember, User
from pointsman.wire.csv_lines import csv_line
from tests.stores.samples import bare_call, full_call
from tests.unit.admin.office_desk import MASTER, NOW, Desk, call_record

DAY = 86_400
TODAY = datetime.fromtimestamp(NOW, UTC).date().isoformat()
YESTERDAY = datetime.fromtimestamp(NOW - DAY, UTC).date().isoformat()
LABEL = datetime.fromtimestamp(NOW, UTC).strftime("%b %d")
SPAN = f"start_date={YESTERDAY}&end_date={TODAY}"
NOON_OF = (NOW, NOW - DAY)


async def fill(desk: Desk) -> tuple[str, str]:
    """Two users' keys, the first in a team that its user administers, and calls of both and of nobody."""
    await desk.directory.insert(USERS, User(user_id="ann", email="ann@example.org"))
    await desk.directory.insert(USERS, User(user_id="bob"))
    await desk.directory.insert(TEAMS, Team(team_id="t1", alias="Search"))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t1", user_id="ann", role="admin"))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t1", user_id="bob"))
    ann = await desk.new_key(user_id="ann", team_id="t1", key_alias="anns")
    bob = await desk.new_key(user_id="bob", team_id="t1")
    usage = Usage(prompt=10, completion=5, cached=4, source="measured")
    common: dict[str, Any] = {"usage": usage, "provider": "ollama", "model": "llama3:8b"}
    await desk.ledger.append([
        call_record(
            "c1", key_token=token_of(ann), user_id="ann", team_id="t1", tags=("web", "User-Agent: x/1"),
            end_user="cust", started_at=NOW - 60, **common,
        ),
        call_record(
            "c2", key_token=token_of(bob), user_id="bob", team_id="t1", tags=("web",), cost=picodollars("0.5"),
            started_at=NOW - DAY, ended_at=NOW - DAY + 1, **common,
        ),
        call_record(
            "c3", key_token="other", cost=picodollars("1"), provider="openai", model="gpt-x", model_group="gpt"
        ),
        call_record(
            "c4", key_token="other", cost=0, status="failure", http_status=429, api_base="http://one.example:1/v1?k=s"
        ),
    ])  # fmt: skip
    return ann, bob


async def asked(desk: Desk, target: str, key: str | None = MASTER, body: object = None) -> Any:
    answer = await desk.ask("GET" if body is None else "POST", target, body, key=key)
    assert answer.status == 200, (target, answer.body)
    return answer.json()


async def test_what_each_day_model_and_provider_cost(desk: Desk) -> None:
    ann, _ = await fill(desk)
    assert await asked(desk, "/global/spend/logs") == [
        {"date": YESTERDAY, "spend": 0.5}, {"date": TODAY, "spend": 1.25}
    ]  # fmt: skip
    assert await asked(desk, f"/global/spend/logs?api_key={ann}") == [{"date": TODAY, "spend": 0.25}]
    models = await asked(desk, "/global/spend/models?limit=2")
    assert models == [
        {"model": "gpt-x", "total_spend": 1.0, "total_tokens": 0},
        {"model": "llama3:8b", "total_spend": 0.75, "total_tokens": 30},
    ]
    assert await asked(desk, f"/global/spend/provider?{SPAN}") == [
        {"provider": "openai", "spend": 1.0}, {"provider": "ollama", "spend": 0.75}
    ]  # fmt: skip


async def test_teams_by_day_and_those_that_have_none(desk: Desk) -> None:
    await fill(desk)
    assert await asked(desk, "/global/spend/teams") == {
        "daily_spend": [
            {"date": YESTERDAY, "Search": 0.5},
            {"date": TODAY, "Unassigned": 1.0, "Search": 0.25},
        ],
        "teams": ["Unassigned", "Search"],
        "total_spend_per_team": [
            {"team_id": "Unassigned", "total_spend": 1.0}, {"team_id": "Search", "total_spend": 0.75}
        ],
    }  # fmt: skip


async def test_tags_and_customers(desk: Desk) -> None:
    await fill(desk)
    rows = await asked(desk, "/spend/tags")
    assert rows == [
        {"individual_request_tag": "web", "log_count": 2, "total_spend": 0.75},
        {"individual_request_tag": "User-Agent: x/1", "log_count": 1, "total_spend": 0.25},
    ]
    assert await asked(desk, f"/global/spend/tags?{SPAN}&tags=web") == {
        "spend_per_tag": [{"name": "web", "spend": 0.75, "log_count": 2}]
    }
    assert await asked(desk, "/global/spend/all_tag_names") == {"tag_names": ["User-Agent: x/1", "web"]}
    assert await asked(desk, "/global/all_end_users") == {"end_users": ["cust"]}
    assert await asked(desk, "/global/spend/end_users", body={}) == [
        {"end_user": "cust", "total_count": 1, "total_spend": 0.25}
    ]


async def test_activity_by_day_and_model(desk: Desk) -> None:
    await fill(desk)
    found = await asked(desk, f"/global/activity?{SPAN}")
    assert found["daily_data"][1] == {"date": LABEL, "api_requests": 3, "total_tokens": 15}
    assert (found["sum_api_requests"], found["sum_total_tokens"]) == (4, 30)
    models = await asked(desk, f"/global/activity/model?{SPAN}")
    assert [(one["model"], one["sum_api_requests"]) for one in models] == [("llama3", 3), ("gpt", 1)]
    cached = await asked(desk, f"/global/activity/cache_hits?{SPAN}")
    assert cached["totals"] == {
        "api_requests": 3, "cache_hits": 0, "failed_requests": 1, "cached_completion_tokens": 0, "cache_hit_ratio": 0.0
    }  # fmt: skip


async def test_refusals_with_429_by_day_and_host(desk: Desk) -> None:
    await fill(desk)
    assert await asked(desk, f"/global/activity/exceptions?model_group=llama3&{SPAN}") == {
        "daily_data": [{"date": LABEL, "num_rate_limit_exceptions": 1}], "sum_num_rate_limit_exceptions": 1
    }  # fmt: skip
    (host,) = await asked(desk, f"/global/activity/exceptions/deployment?model_group=llama3&{SPAN}")
    assert (host["api_base"], host["sum_num_rate_limit_exceptions"]) == ("http://one.example:1", 1)


async def test_the_report_by_team_names_models_and_keys(desk: Desk) -> None:
    ann, bob = await fill(desk)
    model = {"model": "llama3:8b", "total_tokens": 15}
    days = await asked(desk, f"/global/spend/report?{SPAN}")
    assert days[0] == {
        "group_by_day": f"{YESTERDAY}T00:00:00+00:00",
        "teams": [
            {
                "team_name": "Search",
                "total_spend": 0.5,
                "metadata": [{**model, "api_key": token_of(bob), "spend": 0.5}],
            }
        ],
    }
    names = {team["team_name"]: team["total_spend"] for team in days[1]["teams"]}
    assert names == {"Search": 0.25, "Unassigned Team": 1.0}
    (only,) = await asked(desk, f"/global/spend/report?start_date={TODAY}&end_date={TODAY}&team_id=t1")
    assert [team["team_name"] for team in only["teams"]] == ["Search"]
    (customers,) = await asked(desk, f"/global/spend/report?{SPAN}&group_by=customer")
    assert customers["customers"] == [
        {"customer": "cust", "total_spend": 0.25, "metadata": [{**model, "api_key": token_of(ann), "spend": 0.25}]}
    ]
    (both,) = await asked(desk, f"/global/spend/report?{SPAN}&team_id=t1&customer_id=cust")
    assert both["teams_customers"][0]["total_spend"] == 0.25


async def test_a_report_names_only_so_many_and_adds_up_the_rest(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(desk)
    answer = await desk.ask("GET", f"/global/spend/report?{SPAN}&limit=1")
    assert answer.headers["x-pointsman-report-shortened"] == "true"
    assert [[(team["team_name"], team["total_spend"]) for team in day["teams"]] for day in answer.json()] == [
        [("(others)", 0.5)],
        [("Unassigned Team", 1.0), ("(others)", 0.25)],
    ]
    monkeypatch.setattr("pointsman.admin.spend.sight._LINES_MAX", 1)
    days = await asked(desk, f"/global/spend/report?{SPAN}")
    assert {one["api_key"] for day in days for team in day["teams"] for one in team["metadata"]} == {""}
    assert sum(team["total_spend"] for day in days for team in day["teams"]) == 1.75


async def test_with_very_many_keys_reports_of_everybody_name_the_dearest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = map(token_of, await fill(desk))
    monkeypatch.setattr("pointsman.admin.spend.sight._LINES_MAX", 1)
    monkeypatch.setattr("pointsman.admin.spend.handlers._NAMED_MAX", 1)
    answer = await desk.ask("GET", f"/spend/logs?{SPAN}&summarize=true")
    assert answer.headers["x-litellm-spend-logs-truncated"] == "true"
    yesterday, today = answer.json()
    assert (yesterday["spend"], yesterday["calls"]) == (0.5, 1)
    assert (yesterday["users"], yesterday["api_keys"], yesterday[bob]) == ({"bob": 0.5}, {bob: 0.5}, 0.5)
    assert (today["users"], today["api_keys"]) == ({"(others)": 1.25}, {"(others)": 1.25})
    assert sum(today["models"].values()) == today["spend"] == 1.25

    answer = await desk.ask("GET", f"/global/spend/report?{SPAN}&group_by=api_key")
    assert answer.headers["x-pointsman-report-shortened"] == "true"
    assert [(one["api_key"], one["total_cost"]) for one in answer.json()] == [(bob, 0.5), (ann, 0.25)]

    answer = await desk.ask("GET", f"/global/spend/report?{SPAN}&group_by=customer")
    assert answer.headers["x-pointsman-report-shortened"] == "true"
    (customer,) = answer.json()[0]["customers"]
    assert (customer["total_spend"], customer["metadata"][0]["api_key"]) == (0.25, "")
    named = await asked(desk, f"/global/spend/report?{SPAN}&group_by=customer&customer_id=cust")
    assert named[0]["customers"][0]["metadata"][0]["api_key"] == ann

    for target, entity, told in (
        (f"/tag/daily/activity?{SPAN}", "web", False),
        (f"/tag/daily/activity?{SPAN}&api_key={ann}", "web", True),
        (f"/customer/daily/activity?{SPAN}", "cust", False),
        (f"/customer/daily/activity?{SPAN}&end_user_ids=cust", "cust", True),
    ):
        day = (await asked(desk, target))["results"][0]
        assert day["breakdown"]["entities"][entity]["metrics"]["spend"] == 0.25, target
        assert bool(day["breakdown"]["api_keys"]) == told, target


async def test_reports_by_key(desk: Desk) -> None:
    ann, _ = await fill(desk)
    detail = {"model": "llama3:8b", "total_cost": 0.25, "total_input_tokens": 10, "total_output_tokens": 5}
    report = {
        "api_key": token_of(ann), "total_cost": 0.25, "total_input_tokens": 10, "total_output_tokens": 5,
        "model_details": [detail],
    }  # fmt: skip
    for target, key in (
        (f"/global/spend/report?{SPAN}&api_key={ann}", MASTER),
        (f"/global/spend/report?{SPAN}&internal_user_id=ann", MASTER),
        (f"/key/spend/report?{SPAN}", ann), (f"/user/spend/report?{SPAN}", ann),
        (f"/user/spend/report?{SPAN}&internal_user_id=ann", MASTER),
        (f"/key/spend/report?{SPAN}&api_key={ann}", MASTER),
    ):  # fmt: skip
        assert await asked(desk, target, key) == [report], target
    by_key = await asked(desk, f"/global/spend/report?{SPAN}&group_by=api_key")
    assert [one["total_cost"] for one in by_key] == [1.0, 0.5, 0.25]
    team = await asked(desk, f"/team/spend/report?{SPAN}", ann)
    assert [one["total_cost"] for one in team] == [0.5, 0.25]


@pytest.mark.parametrize(
    "target",
    [
        "/global/spend/teams", f"/global/spend/report?{SPAN}", f"/global/activity/exceptions?model_group=m&{SPAN}",
        "/tag/dau", f"/tag/summary?{SPAN}", f"/key/spend/report?{SPAN}&api_key=other",
        f"/user/spend/report?{SPAN}&internal_user_id=ann", f"/team/spend/report?{SPAN}&team_id=t2",
        f"/organization/spend/report?{SPAN}&organization_id=o", f"/user/daily/activity?{SPAN}&user_id=ann",
        f"/user/daily/activity?{SPAN}&api_key=other", f"/team/daily/activity?{SPAN}&team_ids=t2",
        f"/organization/daily/activity?{SPAN}", "/spend/logs/v2?api_key=other", "/spend/export?api_key=other",
        "/global/spend",
    ],
)  # fmt: skip
async def test_nobody_sees_what_others_spent(desk: Desk, target: str) -> None:
    _, bob = await fill(desk)
    answer = await desk.ask("GET", target, key=bob)
    assert answer.status == 403, answer.body


async def test_a_user_sees_what_their_own_keys_did(desk: Desk) -> None:
    _, bob = await fill(desk)
    assert await asked(desk, "/global/spend/logs", bob) == [{"date": YESTERDAY, "spend": 0.5}]
    assert [one["model"] for one in await asked(desk, "/global/spend/models", bob)] == ["llama3:8b"]
    assert (await asked(desk, f"/global/activity?{SPAN}", bob))["sum_api_requests"] == 1
    assert [one["individual_request_tag"] for one in await asked(desk, "/spend/tags", bob)] == ["web"]
    assert [row["request_id"] for row in (await asked(desk, "/spend/logs/v2", bob))["data"]] == ["c2"]
    assert [row["request_id"] for row in await asked(desk, "/spend/logs", bob)] == ["c2"]
    assert [row["spend"] for row in await asked(desk, "/spend/keys", bob)] == [0.5]
    assert await asked(desk, "/spend/users", bob) == [], "a key of a team does not see what its user spent elsewhere"
    own = await desk.new_key(user_id="bob")
    assert [row["user_id"] for row in await asked(desk, "/spend/users", own)] == ["bob"]
    mine = await asked(desk, f"/team/daily/activity?{SPAN}&team_ids=t1", bob)
    assert mine["metadata"]["total_spend"] == 0.5, "a plain member of the team"
    (row,) = (await asked(desk, f"/team/spend/by_user?{SPAN}&team_ids=t1", bob))["results"]
    assert row["user_id"] == "bob"


@pytest.mark.parametrize(
    ("asks", "found"),
    [
        ("session_id=c2", ["c2"]), ("search=c2", ["c2"]), ("search=c1", []), ("cache_hit_filter=hit", []),
        ("cache_hit_filter=miss", ["c2"]), ("span_type=mcp", []), ("span_type=llm", ["c2"]),
        ("used_client_oauth_token=true", []), ("used_client_oauth_token=false", ["c2"]),
    ],
)  # fmt: skip
async def test_what_no_call_is_here_is_found_nowhere(desk: Desk, asks: str, found: list[str]) -> None:
    _, bob = await fill(desk)
    assert [row["request_id"] for row in (await asked(desk, f"/spend/logs/v2?{asks}", bob))["data"]] == found


async def test_an_admin_of_a_team_sees_what_the_team_did(desk: Desk) -> None:
    ann, _ = await fill(desk)
    assert [row["request_id"] for row in (await asked(desk, "/spend/logs/v2", ann))["data"]] == ["c1", "c2"]
    assert (await asked(desk, f"/team/daily/activity?{SPAN}", ann))["metadata"]["total_spend"] == 0.75
    rows = (await asked(desk, f"/team/spend/by_user?{SPAN}&team_ids=t1", ann))["results"]
    assert [(row["user_id"], row["user_email"], row["team_alias"], row["spend"]) for row in rows] == [
        ("bob", None, "Search", 0.5), ("ann", "ann@example.org", "Search", 0.25)
    ]  # fmt: skip


async def test_a_key_that_only_bears_a_name_sees_itself(desk: Desk) -> None:
    await fill(desk)
    key = await desk.new_key(user_id="nobody-known")
    await desk.ledger.append([call_record("mine", key_token=token_of(key), user_id="nobody-known")])
    await desk.ledger.append([call_record("not-mine", key_token="x", user_id="nobody-known")])
    assert [row["request_id"] for row in (await asked(desk, "/spend/logs/v2", key))["data"]] == ["mine"]


async def test_daily_activity_has_every_breakdown(desk: Desk) -> None:
    ann, bob = await fill(desk)
    answer = await desk.ask("GET", f"/user/daily/activity?{SPAN}")
    reply = msgspec.json.decode(answer.body, type=SpendAnalyticsReply)
    assert [day.date for day in reply.results] == [TODAY, YESTERDAY]
    today, before = reply.results
    assert (today.metrics.spend, today.metrics.api_requests, today.metrics.failed_requests) == (1.25, 3, 1)
    assert (before.metrics.prompt_tokens, before.metrics.cache_read_input_tokens) == (10, 4)
    assert before.metrics.total_response_time_ms == 1000
    assert set(today.breakdown.models) == {"llama3:8b", "gpt-x", "llama3"}
    assert set(today.breakdown.providers) == {"ollama", "openai", "unknown"}
    assert set(today.breakdown.endpoints) == {"/chat/completions"}
    assert today.breakdown.model_groups["llama3"].metrics.api_requests == 2
    assert today.breakdown.api_keys[token_of(ann)].metadata.key_alias == "anns"
    assert today.breakdown.api_keys["other"].metadata.key_exists is False
    assert today.breakdown.entities["ann"].metrics.spend == 0.25
    assert before.breakdown.models["llama3:8b"].api_key_breakdown[token_of(bob)].metrics.spend == 0.5
    assert (reply.metadata.total_spend, reply.metadata.total_pages, reply.metadata.has_more) == (1.75, 1, False)


async def test_daily_activity_is_paged_by_days(desk: Desk) -> None:
    await fill(desk)
    second = await asked(desk, f"/team/daily/activity?{SPAN}&page=2&page_size=1")
    assert [day["date"] for day in second["results"]] == [YESTERDAY]
    assert second["metadata"]["has_more"] is False
    whole = await asked(desk, f"/team/daily/activity/aggregated?{SPAN}&page=2&page_size=1")
    assert len(whole["results"]) == 2
    assert whole["results"][0]["breakdown"]["entities"]["t1"]["metadata"] == {"team_alias": "Search"}


@pytest.mark.parametrize(
    ("target", "spend"),
    [
        (f"/team/daily/activity?{SPAN}", 0.75), (f"/team/daily/activity?{SPAN}&team_ids=t1", 0.75),
        (f"/team/daily/activity?{SPAN}&exclude_team_ids=t1", 0.0), (f"/tag/daily/activity?{SPAN}&tags=web", 0.75),
        (f"/customer/daily/activity?{SPAN}", 0.25), (f"/end_user/daily/activity?{SPAN}&end_user_ids=nobody", 0.0),
        (f"/customer/daily/activity?{SPAN}&exclude_end_user_ids=cust", 0.0),
        (f"/user/daily/activity?{SPAN}&user_id=bob", 0.5), (f"/user/daily/activity?{SPAN}&api_key=other", 1.0),
        (f"/user/daily/activity?{SPAN}&model=gpt", 1.0), (f"/organization/daily/activity?{SPAN}", 0.0),
    ],
)  # fmt: skip
async def test_daily_activity_of_those_asked_for(desk: Desk, target: str, spend: float) -> None:
    await fill(desk)
    assert (await asked(desk, target))["metadata"]["total_spend"] == spend


async def test_users_of_tags(desk: Desk) -> None:
    await fill(desk)
    assert await asked(desk, "/tag/distinct") == {"results": [{"tag": "web"}, {"tag": "User-Agent: x/1"}]}
    days = (await asked(desk, "/tag/dau?tag_filters=web"))["results"]
    assert [(one["date"], one["active_users"]) for one in days] == [(TODAY, 1), (YESTERDAY, 1)]
    both = (await asked(desk, "/tag/dau?tag_filters=web&tag_filters=User-Agent:%20x/1"))["results"]
    assert {one["tag"] for one in both} == {"web", "User-Agent: x/1"}
    (week,) = (await asked(desk, "/tag/wau?tag_filter=WE"))["results"]
    assert (week["tag"], week["active_users"], week["period_end"]) == ("web", 2, TODAY)
    assert week["date"].startswith("Week 7 (")
    assert len((await asked(desk, "/tag/mau"))["results"]) == 2
    summary = (await asked(desk, f"/tag/summary?{SPAN}"))["results"]
    assert summary[0] == {
        "tag": "web", "unique_users": 2, "total_requests": 2, "successful_requests": 2, "failed_requests": 0,
        "total_tokens": 30, "total_spend": 0.75,
    }  # fmt: skip
    people = await asked(desk, "/tag/user-agent/per-user-analytics?tag_filter=agent")
    assert people["total_count"] == 1
    assert people["results"][0]["user_agent"] == "User-Agent: x/1"
    assert people["results"][0]["user_email"] == "ann@example.org"


async def test_calls_are_listed_by_filters_page_by_page(desk: Desk) -> None:
    ann, _ = await fill(desk)

    async def found(query: str) -> list[str]:
        return [row["request_id"] for row in (await asked(desk, f"/spend/logs/ui?{query}"))["data"]]

    assert await found("status_filter=failure") == ["c4"]
    assert await found("team_id=t1&end_user=cust") == ["c1"]
    assert await found("min_spend=0.3&max_spend=0.6") == ["c2"]
    assert await found("key_alias=&error_code=429") == ["c4"]
    assert await found(f"api_key={ann}") == ["c1"]
    assert await found("request_id=c3") == ["c3"]
    assert await found(f"end_date={YESTERDAY}") == ["c2"]
    page = await asked(desk, "/spend/logs/v2?page_size=3")
    assert (page["total"], page["total_pages"], page["total_is_capped"]) == (4, 2, False)
    rest = await asked(desk, f"/spend/logs/v2?page_size=3&cursor={page['next_cursor']}")
    assert [row["request_id"] for row in rest["data"]] == ["c2"]
    assert [row["request_id"] for row in (await asked(desk, "/spend/logs/v2?page_size=3&page=2"))["data"]] == ["c2"]
    assert (await desk.ask("GET", "/spend/logs/v2?sort_by=spend")).status == 400


async def test_what_was_said_is_shown_to_whom_it_concerns(desk: Desk) -> None:
    ann, bob = await fill(desk)
    said = msgspec.Raw(b'{"messages":["secret"]}')
    await desk.ledger.append([call_record("told", key_token=token_of(ann), user_id="ann", team_id="t1", prompt=said)])
    assert (await asked(desk, "/spend/logs/ui/told", ann))["messages"] == {"messages": ["secret"]}
    assert (await desk.ask("GET", "/spend/logs/ui/told", key=bob)).status == 404


async def test_what_a_call_costs(desk: Desk) -> None:
    told = {"model": "priced", "usage": {"prompt_tokens": 1000, "completion_tokens": 10}}
    answer = await desk.ask("POST", "/spend/calculate", {"completion_response": told})
    assert answer.status == 400
    assert "Nobody told" in answer.error.message
    free = await asked(desk, "/spend/calculate", body={"model": "llama3", "messages": [{"role": "user"}]})
    assert free == {"cost": 0.0}
    assert (await desk.ask("POST", "/spend/calculate", {"model": "llama3"})).status == 400


async def test_all_spending_can_begin_again(desk: Desk) -> None:
    ann, _ = await fill(desk)
    assert desk.record(ann).spend
    assert (await asked(desk, "/global/spend/reset", body={}))["status"] == "success"
    assert desk.record(ann).spend == 0
    assert (await asked(desk, "/global/spend"))["spend"] == 1.75, "the ledger keeps it"
    assert (await asked(desk, "/global/spend/refresh", body={}))["status"] == "success"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_an_export_has_every_call_exactly(desk: Desk, kind: str) -> None:
    await fill(desk)
    tricky = '=HYPERLINK("http://evil")'
    await desk.ledger.append([call_record(f"n{n}", cost=n, started_at=NOW - 1000 - n) for n in range(2500)])
    await desk.ledger.append([call_record("evil", end_user=tricky, cost=1, started_at=NOW - 9000)])
    answer = await desk.ask("GET", f"/spend/export?format={kind}")
    assert answer.status == 200
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
        assert rows[-2]["end_user"] == "'" + tricky
    else:
        rows = [msgspec.json.decode(line) for line in answer.body.splitlines()]
        assert rows[-2]["end_user"] == tricky
    assert len({row["request_id"] for row in rows}) == len(rows) == 2505
    ledger = sum(record.cost for record in desk.database.calls.values())
    assert sum(int(row["spend_picodollars"]) for row in rows) == ledger
    assert sum(picodollars(row["spend_usd"]) for row in rows) == ledger
    assert "k=s" not in answer.body.decode(), "no credentials of the upstream"


def test_a_row_of_an_export_tells_all_of_a_call_and_no_address_but_to_operators() -> None:
    call = full_call(tags=("a", "b"), error_message="cannot reach https://api.example/v1")
    told = msgspec.structs.asdict(export_row(call, operator=True))
    assert told == {
        "request_id": "chatcmpl-Zoë 1", "call_id": "c1", "start_time": "2024-10-04T12:00:00.000Z",
        "end_time": "2024-10-04T12:00:02.500Z", "duration_ms": 2500, "status": "failure", "http_status": 502,
        "call_type": "chat", "route": "/v1/chat/completions", "api_key": "t1", "key_alias": "null",
        "user_id": "user-1", "team_id": "team-1", "organization_id": "org-1", "end_user": "Zoë", "tags": "a,b",
        "model_requested": "gpt-5", "model_group": "gpt-5", "model": "gpt-5-2025", "model_id": "d1",
        "provider": "openai", "api_base": "https://api.example", "stream": True, "attempts": 2, "prompt_tokens": 100,
        "completion_tokens": 50, "cached_tokens": 10, "cache_write_tokens": 5, "reasoning_tokens": 20,
        "usage_source": "measured", "spend_usd": "0.000000001234", "spend_picodollars": 1234, "energy_wh": 9.722,
        "error_code": "upstream_broken", "error_message": "cannot reach https://api.example/v1",
        "service_tier": "flex",
    }  # fmt: skip
    hidden = msgspec.structs.asdict(export_row(call, operator=False))
    assert hidden == {**told, "api_base": "", "error_message": "cannot reach gpt-5"}
    bare = export_row(bare_call(ended_at=None), operator=True)
    assert (bare.request_id, bare.end_time, bare.duration_ms) == ("c1", bare.start_time, 0)
    unsaid = (
        "key_alias",
        "user_id",
        "team_id",
        "organization_id",
        "end_user",
        "error_code",
        "error_message",
        "service_tier",
    )
    assert [getattr(bare, name) for name in unsaid] == [""] * len(unsaid)


def test_a_cell_is_never_a_formula_and_a_number_stays_one() -> None:
    values = (-5, -0.5, True, None, "-5", "\t=1", " =1+1", "+1", "@x", 'a"b', "a,b", "a;b", "plain")
    written = """-5,-0.5,true,,'-5,'\t=1,' =1+1,'+1,'@x,"a""b","a,b","a;b",plain\r\n"""
    assert csv_line(values) == written.encode()


async def test_an_export_can_be_filtered(desk: Desk) -> None:
    _, bob = await fill(desk)
    answer = await desk.ask("GET", "/spend/export?format=jsonl&team_id=t1&start_date=" + TODAY)
    assert [msgspec.json.decode(line)["request_id"] for line in answer.body.splitlines()] == ["c1"]
    answer = await desk.ask("GET", "/spend/export?format=jsonl", key=bob)
    assert [msgspec.json.decode(line)["request_id"] for line in answer.body.splitlines()] == ["c2"]


async def test_budgets_of_providers_are_told_with_what_is_spent() -> None:
    limits = {"ollama": Limits(max_budget=picodollars(2), budget_duration="1d"), "openai": Limits(max_budget=0)}
    desk = Desk(provider_limits=limits)
    desk.spooled.append(call_record("1", provider="ollama", cost=picodollars(0.5)))
    assert (await desk.ask("GET", "/provider/budgets")).json()["providers"] == {
        "ollama": {"budget_limit": 2.0, "time_period": "1d", "spend": 0.5, "budget_reset_at": None},
        "openai": {"budget_limit": 0.0, "time_period": None, "spend": 0.0, "budget_reset_at": None},
    }
    assert (await Desk().ask("GET", "/provider/budgets")).json() == {"providers": {}}


async def test_of_very_many_teams_the_dearest_are_named_by_day_and_the_others_added_up(desk: Desk) -> None:
    await desk.ledger.append([
        call_record(f"c{n}", key_token=f"k{n}", team_id=f"t{n}" if n else None, cost=picodollars(str(n)), model="m",
                    started_at=NOON_OF[n % 2])
        for n in range(104)
    ])  # fmt: skip
    answer = await desk.ask("GET", f"/team/daily/activity?{SPAN}&exclude_team_ids=t103")
    assert answer.headers["x-pointsman-report-shortened"] == "true"
    report = answer.json()
    days = {day["date"]: day for day in report["results"]}
    entities = {day: its["breakdown"]["entities"] for day, its in days.items()}
    assert {len(of_day) for of_day in entities.values()} == {51}
    assert entities[TODAY]["(others)"]["metrics"]["spend"] == 2.0
    assert entities[YESTERDAY]["(others)"]["metrics"]["spend"] == 1.0
    assert days[TODAY]["metrics"]["spend"] == sum(range(2, 103, 2))
    assert days[TODAY]["breakdown"]["models"]["m"]["metrics"]["spend"] == sum(range(2, 103, 2))
    assert report["metadata"]["total_api_requests"] == 102
    whole = await desk.ask("GET", f"/team/daily/activity?{SPAN}&exclude_team_ids=t103,t1,t2")
    assert "x-pointsman-report-shortened" not in whole.headers
    assert "(others)" not in whole.json()["results"][0]["breakdown"]["entities"]
