"""What a model's name tells of what it can do."""

from __future__ import annotations

import pytest

from pointsman.dialects.anthropic_messages.abilities import PLAIN, Abilities, abilities_of

BOTH = Abilities(effort=True, xhigh=False)
NEWER = Abilities(effort=True, budgets=False, sampling=False)
ALWAYS = Abilities(effort=True, budgets=False, sampling=False, silent=False)


@pytest.mark.parametrize(
    ("model", "abilities"),
    [
        ("claude-3-7-sonnet-20250219", PLAIN),
        ("claude-sonnet-4-20250514", PLAIN),
        ("claude-opus-4-5-20251101", PLAIN),
        ("claude-haiku-4-5@20251001", PLAIN),
        ("anthropic.claude-opus-4-6-v1", BOTH),
        ("claude-sonnet-4-6", BOTH),
        ("anthropic/claude-sonnet-4.6", BOTH),
        ("claude-opus-4-7-20260416", NEWER),
        ("claude-4.7-opus", NEWER),
        ("claude-opus-5", NEWER),
        ("claude-haiku-5-5", NEWER),
        ("claude-opus-5-5", ALWAYS),
        ("claude-sonnet-6", ALWAYS),
        ("claude-fable-5-1", ALWAYS),
        ("claude-mythos-preview", ALWAYS),
        ("my-own-model", PLAIN),
    ],
)
def test_a_name_tells_the_version(model: str, abilities: Abilities) -> None:
    assert abilities_of(model) == abilities


def test_a_schema_is_known_from_elsewhere() -> None:
    assert abilities_of("claude-opus-4-7", json_schema=True).json_schema
    assert abilities_of("claude-2.1", json_schema=True) == Abilities(json_schema=True)
