from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken, Forbidden, Malformed
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_fields import OpenAIDialect, read_ask, write_error, write_stream_error
from pointsman.wire.limits import MODEL_NAME_BYTES_MAX

MESSAGES = [{"role": "user", "content": "Hi"}]


def ask(operation: Operation = Operation.CHAT, path_model: str | None = None, /, **fields: object) -> Ask:
    content = {Operation.CHAT: "messages", Operation.COMPLETION: "prompt", Operation.EMBEDDING: "input"}[operation]
    value = MESSAGES if operation is Operation.CHAT else "Hi"
    return read_ask(json.dumps({"model": "m", content: value, **fields}).encode(), operation, path_model)


def refusal(operation: Operation = Operation.CHAT, /, **fields: object) -> Malformed:
    with pytest.raises(Malformed) as caught:
        ask(operation, **fields)
    return caught.value


def test_only_what_routing_needs_is_read_and_the_rest_is_kept() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":'
        b'{"include_usage":true,"x":1},"max_tokens":5,"n":2,"user":"u","novel":{"a":[1]}}'
    )
    found = read_ask(body, Operation.CHAT, None)
    assert (found.model, found.stream, found.include_usage) == ("m", True, True)
    assert (found.output_limit, found.choices, found.end_user) == (5, 2, "u")
    assert msgspec.json.encode(found.fields) == body


def test_nulls_say_nothing() -> None:
    names = ("stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "user")
    found = ask(**dict.fromkeys(names))
    assert (found.stream, found.include_usage, found.output_limit, found.choices, found.end_user) == (
        False,
        False,
        None,
        1,
        None,
    )


def test_false_is_false() -> None:
    assert not ask(stream=False).stream
    assert not ask(stream_options={"include_usage": False}).include_usage


def test_the_model_in_the_path_wins_and_may_be_the_only_one() -> None:
    assert ask(Operation.CHAT, "azure").model == "azure"
    assert read_ask(b'{"messages":[{"role":"user"}]}', Operation.CHAT, "azure").model == "azure"


def test_of_two_models_the_last_counts_however_it_is_spelt() -> None:
    body = b'{"model":"allowed","messages":[{"role":"user"}],"m\\u006fdel":"forbidden"}'
    assert read_ask(body, Operation.CHAT, None).model == "forbidden"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (None, "must be a string"),
        (1, "must be a string"),
        ("", "must not be empty"),
        ("a\nb", "control characters"),
        ("a\u0000", "control characters"),
        ("x" * (MODEL_NAME_BYTES_MAX + 1), "longer than"),
        ("ü" * (MODEL_NAME_BYTES_MAX // 2 + 1), "longer than"),
    ],
)
def test_a_name_no_model_can_have_is_refused(model: object, words: str) -> None:
    error = refusal(model=model)
    assert words in error.message and error.param == "model"


@pytest.mark.parametrize("model", ["x" * MODEL_NAME_BYTES_MAX, "ü" * (MODEL_NAME_BYTES_MAX // 2), "a/b:c@d", "模型"])
def test_a_name_a_model_can_have_is_taken(model: str) -> None:
    assert ask(model=model).model == model


def test_a_missing_model_is_refused() -> None:
    with pytest.raises(Malformed) as caught:
        read_ask(b'{"messages":[{"role":"user"}]}', Operation.CHAT, None)
    assert (caught.value.message, caught.value.param) == ("model is required.", "model")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stream": 1}, "stream must be true or false, not an integer."),
        ({"stream": "true"}, "stream must be true or false, not a string."),
        ({"stream_options": []}, "stream_options must be an object, not an array."),
        (
            {"stream_options": {"include_usage": 1}},
            "stream_options.include_usage must be true or false, not an integer.",
        ),
        ({"max_tokens": "5"}, "max_tokens must be an integer, not a string."),
        ({"max_tokens": -2}, "max_tokens must be at least -1."),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens must be an integer, not a number."),
        ({"n": 0}, "n must be at least 1."),
        ({"n": 129}, "n must be at most 128."),
        ({"user": 1}, "user must be a string, not an integer."),
        ({"messages": None}, "messages is required."),
        ({"messages": "Hi"}, "messages must be an array of messages."),
        ({"messages": {}}, "messages must be an array of messages."),
        ({"messages": []}, "messages must not be empty."),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], message: str) -> None:
    assert refusal(**fields).message == message


@pytest.mark.parametrize(("operation", "name"), [(Operation.COMPLETION, "prompt"), (Operation.EMBEDDING, "input")])
def test_each_operation_wants_its_content(operation: Operation, name: str) -> None:
    assert refusal(operation, **{name: None}).message == f"{name} is required."
    assert refusal(operation, **{name: 1}).message == f"{name} must be a string or an array."
    assert refusal(operation, **{name: []}).message == f"{name} must not be empty."
    with pytest.raises(Malformed, match=f"{name} is required"):
        read_ask(b'{"model":"m"}', operation, None)


def test_white_space_does_not_make_an_array_full() -> None:
    with pytest.raises(Malformed, match="must not be empty"):
        read_ask(b'{"model":"m","messages":[   ]}', Operation.CHAT, None)


def test_the_newer_name_of_the_limit_wins_and_minus_one_means_none() -> None:
    assert ask(max_tokens=5, max_completion_tokens=7).output_limit == 7
    assert ask(max_tokens=5, max_completion_tokens=None).output_limit == 5
    assert ask(max_tokens=-1).output_limit is None
    assert ask(max_tokens=0).output_limit == 0


@pytest.mark.parametrize(
    ("prompt", "choices"),
    [("Hi", 1), (["a", "b", "c"], 3), ([1, 2, 3], 1), ([[1], [2, 3]], 2), (["a"], 1)],
)
def test_each_prompt_of_a_completion_is_a_choice(prompt: object, choices: int) -> None:
    assert ask(Operation.COMPLETION, prompt=prompt).choices == choices
    assert ask(Operation.COMPLETION, prompt=prompt, n=2).choices == 2 * choices


def test_best_of_counts_since_all_of_them_are_generated() -> None:
    assert ask(Operation.COMPLETION, n=2, best_of=5).choices == 5
    assert ask(Operation.COMPLETION, n=2, best_of=None).choices == 2


def test_an_embedding_has_no_stream_and_no_limit() -> None:
    found = ask(Operation.EMBEDDING, stream=True, max_tokens=5, input=["a", "b"])
    assert (found.stream, found.output_limit, found.choices) == (False, None, 1)


@given(st.binary(max_size=200), st.sampled_from(Operation))
def test_any_body_is_read_or_refused(body: bytes, operation: Operation) -> None:
    with pytest.raises(Malformed):
        read_ask(body, operation, None)


@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "stream", "n", "user", "max_tokens", "stream_options", "prompt"]),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4),
    )
)
def test_any_object_is_read_or_refused(value: dict[str, object]) -> None:
    body = msgspec.json.encode(value)
    for operation in Operation:
        try:
            found = read_ask(body, operation, "m")
        except Malformed as error:
            assert error.param in value or "required" in error.message  # noqa: PT017 - both ends are fine
        else:
            assert found.choices >= 1


def test_an_error_has_openais_shape() -> None:
    error = Forbidden("No.", hint="Ask.", param="model", code="denied")
    assert json.loads(write_error(error)) == {
        "error": {
            "message": "No. Ask.",
            "type": "permission_error",
            "param": "model",
            "code": "denied",
        }
    }
    assert json.loads(write_error(error, "id-1"))["error"]["litellm_call_id"] == "id-1"


def test_an_error_about_text_that_is_no_unicode_is_written() -> None:
    assert json.loads(write_error(Malformed("half \ud83d")))["error"]["message"] == "half ?"


def test_an_error_in_a_stream_ends_it() -> None:
    block = write_stream_error(Broken("Gone."))
    assert block.startswith(b'data: {"error":{"message":"Gone."') and block.endswith(b"}}\n\ndata: [DONE]\n\n")


def test_the_dialect_is_one() -> None:
    dialect: ClientDialect = OpenAIDialect()
    assert dialect.read_ask(b'{"model":"m","input":"x"}', Operation.EMBEDDING, None).model == "m"
    assert dialect.write_error(Broken("x"), "c") == write_error(Broken("x"), "c")
