"""Rules that cannot be meant are refused, with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.config.findings import ConfigRefused
from pointsman.config.load import load

MODELS = "model_list:\n  - {model_name: large, litellm_params: {model: openai/x}}\n"


def loaded(tmp_path: Path, rules: str, more: str = "") -> tuple[str, ...]:
    file = tmp_path / "config.yaml"
    file.write_text(f"{MODELS}{more}pointsman:\n  routing_rules:\n{rules}")
    try:
        found = load(file, {})
    except ConfigRefused as refused:
        return tuple(str(error) for error in refused.errors)
    assert not found.warnings and len(found.settings.local.routing_rules) == rules.count("name:")
    return ()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{name: a, when: {modle: [x]}, then: {model: large}}", "when.modle: is not a known key. Did you mean model?"),
        ("{name: a, then: {modl: large, prefer: local}}", "then.modl: is not a known key. Did you mean model?"),
        ("{name: a, then: {model: lrge}}", "then.model: no such model is served. Did you mean large?"),
        ("{name: a, then: {overflow: {to: nobody, wait_seconds: 1}}}", "then.overflow.to: no such model is served."),
        ("{name: a, then: {tiers: [{model: nobody}]}}", "then.tiers[0].model: no such model is served."),
        ("{name: a, then: {model: large, tiers: [{model: large}]}}", "a rule has the one or the other"),
        ("{name: a, then: {}}", "then: says nothing."),
        ("{name: a, then: {refuse: never, prefer: local}}", "what is refused goes nowhere"),
        (
            "{name: a, when: {prompt_tokens_min: 9, prompt_tokens_max: 8}, then: {prefer: local}}",
            "the rule never holds",
        ),
        ("{name: a, when: {headers: {Authorization: [x]}}, then: {prefer: local}}", "holds credentials"),
        ("{name: a, when: {headers: {X-Own: [x]}}, then: {prefer: local}}", "holds credentials"),
        ("{name: a, when: {timezone: Mars/Base}, then: {prefer: local}}", "no such time zone"),
        ("{name: a, when: {hours: ['25:00-26:00']}, then: {prefer: local}}", "expected a span of the day"),
        ("{name: a, then: {prefer: tasty}}", "expected local, cheap or fast"),
        ("{name: a, then: {strategy: guess}}", "expected simple-shuffle, round-robin"),
        ("{name: a b, then: {prefer: local}}", "expected a name of letters"),
        ("{name: a}", "then is missing"),
        ("{name: a, when: {model: x}, then: {prefer: local}}", "expected a list, found text"),
    ],
)
def test_what_cannot_be_meant_is_an_error(tmp_path: Path, rule: str, said: str) -> None:
    more = "general_settings: {litellm_key_header_name: X-Own}\n"
    (error,) = loaded(tmp_path, f"    - {rule}\n", more)
    assert said in error and error.startswith(str(tmp_path / "config.yaml")) and "routing_rules[0]" in error


def test_two_rules_have_two_names(tmp_path: Path) -> None:
    (error,) = loaded(tmp_path, "    - {name: a, then: {prefer: local}}\n    - {name: a, then: {prefer: fast}}\n")
    assert "another rule has this name" in error


def test_everything_that_a_rule_can_say(tmp_path: Path) -> None:
    rules = """\
    - name: all-of-it
      when:
        model: [large, "x/*"]
        key: [alias]
        team: [t]
        user: [u]
        end_user: [e]
        tags: [a]
        prompt_tokens_min: 1
        prompt_tokens_max: 2
        output_limit_min: 1
        output_limit_max: 2
        turns_min: 1
        turns_max: 2
        has: [tools, images]
        lacks: [json_schema, code]
        stream: true
        budget_used_min: 0.5
        budget_used_max: 0.9
        hours: ["08:00-18:00", "22:00-24:00"]
        weekdays: [mon, sun]
        timezone: Europe/Berlin
        headers: {X-App: ["mobile*"]}
      then:
        model: large
        only: {tags: [eu], providers: [openai], deployments: [x], local: false}
        prefer: cheap
        max_cost: 0.5
        max_latency_ms: 100
        strategy: simple-shuffle
        overflow: {to: large, wait_seconds: 2}
      last: true
    - name: tiers
      then: {tiers: [{upto_tokens: 5, upto_turns: 2, needs: [], model: large}]}
    - name: shut
      then: {refuse: "Not here."}
"""
    assert loaded(tmp_path, rules) == ()
