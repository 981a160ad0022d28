"""The operator's marks for the prompt cache: where they are set, and that there are never too many."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.core.handling import CacheMark, Handling
from pointsman.core.upstream import Deployment, Operation
from pointsman.dialects.anthropic_messages.requests import read_request as read_anthropic
from pointsman.dialects.openai_chat.requests import read_request as read_openai
from pointsman.providers.cache_marks import marked_call
from pointsman.providers.cache_marks.bodies import marked_body
from pointsman.providers.lanes import LaneBook
from pointsman.providers.native import ANTHROPIC_MESSAGES, NativeLane
from pointsman.providers.translated import AnthropicFar, OpenAIChatFar, translated_lane

USUAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
SYSTEM = CacheMark(role="system")
LAST = CacheMark(index=-1)
TOOLS = CacheMark(on_tools=True)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CHAT = {
    "model": "own",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": [{"type": "text", "text": "Three"}, {"type": "text", "text": "Four"}]},
    ],
    "tools": [TOOL, TOOL],
}
OWN_TOOL = {"name": "f", "input_schema": {"type": "object"}}
MESSAGES = {
    "model": "own",
    "max_tokens": 9,
    "system": "Be kind.",
    "messages": CHAT["messages"][1:],
    "tools": [OWN_TOOL, {**OWN_TOOL, "name": "g"}],
}


def control(**said: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(said).encode())


def marks_of(found: Any) -> list[Any]:
    """What is marked, in order, by its text or name."""
    if isinstance(found, list):
        return [mark for one in found for mark in marks_of(one)]
    if not isinstance(found, dict):
        return []
    own = [found.get("text") or found.get("content") or found.get("name")] if "cache_control" in found else []
    return own + [mark for value in found.values() for mark in marks_of(value)]


def body(chat: dict[str, Any], *marks: CacheMark, of_anthropic: bool = False) -> Any:
    return json.loads(marked_body(json.dumps(chat).encode(), marks, of_anthropic=of_anthropic))


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        (SYSTEM, ["Be kind."]),
        (LAST, ["Four"]),
        (CacheMark(index=-2), ["Two"]),
        (CacheMark(index=1), ["One"]),
        (CacheMark(index=9), []),
        (CacheMark(role="user"), ["One", "Four"]),
        (CacheMark(role="user", index=0), ["Be kind."]),
        (CacheMark(), []),
        (TOOLS, []),
    ],
)
def test_a_relayed_chat_is_marked_in_its_parts(mark: CacheMark, found: list[str]) -> None:
    sent = body(CHAT, mark)
    assert marks_of(sent) == found
    assert [one["role"] for one in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][3]["content"][0] == {"type": "text", "text": "Three"}


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        (SYSTEM, ["Be kind."]),
        (CacheMark(index=0), ["One"]),
        (LAST, ["Four"]),
        (TOOLS, ["g"]),
    ],
)
def test_relayed_messages_have_their_instructions_and_tools_apart(mark: CacheMark, found: list[str]) -> None:
    assert marks_of(body(MESSAGES, mark, of_anthropic=True)) == found


def test_the_operator_says_for_how_long() -> None:
    sent = body(CHAT, CacheMark(role="system", control=control(**HOUR)))
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "Be kind.", "cache_control": HOUR}]


@pytest.mark.parametrize("of_anthropic", [False, True])
def test_there_are_never_more_than_four_and_the_clients_own_stay(*, of_anthropic: bool) -> None:
    turns = [{"role": "user", "content": f"Turn {n}"} for n in range(8)]
    own = {"role": "user", "content": [{"type": "text", "text": "own", "cache_control": HOUR}]}
    chat = {"messages": [own, *turns], "tools": [OWN_TOOL]}
    sent = body(chat, CacheMark(role="user"), TOOLS, of_anthropic=of_anthropic)
    # One is kept for the tools, as in LiteLLM.
    assert marks_of(sent["messages"]) == ["own", "Turn 0", "Turn 1"]
    assert sent["messages"][0] == own
    assert marks_of(sent["tools"]) == (["f"] if of_anthropic else [])
    full = {"messages": turns, "tools": [OWN_TOOL], "cache_control": USUAL}
    assert len(marks_of(body(full, CacheMark(role="user"), of_anthropic=of_anthropic)["messages"])) == 3


@pytest.mark.parametrize(
    "odd",
    [
        {"input": "a response"}, {"messages": "x"}, {"messages": [1]}, {"messages": [{"role": 5}]},
        {"messages": [], "tools": 7},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_sent_as_it_is(odd: dict[str, Any]) -> None:
    for of_anthropic in (False, True):
        assert body(odd, SYSTEM, LAST, TOOLS, of_anthropic=of_anthropic) == odd


def test_nothing_and_reasoning_are_not_marked() -> None:
    thought = {"type": "thinking", "thinking": "x", "signature": "s"}
    said = {"type": "text", "text": "said"}
    chat = {"messages": [{"role": "assistant", "content": [said, thought]}, {"role": "user", "content": "  "}]}
    assert marks_of(body(chat, CacheMark(index=0), CacheMark(index=1), of_anthropic=True)) == ["said"]


def test_a_call_is_marked_where_it_is_translated() -> None:
    call = marked_call(read_openai(json.dumps(CHAT).encode()), (SYSTEM, LAST, TOOLS), counts_system=True)
    assert [getattr(message.parts[-1], "cache_control", None) is not None for message in call.messages] == [
        True, False, False, True,
    ]  # fmt: skip
    assert [tool.cache_control is not None for tool in call.tools] == [False, True]


def test_for_a_client_of_anthropics_indices_begin_behind_the_instructions() -> None:
    read = read_anthropic(json.dumps(MESSAGES).encode())
    for mark, place in ((CacheMark(index=0), 1), (SYSTEM, 0), (LAST, 3)):
        call = marked_call(read, (mark,), counts_system=False)
        marked = [n for n, one in enumerate(call.messages) if getattr(one.parts[-1], "cache_control", None)]
        assert marked == [place]


def sent(provider: str, operation: Operation, chat: dict[str, Any]) -> Any:
    def native(deployment: Deployment, asked: Operation) -> Any:
        if deployment.provider == "azure":
            return translated_lane(asked, OpenAIChatFar(), deployment)
        if asked is Operation.MESSAGES:
            return NativeLane(deployment, ANTHROPIC_MESSAGES)
        return translated_lane(asked, AnthropicFar(), deployment)

    deployment = Deployment(
        id="d", group="own", provider=provider, model="far", litellm_model="x/far", api_base="http://x/v1", price=None,
        handling=Handling(cache_marks=(SYSTEM, LAST, TOOLS)), output_tokens_max=64,
    )  # fmt: skip
    book = LaneBook({"anthropic": native, "azure": native})
    book.follow(continues=True)
    lane = book.lane(operation, deployment)
    ask = CLIENT_DIALECTS[operation].read_ask(json.dumps(chat).encode(), operation, None)
    return json.loads(lane.write(ask).body), ask


def test_each_kind_of_upstream_gets_the_marks_it_knows() -> None:
    chat, ask = sent("anthropic", Operation.CHAT, CHAT)
    assert marks_of(chat["system"]) == ["Be kind."] and marks_of(chat["messages"]) == ["Four"]
    assert len(marks_of(chat["tools"])) == 1
    # Whoever is asked after a failure has marks of its own.
    assert ask.call is not None and all(tool.cache_control is None for tool in ask.call.tools)
    assert marks_of(sent("anthropic", Operation.MESSAGES, MESSAGES)[0]) == ["Be kind.", "Four", "g"]
    assert marks_of(sent("openrouter", Operation.CHAT, CHAT)[0]) == ["Be kind.", "Four"]
    assert marks_of(sent("openrouter", Operation.MESSAGES, MESSAGES)[0]) == ["Be kind.", "Four"]
    assert marks_of(sent("openai", Operation.CHAT, CHAT)[0]) == []
    assert marks_of(sent("azure", Operation.MESSAGES, MESSAGES)[0]) == []
