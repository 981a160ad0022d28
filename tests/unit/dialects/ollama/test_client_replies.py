from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from ollama import ChatResponse, EmbeddingsResponse, EmbedResponse, GenerateResponse

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.content import ToolCall
from pointsman.core.errors import Broken, Refused
from pointsman.core.events import Event
from pointsman.core.reply import Choice, Embeddings, Reply
from pointsman.core.usage import Usage
from pointsman.dialects.folding import fold
from pointsman.dialects.ollama.client_errors import write_error
from pointsman.dialects.ollama.client_replies import (
    write_chat_reply,
    write_embedding,
    write_embeddings,
    write_generate_reply,
)
from pointsman.dialects.ollama.replies import read_embeddings, read_reply
from pointsman.dialects.ollama.streams import StreamReader
from tests.support.answers import choice_of
from tests.unit.dialects.ollama.client_samples import STAMP, SetClock, answers

CALL = Call("m", ())
CLOCK = SetClock()


def reply(choice: Choice) -> Reply:
    return Reply("x", "up", 1, (choice,), Usage(3, 4), load_ms=1, prompt_ms=2, completion_ms=3)


def test_a_whole_answer_is_the_last_line_with_everything_in_it() -> None:
    tools = (ToolCall("x", "f", '{"a":1}'),)
    token = {"token": "Hi", "logprob": -0.5}
    choice = choice_of(
        text="Hi",
        thinking="Hm",
        tool_calls=tools,
        finish_reason="tool_calls",
        logprobs=(msgspec.Raw(json.dumps([token]).encode()),),
    )
    assert json.loads(write_chat_reply(reply(choice), CALL, seconds=0.01, clock=CLOCK)) == {
        "model": "m",
        "created_at": STAMP,
        "message": {
            "role": "assistant",
            "content": "Hi",
            "thinking": "Hm",
            "tool_calls": [{"id": "x", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}],
        },
        "done": True,
        "done_reason": "stop",
        "logprobs": [token],
        "total_duration": 10_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": 3,
        "prompt_eval_duration": 2_000_000,
        "eval_count": 4,
        "eval_duration": 3_000_000,
    }


def test_generate_has_its_own_fields() -> None:
    choice = choice_of(text="Hi", thinking="Hm", finish_reason="length")
    body = write_generate_reply(Reply("x", "up", 1, (choice,)), CALL, clock=CLOCK)
    assert json.loads(body) == {
        "model": "m",
        "created_at": STAMP,
        "response": "Hi",
        "thinking": "Hm",
        "done": True,
        "done_reason": "length",
    }


def test_a_refusal_is_text_and_no_choice_is_an_empty_answer() -> None:
    assert json.loads(write_chat_reply(reply(choice_of(refusal="No.")), CALL))["message"]["content"] == "No."
    assert json.loads(write_chat_reply(Reply("x", "up", 1, ()), CALL))["message"]["content"] == ""


def test_arguments_that_are_no_object_break_the_answer_unless_it_was_cut_off() -> None:
    tools = (ToolCall("x", "f", '{"a'),)
    with pytest.raises(Broken, match="not a JSON object"):
        write_chat_reply(reply(choice_of(tool_calls=tools, finish_reason="tool_calls")), CALL)
    cut = write_chat_reply(reply(choice_of(text="Hi", tool_calls=tools, finish_reason="length")), CALL)
    assert "tool_calls" not in json.loads(cut)["message"]


@given(answers(model="m"))
def test_the_reader_of_ollamas_answers_reads_back_what_is_written(events: list[Event]) -> None:
    whole = fold(events)
    body = write_chat_reply(whole, CALL, clock=CLOCK)
    assert read_reply(body, StreamReader(new_id=lambda prefix: f"{prefix}1")) == whole
    ChatResponse.model_validate_json(body, strict=True)
    GenerateResponse.model_validate_json(write_generate_reply(whole, CALL), strict=True)


def test_embeddings() -> None:
    embeddings = Embeddings("m", ((0.5, 1.0), (2.0, -1.0)), Usage(3, source="measured"))
    body = write_embeddings(embeddings, EmbeddingCall("m", ("a", "b")), seconds=0.001)
    assert json.loads(body) == {
        "model": "m",
        "embeddings": [[0.5, 1.0], [2.0, -1.0]],
        "total_duration": 1_000_000,
        "prompt_eval_count": 3,
    }
    assert read_embeddings(body, 2) == embeddings
    assert EmbedResponse.model_validate_json(body, strict=True).embeddings[1] == [2.0, -1.0]
    assert EmbeddingsResponse.model_validate_json(write_embedding(embeddings)).embedding == [0.5, 1.0]
    assert json.loads(write_embedding(Embeddings("m", ()))) == {"embedding": []}


def test_an_error_is_a_text() -> None:
    error = Refused("No \ud83d.", hint="Ask again.")
    assert json.loads(write_error(error, "id")) == {"error": "No ?. Ask again."}
