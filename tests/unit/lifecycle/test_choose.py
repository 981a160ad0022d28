"""From the name a client asks for to the deployment that serves it, as far as the key may go."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.errors import Forbidden, Malformed
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.lifecycle.choose import choose
from pointsman.policies.principal import Principal
from pointsman.routing.router import Router
from pointsman.routing.table import RoutingTable
from tests.unit.lifecycle.house_script import Stage, deployment
from tests.unit.policies.desk import key_record


def chosen(stage: Stage, model: str, **values: object) -> Deployment:
    course = choose(Ask(Operation.CHAT, model, {}), Principal(key_record(**values)), stage.house)
    return course.member.deployment


def test_a_name_is_served_by_its_deployment() -> None:
    stage = Stage(deployment(), deployment(id="dep-2", group="other"))
    assert chosen(stage, "public").id == "dep-1" and chosen(stage, "other").id == "dep-2"


def test_deployments_of_one_name_share_its_calls_by_weight() -> None:
    stage = Stage(deployment(weight=1.0), deployment(id="dep-2", weight=3.0))
    numbers = iter(number / 8 for number in range(8))
    stage.house.router = Router(stage.house.table, draw=lambda: next(numbers))
    drawn = [chosen(stage, "public").id for _ in range(8)]
    assert drawn == ["dep-1"] * 2 + ["dep-2"] * 6


def test_a_name_nobody_serves_is_refused_with_a_suggestion() -> None:
    stage = Stage(suggest=lambda name: f"Did you mean not {name}?")
    with pytest.raises(Malformed) as caught:
        chosen(stage, "pubic")
    error = caught.value
    assert (error.status, error.code, error.param) == (400, "model_not_found", "model")
    assert error.told() == "The model 'pubic' is not served here. Did you mean not pubic?"


def test_a_key_that_may_not_use_a_model_is_told_so_only_where_there_is_one() -> None:
    stage = Stage()
    with pytest.raises(Forbidden):
        chosen(stage, "public", models=("other",))
    with pytest.raises(Malformed):
        chosen(stage, "nosuch", models=("other",))


@pytest.mark.parametrize("models", [("public",), ("beta",), ("pub*",), ("*",), ()])
def test_a_key_may_use_a_model_by_its_name_its_access_group_or_a_wildcard(models: tuple[str, ...]) -> None:
    stage = Stage(deployment(access_groups=frozenset({"beta"})))
    assert chosen(stage, "public", models=models).id == "dep-1"


def test_a_keys_own_alias_leads_to_the_model_behind_it() -> None:
    stage = Stage(deployment(), deployment(id="dep-2", group="other"))
    aliases = {"mine": "other", "public": "other", "lost": "nosuch"}
    assert chosen(stage, "mine", aliases=aliases).id == "dep-2"
    assert chosen(stage, "public", aliases=aliases).id == "dep-2", "the key's alias comes first"
    assert chosen(stage, "other", aliases=aliases).id == "dep-2"
    with pytest.raises(Malformed, match="'lost'"):
        chosen(stage, "lost", aliases=aliases)


def test_a_keys_own_alias_opens_no_model_that_is_closed_to_the_key() -> None:
    stage = Stage(deployment(), deployment(id="dep-2", group="other"))
    with pytest.raises(Forbidden):
        chosen(stage, "mine", models=("public",), aliases={"mine": "other"})
    assert chosen(stage, "mine", models=("other",), aliases={"mine": "other"}).id == "dep-2"


def test_an_alias_of_the_table_is_closed_where_its_target_is() -> None:
    stage = Stage()
    stage.house.router.follow(RoutingTable([deployment()], {"short": "public"}))
    assert chosen(stage, "short", models=("public",)).id == "dep-1"
    assert chosen(stage, "short", models=("short",)).id == "dep-1"
    with pytest.raises(Forbidden):
        chosen(stage, "short", models=("other",))


def test_a_table_that_was_replaced_counts_at_once() -> None:
    stage = Stage()
    stage.house.router.follow(RoutingTable([deployment(id="dep-9")]))
    assert chosen(stage, "public").id == "dep-9"


def test_a_request_that_says_where_to_go_is_refused_before_anything_is_chosen() -> None:
    stage = Stage(deployment())
    ask = Ask(Operation.CHAT, "public", {"api_base": msgspec.Raw(b'"http://elsewhere"')})
    with pytest.raises(Malformed) as caught:
        choose(ask, Principal(key_record()), stage.house)
    assert caught.value.param == "api_base"


@pytest.mark.parametrize(
    ("models", "group"),
    [((), "other"), (("public", "beta"), "other"), (("public",), "public"), (("mine", "other"), "other")],
)
def test_a_model_whose_budget_is_gone_is_stood_in_for_by_what_the_key_may_use(
    models: tuple[str, ...], group: str
) -> None:
    stage = Stage(deployment(), deployment(id="dep-2", group="other", access_groups=frozenset({"beta"})))
    extra = {"model_max_budget": {"public": 1}, "budget_fallbacks": {"public": ["other"]}}
    aliases = {"mine": "public"} if "mine" in models else {}
    record = key_record(models=models, aliases=aliases, extra=msgspec.Raw(msgspec.json.encode(extra)))
    principal = Principal(record)
    asked = Ask(Operation.CHAT, "mine" if aliases else "public", {})
    assert choose(asked, principal, stage.house).member.deployment.group == "public"
    principal.models["public"].settle(10**12)
    assert choose(asked, principal, stage.house).member.deployment.group == group


def test_where_nobody_serves_what_stands_in_the_model_itself_is_asked() -> None:
    extra = {"model_max_budget": {"public": 1}, "budget_fallbacks": {"public": ["nowhere"]}}
    principal = Principal(key_record(extra=msgspec.Raw(msgspec.json.encode(extra))))
    principal.models["public"].settle(10**12)
    assert choose(Ask(Operation.CHAT, "public", {}), principal, Stage().house).member.deployment.group == "public"
