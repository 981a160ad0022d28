"""Rules about traffic are read, and what does not fit together in them is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pointsman.config.findings import ConfigRefused
from pointsman.config.load import Loaded, load
from pointsman.config.traffic_sections import Bulkhead, Canary, Hedge, Mirror, TrafficRule, Variant

MODELS = """\
model_list:
  - {model_name: chat, litellm_params: {model: openai/chat}, model_info: {id: dep-1}}
  - {model_name: next, litellm_params: {model: openai/next}}
  - {model_name: groq/*, litellm_params: {model: groq/*}}
router_settings: {model_group_alias: {other: chat}}
"""
RULES = """\
pointsman:
  traffic:
    - model: chat
      sticky: session
      salt: spring
      canary: {percent: 5, model: next}
      mirror: {model: groq/llama, percent: 10, max_in_flight: 4}
      hedge: {after_ms: 800, max_share: 0.1, local: true}
    - model: other
      coalesce_embeddings: true
      variants:
        - {name: control, weight: 90}
        - {name: b, weight: 10, deployment: dep-1}
  bulkheads:
    openai: {max_in_flight: 100}
    chat: {max_in_flight: 10, max_waiting: 5, max_wait_seconds: 2}
"""


def loaded(tmp_path: Path, text: str) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def refused(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigRefused) as caught:
        loaded(tmp_path, text)
    return [(error.path, error.message) for error in caught.value.errors]


def test_every_rule_is_read(tmp_path: Path) -> None:
    found = loaded(tmp_path, MODELS + RULES)
    local = found.settings.local
    assert local.traffic == (
        TrafficRule(
            model="chat",
            sticky="session",
            salt="spring",
            canary=Canary(percent=5, model="next"),
            mirror=Mirror(model="groq/llama", percent=10, max_in_flight=4),
            hedge=Hedge(after_ms=800, max_share=0.1, local=True),
        ),
        TrafficRule(
            model="other",
            coalesce_embeddings=True,
            variants=(Variant(name="control", weight=90), Variant(name="b", weight=10, deployment="dep-1")),
        ),
    )
    assert local.bulkheads == {
        "openai": Bulkhead(max_in_flight=100),
        "chat": Bulkhead(max_in_flight=10, max_waiting=5, max_wait_seconds=2),
    }
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("rule", "path", "words"),
    [
        ("{canary: {percent: 5, model: next}}", "pointsman.traffic[0]", "model is missing"),
        ("{model: chat, canary: {percent: 101, model: next}}", "pointsman.traffic[0].canary.percent", "at most 100"),
        ("{model: chat, canary: {percent: 5}}", "pointsman.traffic[0].canary", "model, deployment or tag is missing"),
        ("{model: chat, canary: {percent: 5, model: next, tag: t}}", "pointsman.traffic[0].canary", "only one of them"),
        ("{model: chat, canary: {percent: 5, model: nexd}}", "pointsman.traffic[0].canary.model", "no such model"),
        ("{model: chat, canary: {percent: 5, tag: t, name: stable}}", "pointsman.traffic[0].canary.name", "other arm"),
        (
            '{model: chat, canary: {percent: 5, tag: t, name: "a\\r\\nb"}}',
            "pointsman.traffic[0].canary.name",
            "letters",
        ),
        ("{model: chat, canary: {percent: 5, deployment: x}}", "pointsman.traffic[0].canary.deployment", "has this id"),
        (
            "{model: chat, canary: {percent: 5, tag: t}, variants: [{name: a}]}",
            "pointsman.traffic[0].variants",
            "beside",
        ),
        ("{model: chat, variants: [{name: a, model: next}, {name: a}]}", "pointsman.traffic[0].variants", "the name a"),
        ("{model: chat, variants: [{name: a, weight: 0}]}", "pointsman.traffic[0].variants", "above 0"),
        ("{model: chat, variants: [{name: a}, {name: b}]}", "pointsman.traffic[0].variants", "only one can be"),
        ("{model: chat, variants: [{weight: 1}]}", "pointsman.traffic[0].variants[0]", "name is missing"),
        ("{model: chat, mirror: {model: nobody}}", "pointsman.traffic[0].mirror.model", "no such model"),
        ("{model: chat, mirror: {}}", "pointsman.traffic[0].mirror", "model is missing"),
        ("{model: chat, hedge: {max_share: 2}}", "pointsman.traffic[0].hedge.max_share", "at most 1"),
        ("{model: chat, hedge: {after_ms: 0}}", "pointsman.traffic[0].hedge.after_ms", "above 0"),
        ("{model: chat, sticky: cookie, hedge: {}}", "pointsman.traffic[0].sticky", "user, key, session or request"),
        ("{model: nobody, hedge: {}}", "pointsman.traffic[0].model", "no such model"),
        ("{model: chat, hedge: {}}, {model: chat, mirror: {model: next}}", "pointsman.traffic[1].model", "same model"),
    ],
)
def test_what_cannot_be_is_refused_with_its_path(tmp_path: Path, rule: str, path: str, words: str) -> None:
    ((where, message),) = refused(tmp_path, f"{MODELS}pointsman: {{traffic: [{rule}]}}\n")
    assert where == path and words in message


@pytest.mark.parametrize("limit", ["{}", "{max_in_flight: 0}", "{max_in_flight: 1, max_waiting: -1}", "5"])
def test_a_bulkhead_has_a_bound(tmp_path: Path, limit: str) -> None:
    ((where, _),) = refused(tmp_path, f"{MODELS}pointsman: {{bulkheads: {{openai: {limit}}}}}\n")
    assert where.startswith("pointsman.bulkheads.openai")


def test_what_has_no_effect_is_warned_of_at_any_depth(tmp_path: Path) -> None:
    rules = yaml.safe_load(RULES)
    local = rules["pointsman"]
    local["traffic"][0]["canary"]["percentage"] = 5
    local["traffic"][1]["variants"][0]["wait"] = 5
    local["traffic"][0]["mirrors"] = 1
    local["bulkheads"]["openai"]["max"] = 5
    found = loaded(tmp_path, MODELS + yaml.safe_dump(rules))
    assert sorted(warning.path for warning in found.warnings) == [
        "pointsman.bulkheads.openai.max",
        "pointsman.traffic[0].canary.percentage",
        "pointsman.traffic[0].mirrors",
        "pointsman.traffic[1].variants[0].wait",
    ]


def test_a_rule_that_says_nothing_is_warned_of(tmp_path: Path) -> None:
    (warning,) = loaded(tmp_path, f"{MODELS}pointsman: {{traffic: [{{model: chat}}]}}\n").warnings
    assert warning.path == "pointsman.traffic[0]"


def test_where_models_are_found_any_name_may_be_served(tmp_path: Path) -> None:
    assert loaded(tmp_path, "pointsman: {traffic: [{model: llama3, mirror: {model: qwen3}}]}\n").warnings == ()
