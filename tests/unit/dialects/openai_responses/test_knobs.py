from __future__ import annotations

import json

import msgspec
import pytest

from pointsman.core.call import Call, Sampling, WebSearch
from pointsman.core.content import Message, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.openai_responses.knobs import refuse_or_drop
from pointsman.dialects.openai_responses.search import read_search, write_search

HI = Call("m", (Message("user", (Text("Hi"),)),))


@pytest.mark.parametrize("knob", [{"stop": ("x",)}, {"seed": 1}, {"top_k": 5}, {"n": 2}, {"presence_penalty": 1.0}])
def test_what_it_does_not_know_is_refused_by_name_or_dropped(knob: dict[str, object]) -> None:
    call = msgspec.structs.replace(HI, sampling=msgspec.structs.replace(Sampling(), **knob))
    with pytest.raises(Unsupported, match=next(iter(knob))):
        refuse_or_drop(call)
    assert refuse_or_drop(call, drop_params=True) == HI


def test_values_that_ask_for_nothing_and_hints_are_passed_over() -> None:
    extra = {"store": msgspec.Raw(b"true"), "prediction": msgspec.Raw(b"{}"), "service_tier": msgspec.Raw(b'"flex"')}
    call = msgspec.structs.replace(HI, sampling=Sampling(n=1, presence_penalty=0.0), extra=extra)
    assert refuse_or_drop(call) == msgspec.structs.replace(HI, extra={"service_tier": msgspec.Raw(b'"flex"')})


def test_other_fields_are_refused_or_dropped() -> None:
    call = msgspec.structs.replace(HI, extra={"safetySettings": msgspec.Raw(b"[]")})
    with pytest.raises(Unsupported, match="safetySettings"):
        refuse_or_drop(call)
    assert refuse_or_drop(call, additional=("safetySettings",)) == HI


def test_bounds_that_openai_refuses_as_too_low_are_raised() -> None:
    for asked, sent in ((1, 16), (16, 16), (17, 17)):
        call = msgspec.structs.replace(HI, sampling=Sampling(max_tokens=asked))
        assert refuse_or_drop(call).sampling.max_tokens == sent


def test_a_search_is_written_as_it_is_read() -> None:
    search = WebSearch("low", None, ("a.example",), ("b.example",), {"city": "Rome"})
    assert read_search(write_search(search)) == search
    assert json.loads(bytes(write_search(WebSearch()))) == {"type": "web_search"}
