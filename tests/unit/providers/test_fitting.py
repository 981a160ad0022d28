"""A request is fitted to the habits of its service, and is otherwise left alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call, Sampling
from pointsman.core.content import Message, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment, Operation
from pointsman.dialects.openai_fields import read_ask
from pointsman.providers.express import ExpressLane
from pointsman.providers.fitting import Fitting, embedding_fitting_for, fitting_for
from pointsman.providers.registry import Habits
from pointsman.providers.translated import OpenAIChatFar

USER = {"role": "user", "content": "Hi"}


REASONS = frozenset({"reasoning"})


def at(
    provider: str,
    model: str = "some-model",
    *,
    drop_params: bool = False,
    capabilities: frozenset[str] = frozenset(),
) -> Deployment:
    return Deployment(
        id="d", group="public", provider=provider, model=model, litellm_model=f"{provider}/{model}",
        api_base="http://x/v1", price=None, drop_params=drop_params, capabilities=capabilities,
    )  # fmt: skip


def written(deployment: Deployment, **fields: Any) -> dict[str, Any]:
    body = json.dumps({"model": "public", "messages": [USER], **fields}).encode()
    lane = ExpressLane(deployment, Operation.CHAT, fitting_for(deployment))
    out: dict[str, Any] = json.loads(lane.write(read_ask(body, Operation.CHAT, None)).body)
    return out


def assistant(**fields: Any) -> list[dict[str, Any]]:
    return [USER, {"role": "assistant", "content": "Yes?", **fields}, USER]


def test_openai_itself_has_no_fitting_and_an_unknown_provider_has_none_either() -> None:
    assert fitting_for(at("openai")) is None
    assert fitting_for(at("found-by-discovery")) is None


def test_a_bound_is_told_in_the_word_that_the_service_knows() -> None:
    sent = written(at("xai"), max_completion_tokens=7)
    assert sent["max_tokens"] == 7 and "max_completion_tokens" not in sent
    assert written(at("xai"), max_tokens=3, max_completion_tokens=7)["max_tokens"] == 7, "the newer name wins"
    assert written(at("xai"), max_tokens=3, max_completion_tokens=None)["max_tokens"] == 3
    assert written(at("streamlake"), max_tokens=3)["max_completion_tokens"] == 3


def test_what_changes_nothing_about_the_answer_is_not_sent_to_a_service_that_refuses_it() -> None:
    sent = written(at("cerebras"), store=True, metadata={"a": "b"}, temperature=0.5)
    assert "store" not in sent and "metadata" not in sent and sent["temperature"] == 0.5


def test_a_knob_that_the_service_does_not_have_is_refused_by_name_or_dropped() -> None:
    with pytest.raises(Unsupported, match="Groq does not support logprobs in this request") as caught:
        written(at("groq"), logprobs=True)
    assert caught.value.param == "logprobs" and "drop_params" in (caught.value.hint or "")
    assert "logprobs" not in written(at("groq", drop_params=True), logprobs=True)


@pytest.mark.parametrize(("name", "value"), [("n", 1), ("logprobs", False), ("tools", []), ("stop", None)])
def test_a_knob_that_nobody_turned_is_left_out_and_no_reason_to_refuse(name: str, value: object) -> None:
    assert name not in written(at("perplexity"), **{name: value})


def test_what_only_some_models_refuse_is_sent_to_the_others() -> None:
    assert written(at("xai", "grok-3"), stop=["x"])["stop"] == ["x"]
    with pytest.raises(Unsupported, match="stop"):
        written(at("xai", "grok-4-fast"), stop=["x"])


def test_a_developer_speaks_as_the_system_where_that_role_is_unknown() -> None:
    messages = [{"role": "developer", "content": 'Say "developer".'}, USER]
    assert written(at("hosted_vllm"), messages=messages)["messages"][0] == {**messages[0], "role": "system"}
    assert written(at("openai"), messages=messages)["messages"] == messages


def test_the_word_developer_in_a_text_changes_nothing() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "developer"}], "odd": {"a": ["developer"]}}]
    assert written(at("hosted_vllm"), messages=messages)["messages"] == messages


def test_reasoning_goes_back_under_the_name_that_the_service_has_for_it() -> None:
    messages = assistant(reasoning_content="Hm.", thinking_blocks=[{"type": "thinking", "thinking": "Hm."}])
    plain = {"role": "assistant", "content": "Yes?"}
    for deployment in (at("groq", capabilities=REASONS), at("openrouter")):
        assert written(deployment, messages=messages)["messages"][1] == {**plain, "reasoning": "Hm."}
    assert written(at("groq"), messages=messages)["messages"][1] == plain, "refused for models that do not reason"
    assert written(at("groq"), messages=assistant(reasoning="Hm."))["messages"][1] == plain
    assert written(at("perplexity"), messages=assistant(reasoning="Hm."))["messages"][1] == plain
    assert written(at("deepseek"), messages=messages)["messages"] == messages


def test_deepseek_gets_reasoning_with_every_turn_that_called_tools_even_if_nobody_kept_it() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    plain = assistant(tool_calls=[call])
    assert written(at("deepseek"), messages=plain)["messages"][1]["reasoning_content"] == " "
    kept = assistant(tool_calls=[call], reasoning_content="Hm.")
    assert written(at("deepseek"), messages=kept)["messages"] == kept
    other = assistant(tool_calls=[call], reasoning="Hm.")
    assert written(at("deepseek"), messages=other)["messages"][1]["reasoning_content"] == "Hm."
    assert written(at("deepseek"), messages=plain, thinking={"type": "disabled"})["messages"] == plain
    assert "reasoning_content" not in written(at("deepseek"), messages=assistant())["messages"][1]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["developer", "tool_calls"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries({"role": st.sampled_from(["user", "system", "tool"]), "content": JSON_VALUES})


@given(
    st.sampled_from(["groq", "deepseek", "perplexity", "hosted_vllm", "openrouter", "dashscope"]),
    st.dictionaries(st.text(min_size=8, max_size=12), JSON_VALUES, max_size=3),
    st.lists(MESSAGES, min_size=1, max_size=3),
)
def test_whatever_else_is_in_a_request_reaches_the_service_as_it_was(
    provider: str, extra: dict[str, Any], messages: list[dict[str, Any]]
) -> None:
    sent = written(at(provider), **{**extra, "messages": messages})
    assert sent == {**extra, "model": "some-model", "messages": messages}


def test_what_cannot_be_read_is_left_for_the_service_to_refuse() -> None:
    fitting = Fitting(Habits(), title="t", model="m", drop_params=False)
    body = b'{"messages":["developer"]}'
    assert fitting.rewrite(body) == body


def test_a_translated_request_is_fitted_as_well() -> None:
    deployment = at("groq", capabilities=REASONS)
    call = Call(
        "public",
        (
            Message("developer", (Text("Be brief."),)),
            Message("user", (Text("Hi"),)),
            Message("assistant", (Thinking("Hm."), ToolCall("c", "f", "{}"))),
            Message("tool", (ToolResult("c", (Text("1"),)),)),
        ),
        Sampling(max_tokens=5),
    )
    sent = msgspec.json.decode(OpenAIChatFar(fitting_for(deployment)).write(call, deployment).body)
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
    assert sent["messages"][2]["reasoning"] == "Hm." and "reasoning_content" not in sent["messages"][2]


@pytest.mark.parametrize(
    ("provider", "asked", "expected"),
    [
        ("groq", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}),
        ("groq", {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}),
        ("groq", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"reasoning_effort": "low"}),
        ("groq", {"thinking": {"type": "enabled", "budget_tokens": 2048}}, {"reasoning_effort": "medium"}),
        ("groq", {"thinking": {"type": "enabled", "budget_tokens": 20000}}, {"reasoning_effort": "high"}),
        ("groq", {"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        ("groq", {"thinking": {"type": "adaptive"}}, {}),
        ("groq", {"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}),
        ("groq", {"reasoning_effort": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ("groq", {"reasoning_effort": None}, {}),
        ("groq", {"reasoning_effort": "default"}, {}),
        ("xai", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "xhigh"}),
        ("deepseek", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ("deepseek", {"reasoning_effort": "max"}, {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        ("deepseek", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "enabled"}}),
        ("zai", {"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}}),
        ("zai", {"thinking": {"type": "enabled", "budget_tokens": 9}}, {"thinking": {"type": "enabled"}}),
        ("dashscope", {"reasoning": {"max_tokens": 9}}, {"enable_thinking": True, "thinking_budget": 9}),
        ("dashscope", {"reasoning_effort": "none"}, {"enable_thinking": False}),
        ("openrouter", {"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        ("openrouter", {"thinking": {"type": "enabled", "budget_tokens": 9}}, {"reasoning": {"max_tokens": 9}}),
        ("openrouter", {"thinking": {"type": "disabled"}}, {"reasoning": {"enabled": False}}),
        ("hosted_vllm", {"thinking": {"type": "enabled", "budget_tokens": 9}}, {"reasoning_effort": "minimal"}),
        ("groq", {"reasoning_effort": 7}, {"reasoning_effort": 7}),
    ],
)
def test_how_hard_to_think_is_said_in_the_words_of_the_service(
    provider: str, asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    sent = written(at(provider), **asked)
    del sent["model"], sent["messages"]
    assert sent == expected


def test_a_model_known_not_to_reason_is_not_asked_to() -> None:
    knows = frozenset({"tools"})
    with pytest.raises(Unsupported, match="Groq does not support thinking"):
        written(at("groq", capabilities=knows), thinking={"type": "enabled"})
    dropped = written(at("groq", capabilities=knows, drop_params=True), thinking={"type": "enabled"})
    assert not dropped.keys() & {"thinking", "reasoning_effort"}
    assert "reasoning_effort" not in written(at("groq", capabilities=knows), reasoning_effort="none")


def test_embeddings_have_habits_of_their_own() -> None:
    deployment = at("voyage")
    ask = read_ask(b'{"model":"p","input":["developer"],"dimensions":8,"user":"u"}', Operation.EMBEDDING, None)
    sent = json.loads(ExpressLane(deployment, Operation.EMBEDDING, embedding_fitting_for(deployment)).write(ask).body)
    assert sent == {"model": "some-model", "input": ["developer"], "output_dimension": 8}
    assert embedding_fitting_for(at("openai")) is embedding_fitting_for(at("unknown")) is None
