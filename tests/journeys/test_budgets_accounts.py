"""A budget of whoever a call is made for holds under concurrency and over a ``kill -9``, and stops nothing free."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import apsw
import pytest

from pointsman.core.price import picodollars
from pointsman.stores.directory.kinds import (
    BUDGETS,
    CUSTOMERS,
    ORGANIZATIONS,
    TAGS,
    TEAM_MEMBERS,
    TEAMS,
    USERS,
)
from pointsman.stores.directory.records import (
    NO_LIMITS,
    Budget,
    BudgetWindow,
    Customer,
    Limits,
    ModelLimits,
    Organization,
    Tag,
    Team,
    TeamMember,
    User,
)
from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.entries import put_entries
from tests.support.gateway import Gateway, Launch
from tests.support.http_client import Answer
from tests.support.rush import held_back, rush
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

BUDGET = 0.01
"""Ten calls of five tokens at 0.0002 USD each."""
PRICE = 0.001
ALL = Limits(max_budget=picodollars(BUDGET))
MODEL = Limits(model_limits={"priced": ModelLimits(max_budget=picodollars(BUDGET), duration="30d")})
WINDOW = Limits(budget_limits=(BudgetWindow(duration="30d", max_budget=picodollars(BUDGET)),))

IN_DIRECTORY: dict[str, tuple[str, Limits]] = {
    "team": ("team", ALL),
    "user": ("user", ALL),
    "member": ("member", ALL),
    "organization": ("organization", ALL),
    "customer": ("customer", ALL),
    "tag": ("tag", ALL),
    "a model of a team": ("team", MODEL),
    "a window of a team": ("team", WINDOW),
    "a named budget": ("budget", ALL),
}
IN_CONFIG: dict[str, dict[str, Any]] = {
    "everything together": {"litellm_settings": {"max_budget": BUDGET, "budget_duration": "30d"}},
    "the provider": {"router_settings": {"provider_budget_config": {"openai": {"max_budget": BUDGET}}}},
    "the model": {"pointsman": {"model_limits": {"priced": {"max_budget": BUDGET, "budget_duration": "30d"}}}},
    "the deployment": {"deployment": {"max_budget": BUDGET, "budget_duration": "30d"}},
    "customers without one": {"litellm_settings": {"max_end_user_budget": BUDGET}},
}
OF_KEY: dict[str, dict[str, Any]] = {
    "a model of the key": {"model_max_budget": {"priced": {"budget_limit": BUDGET, "time_period": "30d"}}},
    "a window of the key": {"budget_limits": [{"budget_duration": "30d", "max_budget": BUDGET}]},
}


def config(upstream: FakeOpenAI, **more: Any) -> dict[str, Any]:
    deployment = more.pop("deployment", {})
    priced = openai_entry("priced", upstream, input_cost_per_token=0.0, output_cost_per_token=0.0002, **deployment)
    free = openai_entry("free", upstream, input_cost_per_token=0.0, output_cost_per_token=0.0)
    router = {**ONE_ATTEMPT["router_settings"], **more.pop("router_settings", {})}
    return {"router_settings": router, **more, "model_list": [priced, free]}


def people(scope: str, limits: Limits, *, first: bool = True) -> list[tuple[Any, Any]]:
    """Everybody whom a call may be made for; one of them is bound."""
    of = {scope: limits}
    team_budget = "b" if scope == "budget" else None
    return [
        (BUDGETS, Budget(budget_id="b", limits=of.get("budget", NO_LIMITS))),
        (ORGANIZATIONS, Organization(organization_id="o", limits=of.get("organization", NO_LIMITS))),
        (
            TEAMS,
            Team(team_id="t", organization_id="o", budget_id=team_budget, limits=of.get("team", NO_LIMITS)),
        ),
        (USERS, User(user_id="u", limits=of.get("user", NO_LIMITS))),
        (TEAM_MEMBERS, TeamMember(team_id="t", user_id="u", limits=of.get("member", NO_LIMITS))),
        (CUSTOMERS, Customer(customer_id="c", limits=of.get("customer", NO_LIMITS), blocked=not first)),
        (TAGS, Tag(name="x", limits=of.get("tag", NO_LIMITS))),
    ]


def hold_over_a_kill(gateway: Gateway, upstream: FakeOpenAI, fields: dict[str, Any]) -> None:
    """Six calls one after the other, then fifty at once after a ``kill -9``: ten in all, and a free one after that."""
    keys = [gateway.new_key(**fields) for _ in range(2)] if "model_max_budget" not in fields else []
    keys = keys if keys and "budget_limits" not in fields else [gateway.new_key(**fields)]

    def call(number: int = 0) -> Answer:
        return gateway.chat("priced", key=keys[number % len(keys)], max_tokens=5, user="c", metadata={"tags": ["x"]})

    for number in range(6):
        answer = call(number)
        assert answer.status == 200, answer.body
    gateway.kill()
    gateway.launch()
    answers = rush(call, 30, 4, held_back(upstream))
    refused = [answer for answer in answers if answer.status != 200]
    assert len(answers) - len(refused) == 4, [answer.body for answer in refused][:1]
    assert {answer.status for answer in refused} <= {422, 429}
    assert all(b"udget" in answer.body for answer in refused)
    rows = [row for row in gateway.settled_ledger(10) if row["status"] == "success"]
    assert sum(row["spend"] for row in rows) == pytest.approx(BUDGET)
    free = gateway.chat("free", key=keys[0], max_tokens=5, user="c", metadata={"tags": ["x"]})
    assert free.status == 200, free.body


@pytest.mark.parametrize("name", IN_DIRECTORY)
def test_a_budget_of_the_directory_holds(name: str, launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    put_entries(gateway, *people(*IN_DIRECTORY[name]))
    fields: dict[str, Any] = {"user_id": "u"} if name == "user" else {"user_id": "u", "team_id": "t"}
    hold_over_a_kill(gateway, upstream, fields)


@pytest.mark.parametrize("name", IN_CONFIG)
def test_a_budget_of_the_configuration_holds(name: str, launch: Launch, upstream: FakeOpenAI) -> None:
    hold_over_a_kill(launch(config(upstream, **IN_CONFIG[name])), upstream, {})


@pytest.mark.parametrize("name", OF_KEY)
def test_a_further_budget_of_a_key_holds(name: str, launch: Launch, upstream: FakeOpenAI) -> None:
    hold_over_a_kill(launch(config(upstream)), upstream, OF_KEY[name])


def test_a_period_that_is_over_is_over_for_all_keys_of_the_team(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    put_entries(gateway, (TEAMS, Team(team_id="t", limits=Limits(max_budget=picodollars(PRICE), budget_duration="2s"))))
    keys = [gateway.new_key(team_id="t") for _ in range(2)]
    assert gateway.chat("priced", key=keys[0], max_tokens=5).status == 200
    assert gateway.chat("priced", key=keys[1], max_tokens=5).status == 422
    eventually(lambda: gateway.chat("priced", key=keys[1], max_tokens=5).status == 200, "the budget starts anew")


PERIODS: dict[str, dict[str, Any]] = {
    "the key": {"max_budget": PRICE, "budget_duration": "30d"},
    "a window of the key": {"budget_limits": [{"budget_duration": "30d", "max_budget": PRICE}]},
    "a model of the key": {"model_max_budget": {"priced": {"budget_limit": PRICE, "time_period": "30d"}}},
    "the team": {"team_id": "t"},
}


@pytest.mark.parametrize("name", PERIODS)
def test_a_period_that_ended_while_nobody_ran_is_over_at_the_first_call(
    name: str, launch: Launch, upstream: FakeOpenAI
) -> None:
    gateway = launch(config(upstream))
    limits = Limits(max_budget=picodollars(PRICE), budget_duration="30d")
    put_entries(gateway, (TEAMS, Team(team_id="t", limits=limits)))
    key = gateway.new_key(**PERIODS[name])

    def call() -> int:
        return gateway.chat("priced", key=key, max_tokens=5).status

    assert [call(), call()] == [200, 422]
    gateway.restart()
    assert call() == 422, "a restart alone ends nothing"
    gateway.stop()
    with closing(apsw.Connection(str(gateway.data_dir / "pointsman.db"))) as database:
        database.execute("UPDATE keys SET budget_reset_at = budget_reset_at - 40 * 86400")
        database.execute("UPDATE spend_periods SET reset_at = reset_at - 40 * 86400")
    gateway.launch()
    assert [call(), call()] == [200, 422], "at once, and once"


def test_a_change_by_another_process_is_in_force_within_two_seconds(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    put_entries(gateway, (TEAMS, Team(team_id="t", limits=Limits(max_budget=picodollars(PRICE)))))
    key = gateway.new_key(team_id="t")
    assert gateway.chat("priced", key=key, max_tokens=5).status == 200
    refused = gateway.chat("priced", key=key, max_tokens=5)
    assert (refused.status, refused.error["type"]) == (422, "budget_exceeded")
    assert "Team=t" in refused.error["message"]
    put_entries(gateway, (TEAMS, Team(team_id="t", limits=ALL)))
    eventually(lambda: gateway.chat("priced", key=key, max_tokens=5).status == 200, "the budget is raised", 2.0)
    put_entries(gateway, (TEAMS, Team(team_id="t", limits=ALL, blocked=True)))
    eventually(lambda: gateway.chat("free", key=key, max_tokens=5).status == 403, "the team is blocked", 2.0)


def test_a_temporary_increase_ends(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    lasting = gateway.new_key(max_budget=PRICE, temp_budget_increase=PRICE, temp_budget_expiry="2100-01-01")
    over = gateway.new_key(max_budget=PRICE, temp_budget_increase=PRICE, temp_budget_expiry="2001-01-01")
    assert [gateway.chat("priced", key=lasting, max_tokens=5).status for _ in range(3)] == [200, 200, 422]
    assert [gateway.chat("priced", key=over, max_tokens=5).status for _ in range(2)] == [200, 422]


def test_another_deployment_answers_when_the_budget_of_one_is_used_up(launch: Launch, upstream: FakeOpenAI) -> None:
    rich = openai_entry("priced", upstream, {"id": "rich"}, output_cost_per_token=0.0002)
    poor = openai_entry("priced", upstream, {"id": "poor"}, output_cost_per_token=0.0002, max_budget=PRICE, order=1)
    gateway = launch({**config(upstream), "model_list": [poor, rich]})
    served = [gateway.chat("priced", max_tokens=5).headers["x-litellm-model-id"] for _ in range(3)]
    assert served == ["poor", "rich", "rich"]
