"""A whole answer is the fold of its events."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.content import Text, Thinking, ToolCall
from pointsman.core.errors import Broken
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    LogprobsDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.reply import Choice, Reply
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.folding import fold
from tests.support.answers import choice_of


def test_everything_an_answer_can_hold_is_folded() -> None:
    events: list[Event] = [
        Started("id-1", "m", 1700000000),
        ThinkingDelta("Let me "),
        ThinkingDelta("see."),
        ThinkingSigned("sig"),
        TextDelta("Hel"),
        LogprobsDelta(msgspec.Raw(b"[1]")),
        TextDelta("lo"),
        RefusalDelta("I "),
        RefusalDelta("won't"),
        ToolCallStarted(0, "call_a", "f"),
        ToolCallStarted(1, "call_b", "g"),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, '{"x"'),
        ToolCallDelta(0, ":1}"),
        Finished("tool_calls"),
        UsageReported(Usage(3, 4, source="measured"), load_ms=1.0, prompt_ms=2.0, completion_ms=3.0),
    ]
    choice = choice_of(
        text="Hello",
        thinking="Let me see.",
        signature="sig",
        refusal="I won't",
        tool_calls=(ToolCall("call_a", "f", '{"x":1}'), ToolCall("call_b", "g", "{}")),
        finish_reason="tool_calls",
        logprobs=(msgspec.Raw(b"[1]"),),
    )
    usage = Usage(3, 4, source="measured")
    assert fold(events) == Reply("id-1", "m", 1700000000, (choice,), usage, 1.0, 2.0, 3.0)


def test_an_answer_without_content_has_one_empty_choice() -> None:
    assert fold([]) == Reply("", "", 0, (Choice(),), NO_USAGE)


def test_choices_come_in_the_order_of_their_index() -> None:
    reply = fold([TextDelta("c", 2), TextDelta("a"), TextDelta("b", 1), Finished("stop", 2)])
    assert [(choice.index, choice.text, choice.finish_reason) for choice in reply.choices] == [
        (0, "a", None),
        (1, "b", None),
        (2, "c", "stop"),
    ]


def test_a_failure_in_the_stream_is_raised() -> None:
    error = Broken("cut")
    with pytest.raises(Broken) as caught:
        fold([TextDelta("x"), Failed(error)])
    assert caught.value is error


@given(st.text(), st.lists(st.integers(0, 20), max_size=6))
def test_how_the_text_was_cut_into_deltas_makes_no_difference(text: str, cuts: list[int]) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert fold([TextDelta(piece) for piece in pieces]).choices == fold([TextDelta(text)]).choices


def test_each_piece_of_reasoning_keeps_its_signature_and_its_place() -> None:
    events: list[Event] = [
        ThinkingDelta("a"),
        ThinkingDelta("b"),
        ThinkingSigned("1", signer="anthropic"),
        ThinkingSigned("secret", redacted=True, signer="anthropic"),
        TextDelta("Hi"),
        ThinkingDelta("c"),
        ThinkingSigned("2", signer="anthropic"),
        ToolCallStarted(0, "call_a", "f"),
        TextDelta("!"),
    ]
    choice = fold(events).choices[0]
    assert choice.parts == (
        Thinking("ab", "1", signer="anthropic"),
        Thinking("", "secret", redacted=True, signer="anthropic"),
        Text("Hi"),
        Thinking("c", "2", signer="anthropic"),
        ToolCall("call_a", "f", ""),
        Text("!"),
    )
    assert (choice.text, choice.thinking, choice.refusal, len(choice.thoughts)) == ("Hi!", "abc", None, 3)


def test_a_signature_that_comes_behind_the_text_is_that_of_the_reasoning_before_it() -> None:
    choice = fold([ThinkingDelta("Hm"), TextDelta("Hi"), ThinkingSigned("s")]).choices[0]
    assert choice.parts == (Thinking("Hm", "s"), Text("Hi"))
