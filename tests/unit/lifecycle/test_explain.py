"""A request run dry tells what then happens, whatever the configuration, and changes nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pointsman.config.rule_sections import RoutingRuleSection
from pointsman.config.traffic_sections import Canary, TrafficRule, Variant
from pointsman.core.exchange import Inbound, RequestHead
from pointsman.core.identity import token_of
from pointsman.core.price import FREE, Price, picodollars
from pointsman.core.rules import Target
from pointsman.core.upstream import Deployment
from pointsman.lifecycle.explain import explain
from pointsman.lifecycle.explanation import Explanation
from pointsman.policies.accounts import Account
from pointsman.policies.admission import AdmissionSettings
from pointsman.policies.principal import Principal, Ties
from pointsman.routing.router import Router
from pointsman.routing.rules import Rulebook
from pointsman.routing.settings import FallbackLists, RoutingSettings, StrategyChoice
from pointsman.routing.strategies import STRATEGIES
from pointsman.routing.table import Pattern, RoutingTable
from pointsman.stores.directory.records import BudgetWindow, Limits, ModelLimits
from tests.unit.lifecycle.house_script import CHAT, KEY, MASTER, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk
from tests.unit.lifecycle.traffic_script import stage_with
from tests.unit.policies.desk import key_record

NAMES = ("alpha", "beta", "gamma")
ASKED = (*NAMES, "short", "wild/one", "mine", "nosuch")


def request(stage: Stage, body: bytes, headers: list[tuple[bytes, bytes]], key: str) -> Inbound:
    head = RequestHead(CHAT, key.encode(), headers, None, "10.0.0.9")
    return Inbound(head, body, stage.clock.monotonic(), stage.clock.wall())


def explained(stage: Stage, inbound: Inbound, principal: Principal, *, for_operator: bool = True) -> Explanation:
    return explain(inbound, principal, stage.house, for_operator=for_operator)


def counters(principal: Principal, stage: Stage) -> tuple[object, ...]:
    second = int(stage.clock.monotonic())
    return (
        principal.spent, principal.reserved, principal.in_flight, principal.requests.used(second),
        principal.tokens.used(second), stage.house.admission.in_flight,
    )  # fmt: skip


PRICES = st.sampled_from([FREE, Price(1_000_000_000, 2_000_000_000), Price(10_000_000_000, 40_000_000_000), None])


@st.composite
def deployments(draw: Any) -> list[Deployment]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        price = draw(PRICES)
        local = draw(st.booleans())
        found.append(
            deployment(
                id=f"dep-{number}",
                group=draw(st.sampled_from(NAMES)),
                provider=draw(st.sampled_from(["openai", "hosted_vllm"])),
                price=price,
                charges=price is not FREE,
                local=local,
                api_base=f"http://host-{number % 2}:11434/v1" if local else "http://upstream/v1?secret=1",
                tags=tuple(draw(st.sets(st.sampled_from(["eu", "us"])))),
                order=draw(st.sampled_from([None, 1, 2])),
                weight=draw(st.sampled_from([1.0, 3.0])),
                access_groups=frozenset(draw(st.sets(st.just("vip")))),
            )
        )
    return found


WHEN = st.fixed_dictionaries(
    {},
    optional={
        "model": st.lists(st.sampled_from(["alpha", "b*", "short", "nosuch"]), min_size=1, max_size=2),
        "key": st.just(["tester"]),
        "prompt_tokens_min": st.integers(0, 60),
        "prompt_tokens_max": st.integers(0, 60),
        "output_limit_max": st.just(100),
        "has": st.just(["tools"]),
        "stream": st.booleans(),
        "budget_used_min": st.sampled_from([0.0, 0.5]),
        "headers": st.just({"x-app": ["web"]}),
        "weekdays": st.sampled_from([["tue"], ["wed", "thu"]]),
    },
)
THEN = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from([*NAMES, "short", "nosuch"]),
        "only": st.sampled_from([{"local": True}, {"tags": ["eu"]}, {"providers": ["openai"], "local": False}]),
        "prefer": st.sampled_from(["local", "cheap", "fast"]),
        "max_cost": st.sampled_from([0.0, 0.0005, 0.01, 1.0]),
        "max_latency_ms": st.sampled_from([1.0, 500.0, 5000.0]),
        "strategy": st.sampled_from(sorted(STRATEGIES)),
        "overflow": st.sampled_from([{"to": "gamma", "wait_seconds": 1.0}, {"wait_seconds": 0.0}]),
        "tiers": st.just([{"upto_tokens": 30, "needs": [], "model": "alpha"}, {"model": "beta"}]),
        "refuse": st.just("Not on Tuesdays."),
    },
)
RULES = st.lists(st.tuples(WHEN, THEN, st.booleans()), max_size=3)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "models": st.sampled_from([("alpha",), ("b*", "short"), ("vip", "wild/*")]),
        "aliases": st.just({"mine": "beta", "alpha": "gamma"}),
        "max_budget": st.sampled_from([0, picodollars("0.001"), picodollars("5")]),
        "spend": st.sampled_from([0, picodollars("0.0006"), picodollars("4")]),
        "rpm_limit": st.sampled_from([0, 1, 50]),
        "tpm_limit": st.sampled_from([10, 5000]),
        "max_parallel_requests": st.sampled_from([0, 2]),
    },
)
BODIES = st.fixed_dictionaries(
    {"model": st.sampled_from(ASKED), "stream": st.booleans()},
    optional={
        "max_tokens": st.sampled_from([1, 100, 4000]),
        "n": st.just(2),
        "user": st.just("end-1"),
        "tools": st.just([{"type": "function", "function": {"name": "f"}}]),
        "pad": st.just("x" * 200),
        "tags": st.just(["eu"]),
    },
)
HEADERS = st.lists(
    st.sampled_from([
        (b"x-app", b"web"), (b"x-pointsman-prefer", b"local"), (b"x-pointsman-prefer", b"cheap"),
        (b"x-pointsman-max-cost", b"0.002"), (b"x-pointsman-max-cost", b"0"), (b"x-litellm-tags", b"us"),
    ]),
    max_size=2,
)  # fmt: skip
STATES = st.lists(
    st.tuples(st.sampled_from([0.0, 3.0]), st.sampled_from([0.0, 0.4, 8.0]), st.integers(0, 3)), min_size=6, max_size=6
)


def staged(machines: list[Deployment], rules: Any, key: dict[str, Any], strategy: str | None, chance: float) -> Stage:
    sections = [
        {"name": f"r{number}", "when": when, "then": then, "last": last}
        for number, (when, then, last) in enumerate(rules)
        if not ("model" in then and "tiers" in then)
    ]
    rulebook = Rulebook(msgspec.convert(sections, list[RoutingRuleSection])) if sections else None
    stage = Stage(
        *machines,
        record=key_record(KEY, **{"key_alias": "tester", **key}),
        settings=AdmissionSettings(parallel_per_key=5),
    )
    table = RoutingTable(
        machines,
        {"short": "alpha"},
        [Pattern("wild/*", lambda name, _stars: deployment(id="wild-1", group=name))],
    )
    settings_ = RoutingSettings(
        strategy=StrategyChoice(strategy), num_retries=0, fallbacks=FallbackLists(general={"alpha": (Target("beta"),)}),
        rulebook=rulebook,
    )  # fmt: skip
    stage.house.router = Router(table, settings_, draw=lambda: chance)
    return stage


CHANCES = st.tuples(
    st.sampled_from([None, *sorted(STRATEGIES)]), st.sampled_from([0.0, 0.4, 0.99]), st.sampled_from([KEY, MASTER])
)


@settings(max_examples=100, deadline=None)
@given(deployments(), RULES, KEYS, BODIES, HEADERS, STATES, CHANCES)
def test_what_is_told_of_a_request_is_what_then_happens(
    machines: list[Deployment],
    rules: Any,
    key: dict[str, Any],
    body: dict[str, Any],
    headers: list[tuple[bytes, bytes]],
    states: list[tuple[float, float, int]],
    chances: tuple[str | None, float, str],
) -> None:
    strategy, chance, who = chances
    stage = staged(machines, rules, key, strategy, chance)
    router = stage.house.router
    for machine, (rests, latency, in_flight) in zip(machines, states, strict=False):
        live = router.lives.of(machine)
        live.rests_until = stage.clock.monotonic() + rests if rests else 0.0
        live.latency, live.in_flight = latency, in_flight
    host = router.fleet.at("http://host-0:11434")
    host.kind, host.slots = "ollama", 1
    host.in_flight = {"real": states[0][2]}
    principal = asyncio.run(stage.house.keyring.look_up(token_of(KEY)))
    principal = stage.house.keyring.master if who == MASTER else principal
    stage.sender.act = lambda flight: flight.answer(chunk("a") + LAST if body["stream"] else GOOD)
    inbound = request(stage, chat_body(**body), headers, who)
    before = counters(principal, stage)
    told = explained(stage, inbound, principal)
    assert counters(principal, stage) == before and not stage.happened
    assert explained(stage, inbound, principal) == told
    _, client = stage.begin_with(inbound)
    event("sent" if told.admitted else str(told.refusal and told.refusal.code))
    if told.admitted:
        ((sent, _, _),) = stage.sender.sent
        assert sent.id == told.deployment
        (chosen,) = [one for one in told.candidates if one.chosen]
        assert chosen.deployment == sent.id and chosen.kept
        assert f"x-pointsman-route: {sent.id};reason={told.reason};".encode() in client.head
        matched = ",".join(one.name for one in told.rules if one.unmet is None)
        assert (b";rules=" in client.head) is bool(matched) and (
            not matched or f"rules={matched}".encode() in client.head
        )
        assert told.group == stage.record.model_group and stage.record.cost >= 0
    else:
        refusal = told.refusal
        assert refusal is not None and not stage.sender.sent
        said = json.loads(client.body)["error"]
        assert (client.status, said["code"]) == (refusal.status, refusal.code)
        assert said["message"].startswith(refusal.message)


def test_a_virtual_key_learns_no_address_and_nothing_about_others() -> None:
    rules = [({"model": ["other"]}, {"prefer": "local"}, False), ({}, {"only": {"tags": ["eu"]}}, False)]
    machines = [deployment(tags=("eu",)), deployment(id="dep-2", tags=("secret-team",)), deployment(id="dep-3")]
    stage = staged(machines, rules, {}, None, 0.0)
    router = stage.house.router
    router.lives.of(machines[0]).rests_until = stage.clock.monotonic() + 9
    principal = asyncio.run(stage.house.keyring.look_up(token_of(KEY)))
    inbound = request(stage, chat_body(), [], KEY)
    own = msgspec.json.encode(explained(stage, inbound, principal, for_operator=False))
    for word in (b"upstream/v1", b"http:", b"secret", b"r0", b"r1 "):
        assert word not in own
    operators = explained(stage, inbound, principal)
    assert b"http://upstream/v1" in msgspec.json.encode(operators) and b"secret=1" not in msgspec.json.encode(operators)
    assert [one.reason for one in operators.candidates] == ["resting 9.0 s", "rule r1", "rule r1"]
    assert not operators.admitted and operators.refusal is not None and operators.refusal.status == 429


def test_how_a_name_was_resolved_is_told_step_by_step() -> None:
    machines = [deployment(group="alpha"), deployment(id="dep-2", group="beta")]
    rules = [({"model": ["nightly"]}, {"model": "short"}, False)]
    stage = staged(machines, rules, {"aliases": {"mine": "wild/x"}}, None, 0.0)
    principal = asyncio.run(stage.house.keyring.look_up(token_of(KEY)))

    def steps(model: str) -> list[tuple[str, str]]:
        told = explained(stage, request(stage, chat_body(model=model), [], KEY), principal)
        return [(step.by, step.to) for step in told.resolved]

    assert steps("alpha") == [("exact", "alpha")]
    assert steps("short") == [("alias", "alpha"), ("exact", "alpha")]
    assert steps("mine") == [("key_alias", "wild/x"), ("wildcard", "wild/x")]
    assert steps("nightly") == [("rule", "short"), ("alias", "alpha"), ("exact", "alpha")]
    assert steps("nosuch") == []


def test_the_limits_that_apply_are_told_with_what_is_left_of_them() -> None:
    key = {
        "rpm_limit": 5,
        "tpm_limit": 100,
        "max_parallel_requests": 3,
        "max_budget": picodollars("2"),
        "spend": picodollars("0.5"),
    }
    stage = staged([deployment(group="alpha")], [], key, None, 0.0)
    principal = asyncio.run(stage.house.keyring.look_up(token_of(KEY)))
    principal.requests.add(2, int(stage.clock.monotonic()))
    told = explained(stage, request(stage, chat_body(model="alpha"), [], KEY), principal)
    assert [(one.name, one.limit, one.used, one.left) for one in told.limits] == [
        ("budget_usd", 2.0, 0.5, 1.5),
        ("requests_per_minute", 5, 2, 3),
        ("tokens_per_minute", 100, 0, 100),
        ("parallel_requests", 3, 0, 3),
    ]
    assert {one.of for one in told.limits} == {"key"}
    assert told.fallbacks.general == ("beta",)


def test_the_limits_of_all_that_a_call_is_made_for_are_told() -> None:
    stage = staged([deployment(group="alpha")], [], {"rpm_limit": 5}, None, 0.0)
    principal = asyncio.run(stage.house.keyring.look_up(token_of(KEY)))
    team = Account("team", "t")
    team.name = "crew"
    window = BudgetWindow(duration="1d", max_budget=picodollars(3))
    model = {"alpha": ModelLimits(max_budget=picodollars(1))}
    team.adopt_limits(Limits(rpm_limit=2, tpd_limit=900, budget_limits=(window,), model_limits=model))
    principal.bind(Ties(accounts=(team,)))
    told = explained(stage, request(stage, chat_body(model="alpha"), [], KEY), principal)
    assert {(one.of, one.name, one.left) for one in told.limits} == {
        ("key", "requests_per_minute", 5),
        ("key", "parallel_requests", 5),
        ("team crew", "requests_per_minute", 2),
        ("team crew", "tokens_per_day", 900),
        ("team crew", "budget_usd_per_1d", 3.0),
        ("team crew, model alpha", "budget_usd", 1.0),
    }


def test_cost_and_wait_are_told_as_far_as_they_can_be() -> None:
    price = Price(1_000_000_000, 2_000_000_000)
    machines = [deployment(group="alpha", price=price), deployment(id="dep-2", group="alpha", price=None)]
    stage = staged(machines, [], {}, None, 0.0)
    live = stage.house.router.lives.of(machines[0])
    live.latency, live.first_byte, live.seconds_per_token = 2.5, 0.5, 0.02
    told = explained(stage, request(stage, chat_body(model="alpha"), [], KEY), stage.house.keyring.master)
    first, second = told.candidates
    tokens = told.prompt_tokens
    assert first.cost.bound == pytest.approx((tokens + 2 * 1024) * 1e-6)
    assert first.cost.likely == pytest.approx((tokens + 2 * 100) * 1e-6)
    assert (second.cost.bound, second.cost.likely) == (None, None)
    assert (first.wait.total, first.wait.answer, second.wait.answer) == (0.0, 2.5, None)


def test_the_arm_that_a_caller_is_in_is_told_and_is_the_one_that_it_gets() -> None:
    machines = [deployment(), deployment(id="dep-2", group="newer")]
    rule = TrafficRule(model="public", canary=Canary(name="next", percent=40, model="newer"), sticky="user")
    stage = stage_with(rule, *machines, record=key_record(KEY))
    principal = asyncio.run(stage.house.keyring.look_up(token_of(KEY)))
    seen = set()
    for number in range(12):
        body = json.dumps({**json.loads(chat_body()), "user": f"u{number}"}).encode()
        told = explained(stage, request(stage, body, [], KEY), principal)
        told_of = told.experiment
        assert told_of is not None
        assert (told_of.stays_by, told_of.served) == ("user", True)
        assert [(arm.name, arm.percent, arm.model) for arm in told_of.arms] == [
            ("stable", 60.0, None), ("next", 40.0, "newer"),
        ]  # fmt: skip
        expected = "dep-2" if told_of.arm == "next" else "dep-1"
        steps = [(step.by, step.to) for step in told.resolved]
        assert steps == [("exact", "public"), *([("variant", "newer")] if told_of.arm == "next" else [])]
        stage.tell(body, KEY)
        sent = stage.sender.sent[-1][0]
        stage.flight.answer(GOOD)
        assert told.deployment == sent.id == expected
        seen.add(told_of.arm)
    assert seen == {"stable", "next"}
    stage.house.router.lives.of(machines[1]).rests_until = stage.clock.monotonic() + 9
    only = TrafficRule(model="public", variants=(Variant(name="all", weight=1, model="newer"),))
    assert stage.house.traffic is not None
    stage.house.traffic.follow([only])
    told = explained(stage, request(stage, chat_body(), [], KEY), principal)
    assert told.experiment is not None and (told.experiment.arm, told.experiment.served) == ("all", False)
    assert told.deployment == "dep-1"
    assert explained(stage, request(stage, chat_body(model="newer"), [], KEY), principal).experiment is None
