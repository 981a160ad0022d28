"""What does not fit together in ``router_settings`` is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.config.findings import ConfigRefused
from pointsman.config.load import load

MODELS = """\
model_list:
  - {model_name: chat, litellm_params: {model: openai/chat}}
  - {model_name: next, litellm_params: {model: openai/next}}
  - {model_name: groq/*, litellm_params: {model: groq/*}}
"""


def warned(tmp_path: Path, settings: str, more: str = MODELS) -> list[tuple[str, str]]:
    path = tmp_path / "config.yaml"
    path.write_text(more + settings)
    return [(finding.path, finding.message) for finding in load(path, {}).warnings]


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ("router_settings: {fallbacks: [{chat: [next, nexd]}]}", "router_settings.fallbacks"),
        ("router_settings: {context_window_fallbacks: [{chat: [nexd]}]}", "router_settings.context_window_fallbacks"),
        ("router_settings: {content_policy_fallbacks: [{chat: [{model: nexd}]}]}",
         "router_settings.content_policy_fallbacks"),
        ("litellm_settings: {default_fallbacks: [nexd]}", "litellm_settings.default_fallbacks"),
        ("router_settings: {routing_groups: [{group_name: g, models: [chat, nexd], routing_strategy: round-robin}]}",
         "router_settings.routing_groups[0].models"),
        ("router_settings: {model_group_alias: {short: nexd}}", "router_settings.model_group_alias.short"),
        ("router_settings: {model_group_alias: {short: {model: nexd, hidden: true}}}",
         "router_settings.model_group_alias.short"),
        ("litellm_settings: {model_alias_map: {short: nexd}}", "litellm_settings.model_alias_map.short"),
        ("pointsman: {warm_up: [{model: chat}, {model: nexd}]}", "pointsman.warm_up[1].model"),
        ("router_settings: {model_group_retry_policy: {nexd: {RateLimitErrorRetries: 1}}}",
         "router_settings.model_group_retry_policy.nexd"),
    ],
)  # fmt: skip
def test_a_name_that_nobody_serves_is_warned_of(tmp_path: Path, settings: str, path: str) -> None:
    ((where, message),) = warned(tmp_path, settings)
    assert where == path
    assert any(said in message for said in ("nobody serves", "no such model"))
    assert warned(tmp_path, settings.replace("nexd", "next")) == []
    assert warned(tmp_path, settings.replace("nexd", "groq/llama")) == []
    later = "\ngeneral_settings: {store_model_in_db: true}"
    assert warned(tmp_path, settings.replace("nexd", "llama3.2") + later) == [], "it may be added yet"
    ((_, message),) = warned(tmp_path, settings + later)
    assert "unless it is found" in message, "which is no reason to be silent about a slip"


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        ("router_settings: {fallbacks: [{chad: [next]}]}", "router_settings.fallbacks", "nobody serves chad"),
        ("router_settings: {model_group_alias: {a: b, b: c, c: a}}", "router_settings.model_group_alias.a", "itself"),
        ("router_settings: {model_group_alias: {a: a}}", "router_settings.model_group_alias.a", "alias of itself"),
        ("router_settings: {model_group_alias: {a: chta}}", "router_settings.model_group_alias.a", "nobody serves"),
        ("router_settings: {model_group_alias: {a: b, b: chat}}", "router_settings.model_group_alias.a", "aliases of"),
        ("router_settings: {model_group_alias: {chat: next}}", "router_settings.model_group_alias.chat", "is also"),
        ("litellm_settings: {model_alias_map: {a: chta}}", "litellm_settings.model_alias_map.a", "nobody serves"),
        ("router_settings: {routing_groups: [{group_name: g, models: [chta], routing_strategy: latency}]}",
         "router_settings.routing_groups[0].models", "no such model"),
    ],
)  # fmt: skip
def test_names_that_lead_nowhere_are_told(tmp_path: Path, settings: str, path: str, words: str) -> None:
    found = dict(warned(tmp_path, settings))
    assert words in found[path]


def test_a_mirror_that_nobody_serves_is_told(tmp_path: Path) -> None:
    silent = "model_list: [{model_name: m, litellm_params: {model: openai/m, silent_model: [m, other]}}]\n"
    assert warned(tmp_path, "", silent) == [("model_list[0].litellm_params.silent_model", "no such model is served.")]


def test_a_fallback_for_a_model_that_nobody_serves_is_warned_of(tmp_path: Path) -> None:
    models, settings = (
        MODELS[: MODELS.index("  - {model_name: groq")],
        "router_settings: {fallbacks: [{llama: [chat]}]}",
    )
    message = "nobody serves llama, so that nothing ever stands in for it."
    assert warned(tmp_path, settings, models) == [("router_settings.fallbacks", message)]
    assert warned(tmp_path, settings) == [], "it could be one of those that the wildcard stands for"


def test_an_alias_of_an_alias_leads_nowhere(tmp_path: Path) -> None:
    ((where, message),) = warned(tmp_path, "router_settings: {model_group_alias: {short: chat, shorter: short}}")
    assert where == "router_settings.model_group_alias.shorter"
    assert message == "leads to short, which is an alias, too; aliases of aliases are not followed."


@pytest.mark.parametrize("key", ["groq/*", "*", "groq/llama", "llama", "short"])
def test_a_fallback_may_be_for_a_pattern_a_bare_name_or_an_alias(tmp_path: Path, key: str) -> None:
    settings = f"router_settings: {{fallbacks: [{{'{key}': [chat]}}], model_group_alias: {{short: chat}}}}"
    assert warned(tmp_path, settings) == []


def test_a_group_is_a_model_to_turn_to(tmp_path: Path) -> None:
    group = "{group_name: both, models: [chat, next], routing_strategy: least-busy}"
    settings = f"router_settings: {{routing_groups: [{group}], default_fallbacks: [both]}}"
    assert warned(tmp_path, settings) == []
    taken = settings.replace("group_name: both", "group_name: chat").replace("[both]", "[chat]")
    assert [path for path, _ in warned(tmp_path, taken)] == ["router_settings.routing_groups[0].group_name"]


@pytest.mark.parametrize(
    "group",
    [
        "{models: [chat], routing_strategy: priority, model_priorities: {chat: 1}}",
        "{group_name: g, models: [chat, next], routing_strategy: priority, model_priorities: {chat: 1}}",
        "{group_name: g, models: [chat], routing_strategy: priority}",
        "{group_name: g, models: [chat, chat], routing_strategy: priority, model_priorities: {chat: 1}}",
        "{group_name: g, models: [chat], routing_strategy: priority, model_priorities: {chat: 0}}",
    ],
)
def test_priorities_are_for_each_model_of_a_group_with_a_name(tmp_path: Path, group: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        warned(tmp_path, f"router_settings: {{routing_groups: [{group}]}}")
    (error,) = refused.value.errors
    assert error.path.startswith("router_settings.routing_groups[0]")


def test_they_have_no_effect_elsewhere(tmp_path: Path) -> None:
    group = "{group_name: g, models: [chat], routing_strategy: latency, model_priorities: {chat: 1}}"
    ((path, _),) = warned(tmp_path, f"router_settings: {{routing_groups: [{group}]}}")
    assert path == "router_settings.routing_groups[0].model_priorities"
