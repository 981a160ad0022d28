from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.content import Audio, Image, Message, Part, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.anthropic_messages.abilities import Abilities
from pointsman.dialects.anthropic_messages.knobs import refuse_or_drop

ONE = msgspec.Raw(b"1")
SCHEMA = ResponseFormat("json_schema", schema=msgspec.Raw(b"{}"))
THINKING = Reasoning("low")


def chat(*parts: Part, **fields: Any) -> Call:
    return Call("m", (Message("user", parts or (Text("Hi"),)),), **fields)


def sampled(**fields: Any) -> Call:
    return chat(sampling=Sampling(**fields))


@pytest.mark.parametrize(
    ("call", "param", "dropped"),
    [
        (sampled(n=2, max_tokens=1), "n", sampled(max_tokens=1)),
        (sampled(seed=0), "seed", chat()),
        (sampled(min_p=0.1), "min_p", chat()),
        (sampled(presence_penalty=1), "presence_penalty", chat()),
        (sampled(frequency_penalty=1), "frequency_penalty", chat()),
        (sampled(logprobs=True), "logprobs", chat()),
        (sampled(top_logprobs=2), "top_logprobs", chat()),
        (sampled(logit_bias=msgspec.Raw(b'{"5":1}')), "logit_bias", chat()),
        (sampled(temperature=1.5), "temperature", chat()),
        (sampled(stop=("\n", "END")), "stop", sampled(stop=("END",))),
        (sampled(stop=(" ",)), "stop", chat()),
        (chat(response_format=SCHEMA), "response_format", chat()),
        (chat(response_format=ResponseFormat("json_object")), "response_format", chat()),
        (chat(extra={"verbosity": ONE, "metadata": ONE}), "verbosity", chat()),
        (
            chat(sampling=Sampling(temperature=0.5), reasoning=THINKING),
            "temperature",
            chat(reasoning=THINKING),
        ),
        (chat(sampling=Sampling(top_k=5), reasoning=THINKING), "top_k", chat(reasoning=THINKING)),
        (chat(sampling=Sampling(top_p=0.5), reasoning=THINKING), "top_p", chat(reasoning=THINKING)),
        (
            chat(tools=(Tool("f"),), tool_choice=ToolChoice("required"), reasoning=THINKING),
            "tool_choice",
            chat(tools=(Tool("f"),), reasoning=THINKING),
        ),
    ],
)
def test_a_knob_is_refused_by_its_name_or_dropped_where_that_is_allowed(call: Call, param: str, dropped: Call) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(call)
    assert (caught.value.param, caught.value.status) == (param, 400)
    assert "drop_params" in caught.value.told()
    assert refuse_or_drop(call, drop_params=True) == dropped


def test_all_knobs_are_named_at_once() -> None:
    with pytest.raises(Unsupported, match=r"support seed, n, novel in"):
        refuse_or_drop(chat(sampling=Sampling(n=2, seed=1), extra={"novel": ONE}))


@pytest.mark.parametrize(
    "call",
    [
        chat(),
        chat(Image(url="https://x")),
        sampled(temperature=0.5, top_p=0.5, top_k=5, stop=("a",), max_tokens=5),
        chat(sampling=Sampling(temperature=1, top_p=0.99, top_k=-1), reasoning=THINKING),
        chat(sampling=Sampling(temperature=0.5), reasoning=Reasoning("none")),
        chat(tools=(Tool("f", strict=True),), tool_choice=ToolChoice("required"), parallel_tool_calls=False),
        chat(tools=(Tool("f", native=ONE, dialect="anthropic_messages"),)),
        chat(response_format=ResponseFormat("text"), user="u-1"),
        chat(extra={"service_tier": msgspec.Raw(b'"auto"'), "container": ONE, "context_management": ONE}),
    ],
)
def test_what_anthropic_can_do_passes(call: Call) -> None:
    assert refuse_or_drop(call) == call


@pytest.mark.parametrize(
    "call",
    [
        sampled(n=1, logprobs=False, top_logprobs=0, presence_penalty=0.0, frequency_penalty=0.0, min_p=0.0),
        sampled(logit_bias=msgspec.Raw(b"{}")),
        chat(user="jane@example.com"),
        chat(extra={"metadata": ONE, "store": ONE, "tags": ONE}),
        chat(extra={"service_tier": msgspec.Raw(b'"flex"')}),
        chat(extra={"modalities": msgspec.Raw(b'["text"]')}),
    ],
)
def test_what_asks_for_nothing_is_passed_over(call: Call) -> None:
    assert refuse_or_drop(call) == chat()


def test_a_model_with_the_ability_is_given_the_schema() -> None:
    assert refuse_or_drop(chat(response_format=SCHEMA), abilities=Abilities(json_schema=True)).response_format == SCHEMA


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (chat(Text("Hi"), Audio("aGk=", "wav")), "messages[0].content[1]"),
        (chat(tools=(Tool("f", native=ONE, dialect="gemini"),)), "tools[0]"),
        (chat(extra={"modalities": msgspec.Raw(b'["text","audio"]')}), "modalities"),
        (chat(extra={"modalities": ONE}), "modalities"),
    ],
)
def test_content_is_never_dropped(call: Call, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(call, drop_params=True)
    assert caught.value.param == param


FULL = chat(
    sampling=Sampling(temperature=1, max_tokens=5, stop=("a",)),
    tools=(Tool("f"),),
    tool_choice=ToolChoice("required"),
    parallel_tool_calls=True,
    response_format=ResponseFormat("text"),
    reasoning=Reasoning("low"),
    user="u",
    extra={"novel": ONE},
)


def test_what_the_operator_names_is_dropped_in_any_case() -> None:
    names = ("temperature", "max_completion_tokens", "stop_sequences", "tools", "tool_choice", "parallel_tool_calls")
    assert refuse_or_drop(FULL, additional=(*names, "response_format", "thinking", "user", "novel")) == chat()


def test_a_long_name_is_cut_in_the_message() -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(chat(extra={"x" * 10_000: ONE}))
    assert len(caught.value.told()) < 300


def test_a_model_without_sampling_is_told_nothing_of_it() -> None:
    newer = Abilities(sampling=False)
    assert refuse_or_drop(sampled(temperature=1, top_p=1, max_tokens=1), abilities=newer) == sampled(max_tokens=1)
    for knob in ({"temperature": 0.2}, {"top_p": 0.9}, {"top_k": 4}):
        with pytest.raises(Unsupported, match=next(iter(knob))):
            refuse_or_drop(sampled(**knob), abilities=newer)
        assert refuse_or_drop(sampled(**knob), drop_params=True, abilities=newer) == chat()
