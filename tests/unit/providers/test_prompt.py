from __future__ import annotations

import msgspec

from pointsman.core.call import Call, CompletionCall, EmbeddingCall, Tool
from pointsman.core.content import Image, Message, Text, Thinking, ToolCall, ToolResult
from pointsman.providers.prompt import (
    TOKENS_PER_IMAGE,
    TOKENS_PER_MESSAGE,
    chat_tokens,
    completion_tokens,
    embedding_tokens,
)


def by_length(text: str) -> int:
    return len(text)


def test_every_part_that_the_model_reads_counts() -> None:
    call = Call(
        "m",
        (
            Message("user", (Text("12345"), Image(data="A" * 1_000_000))),
            Message("assistant", (Thinking("123"), ToolCall("c1", "ab", "{}"))),
            Message("tool", (ToolResult("c1", (Text("1234567"), Image(data="A"))),)),
        ),
        tools=(Tool("f", "dd", msgspec.Raw(b"{}")),),
    )
    said = 5 + 3 + 4 + 7 + len("f dd {}")
    marks = TOKENS_PER_MESSAGE * 6  # three messages and the answer's, a tool call, a tool
    assert chat_tokens(call, by_length) == said + marks + 2 * TOKENS_PER_IMAGE


def test_a_completion_is_as_long_as_its_longest_prompt_and_its_suffix() -> None:
    call = CompletionCall("m", ("1", "123"), suffix="12")
    assert completion_tokens(call, by_length) == TOKENS_PER_MESSAGE + 5


def test_the_longest_embedding_input_has_to_fit_and_all_are_counted() -> None:
    assert embedding_tokens(EmbeddingCall("m", ("12", "12345", (7, 8, 9))), by_length) == (5, 10)
    assert embedding_tokens(EmbeddingCall("m", ()), by_length) == (0, 0)
