from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken, UpstreamFailed
from pointsman.core.reply import Embeddings
from pointsman.core.usage import Usage
from pointsman.dialects.ollama.replies import read_embeddings, read_reply
from pointsman.dialects.ollama.streams import StreamReader

DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 4, "load_duration": 5_000_000}


def test_a_whole_answer_is_a_stream_of_one_line() -> None:
    message = {"content": "Hi", "thinking": "Hm", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}
    body = json.dumps({"model": "up", "created_at": "1970-01-01T00:00:07Z", "message": message, **DONE}, indent=1)
    reply = read_reply(body.encode())
    assert (reply.model, reply.created, reply.load_ms) == ("up", 7, 5.0)
    assert reply.usage == Usage(3, 4, source="measured")
    choice = reply.choices[0]
    assert (choice.text, choice.thinking, choice.finish_reason) == ("Hi", "Hm", "tool_calls")
    assert [(call.name, call.arguments) for call in choice.tool_calls] == [("f", '{"a":1}')]


def test_another_reader_may_read_it() -> None:
    reply = read_reply(json.dumps({"response": "Hi", **DONE}).encode(), StreamReader(id_prefix="cmpl-"))
    assert reply.id.startswith("cmpl-") and reply.choices[0].text == "Hi"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"message":{"content":"Hi"}}', b'{"error":"no"}', b'{"message":{"content":"H']
)
def test_what_is_no_whole_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read_reply(body)


def test_embeddings_are_read_with_their_count() -> None:
    body = b'{"model":"up","embeddings":[[1,0.5],[0,-2e-3]],"prompt_eval_count":7,"total_duration":1}'
    assert read_embeddings(body, 2) == Embeddings("up", ((1.0, 0.5), (0.0, -0.002)), Usage(7, source="measured"))


def test_without_a_count_nothing_is_measured() -> None:
    assert read_embeddings(b'{"embeddings":[[1]]}').usage == Usage()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"embeddings":null}', b'{"embeddings":[["a"]]}', b'{"embeddings":[1]}', b"\xff"]
)
def test_what_are_no_embeddings_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read_embeddings(body)


def test_a_missing_vector_is_broken() -> None:
    with pytest.raises(Broken, match="2 inputs with 1 embeddings"):
        read_embeddings(b'{"embeddings":[[1]]}', 2)


@given(st.binary(max_size=60))
def test_any_body_is_read_or_broken(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read_reply(body)
