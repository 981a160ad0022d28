from __future__ import annotations

import msgspec
import pytest

from pointsman.core.call import Call, CompletionCall, Reasoning, Tool, ToolChoice
from pointsman.core.content import Image, Message, Text
from pointsman.core.errors import Unsupported
from pointsman.providers.ollama.abilities import (
    demand_chat_abilities,
    demand_completion_abilities,
    wants_thinking,
)
from pointsman.providers.ollama.control import OllamaFacts

PLAIN = Call("m", (Message("user", (Text("hi"),)),))
PICTURE = Call("m", (Message("system", (Text("x"),)), Message("user", (Text("see"), Image(data="QQ==")))))
TOOLS = msgspec.structs.replace(PLAIN, tools=(Tool("f"),))


def facts(*words: str) -> OllamaFacts:
    return OllamaFacts(capabilities=frozenset(words))


def check(call: Call, known: OllamaFacts, *, drop: bool = False) -> Call:
    return demand_chat_abilities(call, known, "llama3.2", drop_params=drop)


def thinking(**fields: object) -> Call:
    return msgspec.structs.replace(PLAIN, reasoning=msgspec.convert(fields, Reasoning))


@pytest.mark.parametrize("call", [PLAIN, PICTURE, TOOLS, thinking(effort="high")])
def test_nothing_is_refused_where_the_host_does_not_tell_or_the_model_can(call: Call) -> None:
    assert check(call, OllamaFacts()) is call
    assert check(call, facts("completion", "vision", "tools", "reasoning")) is call


@pytest.mark.parametrize(
    ("call", "param", "word"),
    [
        (PICTURE, "messages[1].content[1].image_url", "vision"),
        (TOOLS, "tools", "tools"),
        (thinking(effort="low"), "reasoning_effort", "drop_params"),
        (thinking(enabled=True), "reasoning_effort", "drop_params"),
        (thinking(budget_tokens=100), "reasoning_effort", "drop_params"),
    ],
)
def test_what_a_model_cannot_do_is_refused_by_field_with_a_hint(call: Call, param: str, word: str) -> None:
    with pytest.raises(Unsupported) as raised:
        check(call, facts("completion"))
    assert raised.value.status == 400
    assert raised.value.param == param
    assert "llama3.2" in raised.value.message
    assert word in (raised.value.hint or "")


def test_tools_that_may_not_be_called_are_no_demand() -> None:
    call = msgspec.structs.replace(TOOLS, tool_choice=ToolChoice("none"))
    assert check(call, facts("completion")) is call


@pytest.mark.parametrize("fields", [{"effort": "none"}, {"enabled": False}])
def test_a_wish_not_to_think_is_granted_by_a_model_that_cannot(fields: dict[str, object]) -> None:
    assert check(thinking(**fields), facts("completion")).reasoning is None


def test_a_wish_to_think_is_dropped_where_the_operator_allows_it() -> None:
    assert check(thinking(effort="high"), facts("completion"), drop=True).reasoning is None


def test_tools_and_images_are_never_dropped() -> None:
    for call in (TOOLS, PICTURE):
        with pytest.raises(Unsupported):
            check(call, facts("completion"), drop=True)


def test_an_embedding_model_neither_chats_nor_completes() -> None:
    with pytest.raises(Unsupported, match="does not write text"):
        check(PLAIN, facts("embedding"))
    with pytest.raises(Unsupported, match="does not write text"):
        demand_completion_abilities(CompletionCall("m", ("x",)), facts("embedding"), "m")


def test_a_suffix_needs_a_model_that_fills_in() -> None:
    call = CompletionCall("m", ("x",), suffix="y")
    demand_completion_abilities(call, facts("completion", "insert"), "m")
    demand_completion_abilities(call, OllamaFacts(), "m")
    with pytest.raises(Unsupported) as raised:
        demand_completion_abilities(call, facts("completion"), "m")
    assert raised.value.param == "suffix"


def test_thinking_is_wanted_only_when_said() -> None:
    assert not wants_thinking(None)
    assert not wants_thinking(Reasoning())
    assert wants_thinking(Reasoning(effort="minimal"))
