"""Rules of the operator: which match, and what they come to together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.rule_sections import RoutingRuleSection
from pointsman.core.price import picodollars
from pointsman.routing.rules import Facts, Overflow, Rulebook, Ruling
from pointsman.routing.rules.facts import Content, content_of
from pointsman.routing.strategies import STRATEGIES

NOON_THURSDAY = 1_700_136_000.0
"""2023-11-16 12:00 UTC, a Thursday."""


def book(*rules: dict[str, Any]) -> Rulebook:
    named = [{"name": f"r{index}", "then": {"model": "there"}, **rule} for index, rule in enumerate(rules)]
    return Rulebook(msgspec.convert(named, list[RoutingRuleSection]))


def facts(**changes: Any) -> Facts:
    return msgspec.structs.replace(Facts("asked", wall=NOON_THURSDAY), **changes)


@pytest.mark.parametrize(
    ("when", "holds", "fails"),
    [
        ({"model": ["asked"]}, {}, {"model": "askedtoo"}),
        ({"model": ["a*d"]}, {"model": "a-b-d"}, {"model": "b"}),
        ({"key": ["team-*"]}, {"key_alias": "team-1"}, {"key_alias": "1-team"}),
        ({"key": ["0ff"]}, {"key": "0ff"}, {"key": "0f"}),
        ({"team": ["t1", "t2"]}, {"team": "t2"}, {"team": None}),
        ({"user": ["ann"]}, {"user": "ann"}, {"user": "bob"}),
        ({"end_user": ["*"]}, {"end_user": "x"}, {"end_user": None}),
        ({"tags": ["red"]}, {"tags": frozenset({"red", "blue"})}, {"tags": frozenset({"blue"})}),
        ({"stream": True}, {"stream": True}, {"stream": False}),
        ({"stream": False}, {"stream": False}, {"stream": True}),
        ({"prompt_tokens_min": 5}, {"prompt_tokens": 5}, {"prompt_tokens": 4}),
        ({"prompt_tokens_max": 5}, {"prompt_tokens": 5}, {"prompt_tokens": 6}),
        ({"output_limit_min": 5}, {"output_limit": 5}, {"output_limit": None}),
        ({"output_limit_max": 5}, {"output_limit": 5}, {"output_limit": None}),
        ({"turns_min": 2}, {"content": Content(turns=2)}, {"content": Content(turns=1)}),
        ({"turns_max": 2}, {"content": Content(turns=2)}, {"content": Content(turns=3)}),
        ({"has": ["tools"]}, {"content": Content(frozenset({"tools", "code"}))}, {}),
        (
            {"has": ["tools", "code"]},
            {"content": Content(frozenset({"tools", "code"}))},
            {"content": Content(frozenset({"code"}))},
        ),
        ({"lacks": ["tools"]}, {"content": Content(frozenset({"code"}))}, {"content": Content(frozenset({"tools"}))}),
        ({"budget_used_min": 0.9}, {"budget_used": 0.9}, {"budget_used": 0.89}),
        ({"budget_used_max": 0.9}, {"budget_used": 0.9}, {"budget_used": 0.91}),
        ({"hours": ["12:00-13:00"]}, {}, {"wall": NOON_THURSDAY + 3600}),
        ({"hours": ["22:00-06:00"]}, {"wall": NOON_THURSDAY + 11 * 3600}, {}),
        ({"hours": ["22:00-06:00"]}, {"wall": NOON_THURSDAY + 17 * 3600}, {"wall": NOON_THURSDAY + 18 * 3600}),
        ({"hours": ["00:00-24:00"]}, {"wall": NOON_THURSDAY + 11 * 3600 + 3599}, None),
        ({"hours": ["13:00-14:00"], "timezone": "Europe/Berlin"}, {}, {"wall": NOON_THURSDAY - 1}),
        ({"weekdays": ["thu"]}, {}, {"wall": NOON_THURSDAY + 12 * 3600}),
        ({"weekdays": ["fri"], "timezone": "Asia/Tokyo"}, {"wall": NOON_THURSDAY + 4 * 3600}, {}),
        (
            {"headers": {"X-App": ["mobile", "web*"]}},
            {"headers": {"x-app": "web-2"}},
            {"headers": {"x-app": "desktop"}},
        ),
        ({"headers": {"X-App": ["*"]}}, {"headers": {"x-app": ""}}, {}),
    ],
)
def test_a_condition_holds_or_not(when: dict[str, Any], holds: dict[str, Any], fails: dict[str, Any] | None) -> None:
    rules = book({"when": when})
    assert rules.judge(facts(**holds)).matched == ("r0",) and rules.tell(facts(**holds)) == (("r0", ""),)
    if fails is not None:
        assert rules.judge(facts(**fails)) == Ruling()
        ((name, unmet),) = rules.tell(facts(**fails))
        assert name == "r0" and unmet.partition(".")[0] in when


def test_a_rule_without_conditions_holds_of_everything_and_all_conditions_must_hold() -> None:
    assert book({}).judge(facts()).model == "there"
    both = book({"when": {"model": ["asked"], "prompt_tokens_min": 9}})
    assert not both.judge(facts()).matched and both.judge(facts(prompt_tokens=9)).matched


def test_all_rules_that_match_count_together() -> None:
    ruling = book(
        {"then": {"only": {"tags": ["eu"]}, "max_cost": 0.5, "prefer": "local", "max_latency_ms": 500}},
        {"when": {"model": ["other"]}, "then": {"refuse": "never"}},
        {
            "then": {
                "only": {"local": True},
                "max_cost": 0.25,
                "prefer": "fast",
                "model": "first",
                "max_latency_ms": 900,
            }
        },
        {"then": {"model": "second", "strategy": "simple-shuffle", "overflow": {"to": "cloud", "wait_seconds": 3}}},
        {"then": {"max_cost": 1.0, "overflow": {"to": "late", "wait_seconds": 1}}},
    ).judge(facts())
    assert ruling.matched == ("r0", "r2", "r3", "r4") and ruling.model == "first"
    demands = ruling.demands
    assert [only.rule for only in demands.only] == ["r0", "r2"]
    assert (demands.prefer, demands.max_cost, demands.cost_by) == ("local", picodollars("0.25"), "r2")
    assert (demands.max_latency, demands.strategy) == (0.5, "simple-shuffle")
    assert ruling.overflow == Overflow("r3", "cloud", 3.0) and demands.local_wait_max == 3.0


def test_the_last_rule_that_is_looked_at() -> None:
    rules = book({"then": {"prefer": "cheap"}, "last": True}, {"then": {"model": "second"}})
    assert rules.judge(facts()).model is None
    assert rules.tell(facts()) == (("r0", ""), ("r1", "not looked at after r0"))
    refusing = book({"then": {"refuse": "closed"}}, {})
    ruling = refusing.judge(facts())
    assert (ruling.refuse, ruling.refused_by, ruling.matched) == ("closed", "r0", ("r0",))


TIERS = [
    {"upto_tokens": 500, "needs": [], "model": "small"},
    {"upto_tokens": 4000, "upto_turns": 3, "needs": ["tools"], "model": "medium"},
    {"model": "large"},
]


@pytest.mark.parametrize(
    ("tokens", "features", "turns", "model"),
    [
        (500, (), 1, "small"),
        (501, (), 1, "medium"),
        (10, ("tools",), 1, "medium"),
        (10, ("tools",), 4, "large"),
        (10, ("images",), 1, "large"),
        (4001, (), 1, "large"),
    ],
)
def test_a_request_goes_to_the_first_tier_that_it_fits(
    tokens: int, features: tuple[str, ...], turns: int, model: str
) -> None:
    rules = book({"then": {"tiers": TIERS}})
    asked = facts(prompt_tokens=tokens, content=Content(frozenset(features), turns))
    assert rules.reads_content and rules.judge(asked).model == model


def test_what_no_rule_looks_at_is_not_looked_for() -> None:
    rules = book({"when": {"model": ["x"]}, "then": {"tiers": [{"upto_tokens": 5, "model": "small"}]}})
    assert not rules.reads_content and not rules.headers
    assert book({"when": {"headers": {"X-App": ["a"]}}}).headers == {"x-app"}


@pytest.mark.parametrize(
    ("fields", "features", "turns"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, set(), 1),
        ({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": 'say "image_url"'}]}, set(), 1),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]},
            {"images"},
            1,
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, {"images"}, 1),
        ({"messages": [{"role": "user", "content": "x", "images": ["aa"]}]}, {"images"}, 1),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, {"images"}, 1),
        ({"input": "hello"}, set(), 1),
        ({"input": [{"role": "user"}, {"type": "function_call"}, {"type": "function_call_output"}]}, set(), 2),
        ({"contents": [{"parts": [{"inlineData": {}}]}, {"role": "model"}, {"role": "user"}]}, {"images"}, 2),
        ({"prompt": "x", "images": ["aa"]}, {"images"}, 1),
        ({"prompt": "x", "images": []}, set(), 1),
        (
            {"messages": [{"role": "user", "content": "```py\nx\n```"}], "tools": [{"type": "function"}]},
            {"code", "tools"},
            1,
        ),
        ({"messages": [], "tools": [], "functions": None}, set(), 0),
        (
            {"messages": [{"role": "user"}], "response_format": {"type": "json_schema", "json_schema": {}}},
            {"json_schema"},
            1,
        ),
        ({"messages": [{"role": "user"}], "response_format": {"type": "text"}}, set(), 1),
        ({"input": "x", "text": {"format": {"type": "json_schema"}}}, {"json_schema"}, 1),
        ({"contents": [{}], "generationConfig": {"responseSchema": {}}}, {"json_schema"}, 1),
        ({"messages": [{"role": "user"}], "format": {"type": "object"}}, {"json_schema"}, 1),
        ({"messages": [{"role": "user"}], "format": "json"}, set(), 1),
        ({"messages": [1, 2]}, set(), 1),
    ],
)
def test_what_a_request_shows_of_the_work_it_makes(fields: dict[str, Any], features: set[str], turns: int) -> None:
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    assert content_of(raw) == Content(frozenset(features), turns)


@given(st.text(), st.sampled_from(["messages", "prompt", "input"]))
def test_no_text_is_taken_for_a_picture_or_a_tool(text: str, field: str) -> None:
    value: object = [{"role": "user", "content": f"x {text}"}] if field == "messages" else f"x {text}"
    found = content_of({field: msgspec.Raw(msgspec.json.encode(value))})
    assert found.features <= {"code"} and found.turns == 1


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_rule_can_ask_for_every_strategy(strategy: str) -> None:
    assert book({"then": {"strategy": strategy}}).judge(facts()).demands.strategy == strategy
