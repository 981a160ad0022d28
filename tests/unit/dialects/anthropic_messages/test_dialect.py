from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call
from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.anthropic_messages.dialect import AnthropicDialect, read_ask
from pointsman.dialects.anthropic_messages.grammar import violations
from pointsman.dialects.anthropic_messages.streams import StreamWriter

MESSAGES = [{"role": "user", "content": "Hi"}]


def ask(path_model: str | None = None, /, **fields: object) -> Ask:
    return read_ask(json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode(), Operation.CHAT, path_model)


def test_what_routing_has_to_know_is_read() -> None:
    found = ask(stream=True, max_tokens=7, metadata={"user_id": "u", "other": 1}, system="s")
    assert (found.model, found.stream, found.output_limit, found.end_user) == ("m", True, 7, "u")
    assert found.include_usage and found.choices == 1
    assert list(found.fields) == ["model", "messages", "stream", "max_tokens", "metadata", "system"]


def test_nulls_say_nothing() -> None:
    found = ask(stream=None, max_tokens=None, metadata=None)
    assert (found.stream, found.output_limit, found.end_user) == (False, None, None)
    assert ask(metadata={"user_id": ""}).end_user is None


def test_the_model_in_the_path_wins() -> None:
    assert ask("other").model == "other"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": "a\n"}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"stream": 1}, "stream"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        ask(**fields)
    assert caught.value.param == param


def test_a_missing_model_is_named() -> None:
    with pytest.raises(Malformed, match="model is required"):
        read_ask(json.dumps({"messages": MESSAGES}).encode(), Operation.CHAT, None)
    with pytest.raises(Malformed, match="messages is required"):
        read_ask(b'{"model":"m"}', Operation.CHAT, None)


def test_a_waiting_client_may_be_sent_pings_at_any_time() -> None:
    dialect = AnthropicDialect()
    writer = StreamWriter(Call("m", ()))
    assert violations(dialect.keepalive + writer.end()) == []
    assert (dialect.name, dialect.stream_type) == ("anthropic_messages", b"text/event-stream; charset=utf-8")
    assert b'"not_found_error"' not in dialect.write_error(Malformed("m"), "1")


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_as_the_clients_fault(body: bytes) -> None:
    with pytest.raises(Malformed):
        AnthropicDialect.read_ask(body, Operation.CHAT, None)
