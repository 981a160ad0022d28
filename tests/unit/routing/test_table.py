"""Which deployments stand behind a name."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.upstream import Deployment
from pointsman.routing import table as table_module
from pointsman.routing.table import Pattern, RoutingTable, Union

ONE = Deployment(id="a", group="g", provider="p", model="m", litellm_model="p/m", api_base="http://x", price=None)


def entry(identity: str, group: str) -> Deployment:
    return msgspec.structs.replace(ONE, id=identity, group=group)


def pattern(text: str) -> Pattern:
    """Expands to a deployment whose id says which pattern it was and what its stars stood for."""
    return Pattern(text, lambda name, captured: entry(f"{text} {'|'.join(captured)}", name))


def served(table: RoutingTable, name: str) -> list[str] | None:
    group = table.resolve(name)
    return None if group is None else [member.id for member in group.deployments]


def test_deployments_of_one_name_make_a_group_in_their_order() -> None:
    table = RoutingTable([entry("1", "a"), entry("2", "b"), entry("3", "a")])
    assert served(table, "a") == ["1", "3"] and served(table, "b") == ["2"] and served(table, "c") is None
    assert [member.id for member in table.deployments] == ["1", "3", "2"]


def test_an_alias_wins_over_an_exact_name_and_that_over_a_wildcard() -> None:
    """So does LiteLLM: https://docs.litellm.ai/docs/routing, "Model Alias"."""
    exact = [entry("exact", "a"), entry("target", "t"), entry("itself", "i")]
    table = RoutingTable(exact, {"a": "t", "b": "t", "i": "i"}, [pattern("*")])
    assert served(table, "a") == served(table, "b") == served(table, "t") == ["target"]
    assert served(table, "i") == ["itself"]
    assert served(table, "c") == ["* c"]
    assert table.names == ("a", "t", "i", "b")


def test_models_that_a_wildcard_serves_can_be_members_of_a_union() -> None:
    union = Union(("t", "openai/x", "openai/*", "nobody"))
    table = RoutingTable([entry("target", "t")], patterns=[pattern("openai/*")], unions={"any": union})
    assert served(table, "any") == ["target", "openai/* x"]


def test_the_group_of_an_alias_bears_the_name_of_its_target() -> None:
    group = RoutingTable([entry("1", "t")], {"b": "t"}).resolve("b")
    assert group is not None and group.name == "t"


def test_an_alias_may_point_into_a_wildcard_but_not_to_another_alias_or_itself() -> None:
    table = RoutingTable([entry("1", "t")], {"a": "openai/x", "b": "c", "c": "t", "d": "d"}, [pattern("openai/*")])
    assert served(table, "a") == ["openai/* x"]
    assert served(table, "b") is None
    assert served(table, "d") is None


@pytest.mark.parametrize("reverse", [False, True])
def test_of_several_wildcards_the_most_specific_counts_whatever_their_order(reverse: bool) -> None:
    patterns = [pattern("*"), pattern("openai/*"), pattern("openai/gpt-4*"), pattern("openai/*-mini")]
    table = RoutingTable([], patterns=reversed(patterns) if reverse else patterns)
    assert served(table, "openai/gpt-4o") == ["openai/gpt-4* o"]
    assert served(table, "openai/o1-mini") == ["openai/*-mini o1"]
    assert served(table, "openai/o1") == ["openai/* o1"]
    assert served(table, "other") == ["* other"]
    assert set(table.patterns) == {"*", "openai/*", "openai/gpt-4*", "openai/*-mini"}


def test_a_name_that_a_wildcard_stood_for_keeps_its_deployment() -> None:
    table = RoutingTable([], patterns=[pattern("openai/*")])
    first = table.resolve("openai/x")
    assert first is table.resolve("openai/x") is not None


def test_names_are_what_may_be_listed_without_hidden_ones_and_wildcards() -> None:
    table = RoutingTable([entry("1", "a"), entry("2", "b")], {"c": "a", "d": "a"}, [pattern("*")], frozenset({"d"}))
    assert table.names == ("a", "b", "c")
    assert served(table, "d") == ["1"], "hidden is not closed"


def test_further_names_of_what_is_found_answer_and_are_not_listed() -> None:
    further = {"x:latest": "x", "ollama/x": "x", "y": "x", "a": "x"}
    table = RoutingTable([entry("1", "x"), entry("2", "y")], {"a": "y"}, unlisted=further)
    assert table.names == ("x", "y", "a")
    assert table.unlisted == ("x:latest", "ollama/x")
    assert served(table, "ollama/x") == served(table, "x:latest") == ["1"]
    assert served(table, "y") == served(table, "a") == ["2"], "what the operator names wins"


def test_made_up_names_under_a_wildcard_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "_EXPANDED_MAX", 10)
    table = RoutingTable([entry("1", "a")], patterns=[pattern("openai/*")])
    for number in range(100):
        assert served(table, f"openai/{number}") == [f"openai/* {number}"]
        assert len(table._expanded) <= 10
    assert served(table, "a") == ["1"]


def test_entries_of_one_wildcard_share_what_it_stands_for() -> None:
    alike = [Pattern("openai/*", lambda name, _: entry("same", name)) for _ in range(2)]
    table = RoutingTable([], patterns=[*alike, pattern("*")])
    assert served(table, "openai/x") == ["same", "same-1"]
    assert served(table, "other") == ["* other"]
    assert table.patterns == ("openai/*", "*")


def test_a_name_may_stand_for_several_models_together() -> None:
    deployments = [entry("1", "a"), entry("2", "b"), entry("3", "b"), entry("4", "c")]
    unions = {
        "all": Union(("a", "b", "a", "nobody")),
        "first": Union(("a", "b"), {"a": 2, "b": 1}),
        "c": Union(("a",)),
        "other": Union(("a",)),
        "none": Union(("nobody",)),
    }
    table = RoutingTable(deployments, {"other": "b", "too": "all"}, [pattern("non*")], unions=unions)
    assert served(table, "all") == served(table, "too") == ["1", "2", "3"]
    group = table.resolve("first")
    assert group is not None and group.name == "first"
    assert [(one.id, one.order) for one in group.deployments] == [("1", 2), ("2", 1), ("3", 1)]
    assert served(table, "c") == ["4"] and served(table, "other") == ["2", "3"], "models and aliases come first"
    assert served(table, "none") == ["non* e"]
    assert table.names == ("a", "b", "c", "other", "too", "all", "first")
    assert [one.id for one in table.deployments] == ["1", "2", "3", "4"] and table.deployments[0].order is None


def test_a_deployment_can_be_asked_for_by_its_id() -> None:
    """As in LiteLLM; the group's name is that of its model, whose access and fallbacks count."""
    table = RoutingTable([entry("1", "a"), entry("2", "a"), entry("b", "c")], {"x": "2"}, [pattern("*")])
    group = table.resolve("2")
    assert group is not None and group.name == "a" and served(table, "2") == served(table, "x") == ["2"]
    assert served(table, "b") == ["b"] and served(table, "other") == ["* other"]
    assert table.names == ("a", "c", "x")


def test_what_wildcards_are_known_to_stand_for_is_told_unless_it_is_spelt_out() -> None:
    known = Pattern("openai/*", pattern("openai/*").expand, lambda: ("openai/x", "openai/y", "openai/z"))
    table = RoutingTable([entry("1", "openai/y")], {"openai/z": "openai/y"}, [known, pattern("*")])
    assert table.expected == ("openai/x",) and table.names == ("openai/y", "openai/z")
