"""The vocabulary of capabilities is one to one."""

from __future__ import annotations

from pointsman.catalog.models import CAPABILITY_FLAGS, ModelFacts


def test_each_capability_has_one_flag_and_each_flag_one_capability() -> None:
    assert len(set(CAPABILITY_FLAGS.values())) == len(CAPABILITY_FLAGS)
    assert all(flag.startswith("supports_") for flag in CAPABILITY_FLAGS)


def test_facts_nobody_stated_are_absent_rather_than_false_or_zero() -> None:
    facts = ModelFacts(key="x", source="operator")
    assert facts.context_tokens is None and facts.price is None and facts.capabilities == frozenset()
