from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed, Refused
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_responses.dialect import ResponsesDialect


def ask(path_model: str | None = None, /, **fields: object) -> Ask:
    body = json.dumps({"model": "m", "input": "Hi", **fields}).encode()
    return ResponsesDialect.read_ask(body, Operation.CHAT, path_model)


def refusal(**fields: object) -> Malformed:
    with pytest.raises(Malformed) as caught:
        ask(**fields)
    return caught.value


def test_it_is_a_dialect() -> None:
    dialect: ClientDialect = ResponsesDialect()
    assert dialect.write_error(Refused("No."), "") == ResponsesDialect.write_error(Refused("No."))
    assert ResponsesDialect.name == "openai_responses"


def test_only_what_routing_needs_is_read_and_the_rest_is_kept() -> None:
    body = b'{"model":"m","input":"Hi","stream":true,"max_output_tokens":5,"user":"u","novel":{"a":[1]}}'
    found = ResponsesDialect.read_ask(body, Operation.CHAT, None)
    assert (found.model, found.stream, found.include_usage) == ("m", True, True)
    assert (found.output_limit, found.choices, found.end_user) == (5, 1, "u")
    assert msgspec.json.encode(found.fields) == body


def test_nulls_say_nothing() -> None:
    found = ask(stream=None, max_output_tokens=None, user=None)
    assert (found.stream, found.output_limit, found.end_user) == (False, None, None)
    assert ask(max_output_tokens=-1).output_limit is None


def test_the_model_in_the_path_wins() -> None:
    assert ask("azure").model == "azure"


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "prompt"])
def test_the_input_may_be_missing_where_something_else_can_be_read(name: str) -> None:
    assert ask(input=None, **{name: "x"}).model == "m"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input": None}, "input is required."),
        ({"input": 1}, "input must be a string or an array."),
        ({"input": {}}, "input must be a string or an array."),
        ({"model": None}, "model must be a string"),
        ({"model": ""}, "model must not be empty."),
        ({"model": "a" * 600}, "model must not be longer"),
        ({"stream": 1}, "stream must be true or false"),
        ({"max_output_tokens": -2}, "max_output_tokens must be at least -1"),
        ({"user": 1}, "user must be a string"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], words: str) -> None:
    found = refusal(**fields)
    assert found.message.startswith(words) and found.param == next(iter(fields))


def test_a_request_without_a_model_is_refused() -> None:
    with pytest.raises(Malformed, match=r"model is required\."):
        ResponsesDialect.read_ask(b'{"input":"Hi"}', Operation.CHAT, None)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        ResponsesDialect.read_ask(body, Operation.CHAT, None)
