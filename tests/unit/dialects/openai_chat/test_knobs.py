"""Fields of other dialects do not reach OpenAI's family under names that it does not know."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.call import Call, Sampling
from pointsman.core.content import Message, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.openai_chat.knobs import refuse_or_drop

ONE = msgspec.Raw(b"1")


def call(*names: str) -> Call:
    return Call("m", (Message("user", (Text("Hi"),)),), Sampling(seed=1), extra=dict.fromkeys(names, ONE))


@pytest.mark.parametrize("name", ["mcp_servers", "safetySettings", "max_tool_calls", "mirostat"])
def test_another_dialects_knob_is_refused_by_name_or_dropped(name: str) -> None:
    with pytest.raises(Unsupported, match=name):
        refuse_or_drop(call(name))
    assert not refuse_or_drop(call(name), drop_params=True).extra
    assert not refuse_or_drop(call(name), additional=(name,)).extra


@pytest.mark.parametrize("name", ["num_gpu", "keep_alive", "cache_control", "context_management", "options"])
def test_another_dialects_hint_is_passed_over(name: str) -> None:
    assert not refuse_or_drop(call(name)).extra


def test_what_a_server_may_know_stays() -> None:
    assert list(refuse_or_drop(call("repetition_penalty", "store", "verbosity")).extra) == [
        "repetition_penalty", "store", "verbosity",
    ]  # fmt: skip
    assert list(refuse_or_drop(call("repeat_penalty"), local=True).extra) == ["repeat_penalty"]
    plain = call()
    assert refuse_or_drop(plain) is plain


def test_names_are_dropped_for_the_operator() -> None:
    assert refuse_or_drop(call(), additional=("seed",)).sampling.seed is None
