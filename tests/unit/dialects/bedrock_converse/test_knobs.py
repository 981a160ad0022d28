from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.content import Audio, Message, Part, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.bedrock_converse.abilities import Abilities, abilities_of
from pointsman.dialects.bedrock_converse.knobs import refuse_or_drop

ONE = msgspec.Raw(b"1")
CLAUDE = abilities_of("anthropic.claude-sonnet-4-5-20250929-v1:0")
NEWEST = abilities_of("anthropic.claude-opus-5-5")
LLAMA = abilities_of("meta.llama3-2-1b-instruct-v1:0")
THINKING = Reasoning("low")


def chat(*parts: Part, **fields: Any) -> Call:
    return Call("m", (Message("user", parts or (Text("Hi"),)),), **fields)


def sampled(**fields: Any) -> Call:
    return chat(sampling=Sampling(**fields))


@pytest.mark.parametrize(
    ("call", "abilities", "param", "dropped"),
    [
        (sampled(n=2, max_tokens=1), CLAUDE, "n", sampled(max_tokens=1)),
        (sampled(seed=0), CLAUDE, "seed", chat()),
        (sampled(min_p=0.1), CLAUDE, "min_p", chat()),
        (sampled(presence_penalty=1), CLAUDE, "presence_penalty", chat()),
        (sampled(frequency_penalty=1), CLAUDE, "frequency_penalty", chat()),
        (sampled(logprobs=True), CLAUDE, "logprobs", chat()),
        (sampled(logit_bias=msgspec.Raw(b'{"5":1}')), CLAUDE, "logit_bias", chat()),
        (sampled(temperature=1.5), CLAUDE, "temperature", chat()),
        (sampled(temperature=0.5, top_k=3), NEWEST, "temperature", chat()),
        (sampled(stop=("\n", "END")), CLAUDE, "stop", sampled(stop=("END",))),
        (chat(response_format=ResponseFormat("json_object")), CLAUDE, "response_format", chat()),
        (chat(extra={"verbosity": ONE, "metadata": ONE}), CLAUDE, "verbosity", chat()),
        (chat(extra={"anthropic_beta": ONE}), LLAMA, "anthropic_beta", chat()),
        (chat(reasoning=THINKING), LLAMA, "reasoning_effort", chat()),
        (chat(sampling=Sampling(temperature=0.5), reasoning=THINKING), CLAUDE, "temperature", chat(reasoning=THINKING)),
        (chat(sampling=Sampling(top_k=5), reasoning=THINKING), CLAUDE, "top_k", chat(reasoning=THINKING)),
        (chat(sampling=Sampling(top_p=0.5), reasoning=THINKING), CLAUDE, "top_p", chat(reasoning=THINKING)),
        (
            chat(tools=(Tool("f"),), tool_choice=ToolChoice("required"), reasoning=THINKING),
            CLAUDE,
            "tool_choice",
            chat(tools=(Tool("f"),), reasoning=THINKING),
        ),
        (
            chat(tools=(Tool("f"),), tool_choice=ToolChoice("named", "f")),
            LLAMA,
            "tool_choice",
            chat(tools=(Tool("f"),)),
        ),
    ],
)
def test_a_knob_is_refused_by_its_name_or_dropped_where_that_is_allowed(
    call: Call, abilities: Abilities, param: str, dropped: Call
) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(call, abilities)
    assert caught.value.param == param and param in caught.value.message
    assert refuse_or_drop(call, abilities, drop_params=True) == dropped
    assert refuse_or_drop(call, abilities, additional=(param, "top_k", "stop")) is not None


@pytest.mark.parametrize(
    "call",
    [
        sampled(n=1, presence_penalty=0, logprobs=False, logit_bias=msgspec.Raw(b"{}"), top_k=-1),
        chat(
            user="somebody",
            extra={"metadata": ONE, "model_id": ONE, "context_management": ONE, "modalities": msgspec.Raw(b'["text"]')},
        ),
    ],
)
def test_what_asks_for_nothing_passes(call: Call) -> None:
    assert refuse_or_drop(call, CLAUDE) == chat()


def test_fields_of_converse_of_the_family_and_of_the_operator_stay() -> None:
    extra = {"guardrailConfig": ONE, "anthropic_beta": ONE, "service_tier": ONE, "own_field": ONE}
    call = chat(extra=extra)
    assert refuse_or_drop(call, CLAUDE, operators=frozenset({"own_field"})) == call


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (chat(Text("Hi"), Audio("AAAA", "wav")), "messages[0].content[1]"),
        (chat(tools=(Tool("search", native=ONE, dialect="gemini"),)), "tools[0]"),
        (chat(extra={"modalities": msgspec.Raw(b'["text","audio"]')}), "modalities"),
    ],
)
def test_content_is_refused_whatever_the_operator_says(call: Call, place: str) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(call, CLAUDE, drop_params=True)
    assert caught.value.param == place
