from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call, Tool
from pointsman.core.content import Message, ToolCall
from pointsman.dialects.bedrock_converse.names import ToolNames, fit_id


@given(st.lists(st.text(min_size=1, max_size=80), max_size=8, unique=True))
def test_every_name_fits_and_comes_back(given_names: list[str]) -> None:
    names = ToolNames(given_names)
    fitted = [names.fitted(name) for name in given_names]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in fitted)
    assert len(set(fitted)) == len(fitted)
    assert [names.given(name) for name in fitted] == given_names


def test_a_good_name_keeps_itself_whatever_others_turn_into() -> None:
    names = ToolNames(["a.b", "a_b"])
    assert names.fitted("a_b") == "a_b"
    assert names.fitted("a.b").startswith("a_b_")


def test_the_names_of_a_call_are_those_it_offers_and_those_it_speaks_of() -> None:
    turn = Message("assistant", (ToolCall("1", "old.tool", "{}"),))
    names = ToolNames.of(Call("m", (turn,), tools=(Tool("new.tool"),)))
    assert [names.given(name) for name in ("old_tool", "new_tool", "other")] == ["old.tool", "new.tool", "other"]
    assert (names.unused("new_tool"), names.unused("third")) == ("new_tool_", "third")


@given(st.text(max_size=120))
def test_every_id_fits(call_id: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", fit_id(call_id))


def test_a_good_id_stays_and_long_ones_stay_apart() -> None:
    assert fit_id("tooluse_a.b:c-1") == "tooluse_a.b:c-1"
    assert fit_id("x" * 70 + "1") != fit_id("x" * 70 + "2")
