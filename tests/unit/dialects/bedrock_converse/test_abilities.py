from __future__ import annotations

import pytest

from pointsman.dialects.bedrock_converse.abilities import Abilities, Family, Thinks, abilities_of


@pytest.mark.parametrize(
    ("model", "family", "thinks"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude", "budget"),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", "claude", "budget"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "claude", "budget"),
        ("global.anthropic.claude-opus-4-6-v1", "claude", "adaptive"),
        ("anthropic.claude-opus-5", "claude", "adaptive"),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", "claude", "no"),
        ("anthropic.claude-v2:1", "claude", "no"),
        ("anthropic.claude-instant-v1", "claude", "no"),
        (
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-1-20250805-v1:0",
            "claude",
            "budget",
        ),
        ("us.amazon.nova-2-lite-v1:0", "nova", "levels"),
        ("amazon.nova-lite-v1:0", "nova", "no"),
        ("openai.gpt-oss-120b-1:0", "other", "effort"),
        ("us.deepseek.v3-v1:0", "other", "effort"),
        ("meta.llama3-2-1b-instruct-v1:0", "other", "no"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2", "unknown", "unknown"),
    ],
)
def test_a_name_tells_the_family_and_how_it_thinks(model: str, family: Family, thinks: Thinks) -> None:
    found = abilities_of(model)
    assert (found.family, found.thinks) == (family, thinks)


def test_a_model_that_reasons_and_cannot_be_told_how() -> None:
    assert abilities_of("us.deepseek.r1-v1:0", frozenset({"reasoning"})).thinks == "always"


def test_what_came_with_which_claude() -> None:
    old, middle, newest = (
        abilities_of(f"anthropic.claude-{name}") for name in ("3-5-sonnet-20240620-v1:0", "sonnet-4-5-v1:0", "opus-5-5")
    )
    assert (old.json_schema, old.serial_tools, old.cache_points, old.forced_tools) == (False, False, False, True)
    assert (middle.json_schema, middle.serial_tools, middle.cache_ttl, middle.sampling) == (True, True, True, True)
    assert (newest.sampling, newest.budgets, newest.forced_tools) == (False, False, False)


def test_the_catalogue_tells_of_caching_and_choosing() -> None:
    assert not abilities_of("meta.llama3-2-1b-instruct-v1:0").forced_tools
    told = abilities_of("meta.llama3-2-1b-instruct-v1:0", frozenset({"prompt_caching", "tool_choice"}))
    assert told == Abilities(forced_tools=True, cache_points=True)
