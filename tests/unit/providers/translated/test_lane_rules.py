"""What becomes of single parameters on a translated lane: dropped, passed on, or mended."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Unsupported
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.anthropic_messages.dialect import read_ask as read_messages_ask
from pointsman.dialects.openai_fields import read_ask
from pointsman.policies.parameters import take_rules
from pointsman.providers.translated import CLIENTS, AnthropicFar, OpenAIChatFar, TranslatedLane

PLAIN = Deployment(
    id="d", group="public", provider="anthropic", model="claude", litellm_model="anthropic/claude",
    api_base="https://api.anthropic.com", price=None, output_tokens_max=8192,
)  # fmt: skip
COMPATIBLE = msgspec.structs.replace(PLAIN, provider="openai", model="gpt", litellm_model="openai/gpt")
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def chat_ask(**fields: Any) -> Ask:
    ask = read_ask(json.dumps({"model": "public", "messages": HELLO, **fields}).encode(), Operation.CHAT, None)
    take_rules(ask)
    return ask


def written(deployment: Deployment = PLAIN, **fields: Any) -> dict[str, Any]:
    lane = TranslatedLane(CLIENTS[Operation.CHAT], AnthropicFar(), deployment)
    body: dict[str, Any] = json.loads(lane.write(chat_ask(**fields)).body)
    return body


def with_(**changes: Any) -> Deployment:
    return msgspec.structs.replace(PLAIN, **changes)


def test_a_request_may_have_its_own_knobs_dropped_or_refused() -> None:
    with pytest.raises(Unsupported):
        written(seed=1)
    assert "seed" not in written(seed=1, drop_params=True)
    with pytest.raises(Unsupported):
        written(with_(drop_params=True), seed=1, drop_params=False)


def test_names_and_paths_are_dropped_for_operator_and_request_alike() -> None:
    assert "temperature" not in written(with_(additional_drop_params=("temperature",)), temperature=0.5)
    assert "temperature" not in written(temperature=0.5, additional_drop_params=["temperature"])
    assert "strict" in written(tools=[TOOL])["tools"][0]
    for path in ("tools[*].function.strict", "tools[*].strict"):
        assert "strict" not in written(with_(additional_drop_params=(path,)), tools=[TOOL])["tools"][0]
    assert "strict" not in written(tools=[TOOL], additional_drop_params=["tools[0].function.strict"])["tools"][0]


def test_what_is_dropped_for_one_deployment_is_still_there_for_the_next() -> None:
    ask = chat_ask(temperature=0.5)
    TranslatedLane(CLIENTS[Operation.CHAT], AnthropicFar(), with_(additional_drop_params=("temperature",))).write(ask)
    assert bytes(ask.fields["temperature"]) == b"0.5"


def test_a_request_cannot_have_dropped_what_the_gateway_adds_to_count_it() -> None:
    lane = TranslatedLane(CLIENTS[Operation.MESSAGES], OpenAIChatFar(), COMPATIBLE)
    fields = {"model": "public", "max_tokens": 9, "messages": HELLO, "stream": True}
    fields["additional_drop_params"] = ["stream_options", "stream_options.include_usage"]
    ask = read_messages_ask(json.dumps(fields).encode(), Operation.MESSAGES, None)
    take_rules(ask)
    assert json.loads(lane.write(ask).body)["stream_options"] == {"include_usage": True}


def test_the_operator_can() -> None:
    deployment = msgspec.structs.replace(COMPATIBLE, additional_drop_params=("stream_options",))
    lane = TranslatedLane(CLIENTS[Operation.MESSAGES], OpenAIChatFar(), deployment)
    body = json.dumps({"model": "public", "max_tokens": 9, "messages": HELLO, "stream": True}).encode()
    assert "stream_options" not in json.loads(lane.write(read_messages_ask(body, Operation.MESSAGES, None)).body)


@pytest.mark.parametrize("drop", [False, True])
def test_an_allowed_parameter_reaches_the_upstream_as_it_is(drop: bool) -> None:
    body = written(with_(allowed_openai_params=("seed", "store"), drop_params=drop), seed=7, store=True)
    assert (body["seed"], body["store"]) == (7, True)
    assert written(with_(drop_params=drop), seed=7, allowed_openai_params=["seed"])["seed"] == 7


def test_only_what_the_request_holds_and_the_translation_loses_is_passed_on() -> None:
    deployment = with_(allowed_openai_params=("seed", "temperature", "reasoning_effort", "tools", "max_tokens"))
    body = written(deployment, temperature=0.5, tools=[TOOL], max_tokens=5)
    assert "seed" not in body and "reasoning_effort" not in body
    assert (body["temperature"], body["max_tokens"]) == (0.5, 5)
    assert body["tools"][0]["name"] == "f"


def test_what_is_not_allowed_is_still_refused() -> None:
    with pytest.raises(Unsupported, match="logit_bias"):
        written(with_(allowed_openai_params=("seed",)), seed=1, logit_bias={"1": 1})


MENDING = with_(modify_params=True)


def test_a_conversation_that_the_model_begins_gets_a_user() -> None:
    body = written(MENDING, messages=[{"role": "system", "content": "Be kind"}])
    assert body["messages"] == [{"role": "user", "content": "Please continue."}]
    body = written(MENDING, messages=[{"role": "assistant", "content": "Hi"}, *HELLO])
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


def test_empty_turns_say_something() -> None:
    turns = written(MENDING, messages=[{"role": "user", "content": " "}, {"role": "assistant", "content": ""}, *HELLO])
    assert len(turns["messages"]) == 3 and all(turn["content"].strip() for turn in turns["messages"])


def test_who_speaks_of_tools_brings_one() -> None:
    history = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    history += [{"role": "tool", "tool_call_id": "c1", "content": "1"}]
    assert [tool["name"] for tool in written(MENDING, messages=history)["tools"]] == ["dummy_tool"]
    assert [tool["name"] for tool in written(MENDING, messages=history, tools=[TOOL])["tools"]] == ["f"]
    assert "tools" not in written(PLAIN, messages=history)


def test_calls_without_result_and_results_without_call_are_paired() -> None:
    history = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}, *HELLO]
    turns = written(MENDING, messages=history, tools=[TOOL])["messages"]
    assert turns[2]["content"][0]["type"] == "tool_result" and turns[2]["content"][0]["tool_use_id"] == "c1"
    orphan = [*HELLO, {"role": "tool", "tool_call_id": "zz", "content": "1"}, *HELLO]
    assert "tool_result" not in json.dumps(written(MENDING, messages=orphan, tools=[TOOL])["messages"])


def test_thinking_is_not_asked_for_behind_a_call_made_without() -> None:
    history = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    history += [{"role": "tool", "tool_call_id": "c1", "content": "1"}]
    assert "thinking" in written(PLAIN, messages=history, tools=[TOOL], reasoning_effort="low")
    assert "thinking" not in written(MENDING, messages=history, tools=[TOOL], reasoning_effort="low")
    assert "thinking" in written(MENDING, reasoning_effort="low")


def test_no_more_is_asked_for_than_the_model_can_answer() -> None:
    assert written(MENDING, max_tokens=100_000)["max_tokens"] == 8192
    assert written(PLAIN, max_tokens=100_000)["max_tokens"] == 100_000


def test_openais_family_and_ollama_take_requests_as_they_are() -> None:
    deployment = msgspec.structs.replace(COMPATIBLE, modify_params=True)
    lane = TranslatedLane(CLIENTS[Operation.CHAT], OpenAIChatFar(), deployment)
    body = json.loads(lane.write(chat_ask(messages=[{"role": "system", "content": "x"}])).body)
    assert [message["role"] for message in body["messages"]] == ["system"]


def sent_beta(far_is_anthropics: bool, *versions: tuple[str, str], **headers: str) -> dict[str, str]:
    deployment = PLAIN if far_is_anthropics else COMPATIBLE
    own = {name.replace("_", "-"): Secret(value) for name, value in headers.items()}
    deployment = msgspec.structs.replace(deployment, headers=own)
    far = AnthropicFar() if far_is_anthropics else OpenAIChatFar()
    ask = chat_ask()
    ask.versions = versions
    outbound: Outbound = TranslatedLane(CLIENTS[Operation.CHAT], far, deployment).write(ask)
    return {name: value.reveal() for name, value in outbound.headers}


def test_beta_features_reach_upstreams_of_their_own_family_only() -> None:
    both = (("anthropic-beta", "a-1, b-2"), ("openai-beta", "assistants=v2"))
    assert sent_beta(True, *both) == {"anthropic-beta": "a-1,b-2"}
    assert sent_beta(False, *both) == {"openai-beta": "assistants=v2"}
    assert sent_beta(True) == {}
    assert sent_beta(True, both[1]) == {}


def test_the_operators_beta_features_stay() -> None:
    headers = sent_beta(True, ("anthropic-beta", "a-1,b-2"), anthropic_beta="b-2,c-3")
    assert headers == {"anthropic-beta": "b-2,c-3,a-1"}
