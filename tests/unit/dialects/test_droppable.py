"""What the dialects of other families have in common about knobs: refused by name, or taken out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, Sampling, ToolChoice
from pointsman.core.content import Message, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.droppable import SAMPLING, demand_droppable, without


def call(**fields: Any) -> Call:
    return Call(model="m", messages=(Message(role="user", parts=(Text("hi"),)),), **fields)


def test_a_knob_is_refused_by_name_with_what_to_do_next() -> None:
    with pytest.raises(Unsupported, match=r"Ollama does not support n, logit_bias in this request\.") as caught:
        demand_droppable("Ollama", ["n", "logit_bias"], drop_params=False)
    assert caught.value.param == "n"
    assert "drop_params: true" in str(caught.value.hint)


def test_the_operator_may_have_it_dropped() -> None:
    demand_droppable("Ollama", ["n"], drop_params=True)


def test_little_of_a_clients_own_words_is_repeated() -> None:
    with pytest.raises(Unsupported) as caught:
        demand_droppable("Gemini", ["x" * 10_000] * 10_000, drop_params=False)
    assert len(str(caught.value)) < 2_000
    assert caught.value.param == "x" * 80


@pytest.mark.parametrize("name", sorted(SAMPLING))
def test_every_sampling_knob_can_be_taken_out_alone(name: str) -> None:
    values: dict[str, Any] = {"stop": ("a",), "logit_bias": msgspec.Raw(b'{"1":1}'), "logprobs": True}
    said = Sampling(**{knob: values.get(knob, 1) for knob in SAMPLING})
    left = without(call(sampling=said), [name]).sampling
    assert getattr(left, name) is None
    assert {knob for knob in SAMPLING if getattr(left, knob) is not None} == SAMPLING - {name}


@pytest.mark.parametrize(("name", "knob"), [("max_completion_tokens", "max_tokens"), ("stop_sequences", "stop")])
def test_a_knob_goes_by_its_other_names(name: str, knob: str) -> None:
    said = Sampling(max_tokens=5, stop=("a",))
    assert getattr(without(call(sampling=said), [name]).sampling, knob) is None


def test_what_is_not_named_stays() -> None:
    said = call(user="u", tool_choice=ToolChoice("auto"), extra={"a": msgspec.Raw(b"1"), "b": msgspec.Raw(b"2")})
    assert without(said, []) is said
    left = without(said, ["a", "user"])
    assert (left.user, left.tool_choice, list(left.extra)) == (None, ToolChoice("auto"), ["b"])
