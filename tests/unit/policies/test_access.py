"""Which models a key may use."""

from __future__ import annotations

import pytest

from pointsman.core.errors import Forbidden
from pointsman.policies.access import demand_access, may_use
from pointsman.policies.gates import gate_of
from pointsman.policies.principal import Principal
from tests.unit.policies.desk import key_record

NONE: frozenset[str] = frozenset()


def holder(*models: str) -> Principal:
    return Principal(key_record(models=models))


@pytest.mark.parametrize("models", [(), ("*",), ("all-proxy-models",), ("all-team-models",), ("gpt-4o", "*")])
def test_an_empty_list_and_the_words_for_all_mean_all(models: tuple[str, ...]) -> None:
    assert may_use(holder(*models), "anything", "any", NONE)


def test_what_the_team_may_is_no_word_for_all_but_in_a_key() -> None:
    gate = gate_of("team", "t", ("all-team-models",))
    assert gate is not None and not gate.lets_through("anything", "any", NONE)
    assert gate_of("key", "k", ("all-team-models",)) is None


@pytest.mark.parametrize(
    ("models", "asked", "group", "groups", "allowed"),
    [
        (("gpt-4o",), "gpt-4o", "gpt-4o", NONE, True),
        (("gpt-4o",), "gpt-4o-mini", "gpt-4o-mini", NONE, False),
        (("gpt-4o",), "GPT-4O", "GPT-4O", NONE, False),
        (("alias",), "alias", "gpt-4o", NONE, True),
        (("gpt-4o",), "alias", "gpt-4o", NONE, True),
        (("openai/*",), "openai/gpt-4o", "openai/gpt-4o", NONE, True),
        (("openai/*",), "openai", "openai", NONE, False),
        (("openai/*",), "evil/openai/x", "evil/openai/x", NONE, False),
        (("openai/gpt-*",), "fast", "openai/gpt-4o", NONE, True),
        (("*-mini",), "gpt-4o-mini", "gpt-4o-mini", NONE, True),
        (("*-mini",), "gpt-4o", "gpt-4o", NONE, False),
        (("beta",), "gpt-4o", "gpt-4o", frozenset({"beta"}), True),
        (("beta",), "gpt-4o", "gpt-4o", frozenset({"alpha"}), False),
        (("be*",), "gpt-4o", "gpt-4o", frozenset({"beta"}), False),
    ],
)
def test_a_model_is_allowed_by_name_by_wildcard_or_by_access_group(
    models: tuple[str, ...], asked: str, group: str, groups: frozenset[str], allowed: bool
) -> None:
    principal = holder(*models)
    assert may_use(principal, asked, group, groups) is allowed
    assert may_use(principal, asked, group, groups) is allowed, "asked again, the answer is the same"


def test_the_answer_follows_the_routing_table_when_that_changes() -> None:
    """A reload may take a model out of an access group, or point its name elsewhere."""
    principal = holder("beta", "gpt-4o")
    assert may_use(principal, "m", "m", frozenset({"beta"}))
    assert not may_use(principal, "m", "m", NONE)
    assert may_use(principal, "m", "gpt-4o", NONE)
    assert not may_use(principal, "m", "gpt-5", NONE)


def test_a_changed_key_is_asked_anew() -> None:
    principal = holder("gpt-4o")
    assert may_use(principal, "gpt-4o", "gpt-4o", NONE)
    principal.adopt(key_record(models=("gpt-5",)))
    assert not may_use(principal, "gpt-4o", "gpt-4o", NONE)


def test_asking_for_ever_new_names_does_not_fill_the_memory() -> None:
    principal = holder("gpt-4o")
    for number in range(5_000):
        assert not may_use(principal, f"guess-{number}", f"guess-{number}", NONE)
    assert len(principal.access) <= 1_000


def test_a_refusal_names_the_model_and_what_the_key_may_use() -> None:
    with pytest.raises(Forbidden) as caught:
        demand_access(holder("a", "b"), "c", "c", NONE)
    error = caught.value
    assert (error.status, error.kind, error.param) == (403, "key_model_access_denied", "model")
    assert "'c'" in error.message and "a, b" in error.told()
    demand_access(holder("a", "b"), "a", "a", NONE)
