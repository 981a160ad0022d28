from __future__ import annotations

import contextlib
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.wire.json_fields import decode_field, read_body, read_fields


class Inner(msgspec.Struct):
    url: str


class Body(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(max_length=9)]
    count: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = None
    share: Annotated[float, msgspec.Meta(gt=0, lt=2)] | None = None
    flag: bool | None = None
    either: str | list[str] | None = None
    word: Literal["a", "b"] | None = None
    items: Annotated[list[Inner], msgspec.Meta(min_length=1, max_length=2)] | None = None
    nothing: None = None


decode = msgspec.json.Decoder(Body).decode


def refusal(body: bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        read_body(body, decode)
    return caught.value


def test_fields_are_kept_as_they_were_written_in_their_order() -> None:
    fields = read_fields('{"b": [1, 2 ] , "a":"ü"}'.encode())
    assert [(name, bytes(raw)) for name, raw in fields.items()] == [("b", b"[1, 2 ]"), ("a", '"ü"'.encode())]


def test_of_a_key_that_occurs_twice_the_last_counts_however_it_is_spelt() -> None:
    fields = read_fields(b'{"model":"a","x":1,"mod\\u0065l":"b"}')
    assert msgspec.json.encode(fields) == b'{"model":"b","x":1}'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "has no body"),
        (b"  \n", "has no body"),
        (b"[]", "must be an object, not an array"),
        (b'"text"', "must be an object, not a string"),
        (b"null", "must be an object, not null"),
        (b"{", "ends too early"),
        (b'{"a":1}x', "trailing characters"),
        (b'{"a":"x\x00"}', "not valid JSON"),
        (b"\x00", "not valid JSON"),
        (b'{"a":"\xff"}', "not UTF-8 (byte 6)"),
        (b'{"\xff":1}', "not UTF-8"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not valid JSON"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_no_json_object_is_refused_in_plain_words(body: bytes, words: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_fields(body)
    assert words in caught.value.message
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (b"{}", "name is required.", "name"),
        (b'{"name":1}', "name must be a string, not an integer.", "name"),
        (b'{"name":"","count":0}', "count must be at least 1.", "count"),
        (b'{"name":"","count":10}', "count must be at most 9.", "count"),
        (b'{"name":"","count":1.5}', "count must be an integer, not a number.", "count"),
        (b'{"name":"","share":0}', "share must be greater than 0.", "share"),
        (b'{"name":"","share":2.5}', "share must be less than 2.", "share"),
        (b'{"name":"","flag":1}', "flag must be true or false, not an integer.", "flag"),
        (b'{"name":true}', "name must be a string.", "name"),
        (b'{"name":"","either":1}', "either must be a string or an array, not an integer.", "either"),
        (b'{"name":"too-long-a-name"}', "name must have at most 9 characters.", "name"),
        (b'{"name":"","word":"c"}', "word has the unknown value 'c'.", "word"),
        (b'{"name":"","items":[]}', "items must not be empty.", "items"),
        (b'{"name":"","items":[{"url":""},{"url":""},{"url":""}]}', "items must have at most 2 elements.", "items"),
        (
            b'{"name":"","items":[{"url":""},{"url":3}]}',
            "items[1].url must be a string, not an integer.",
            "items[1].url",
        ),
        (b'{"name":"","items":[{}]}', "items[0].url is required.", "items[0].url"),
        (b'{"name":"","nothing":1}', "nothing must be null, not an integer.", "nothing"),
        (b"[]", "The request body must be an object, not an array.", None),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(body: bytes, message: str, param: str | None) -> None:
    error = refusal(body)
    assert (error.message, error.param) == (message, param)


def test_a_long_wrong_value_is_quoted_in_part() -> None:
    message = refusal(b'{"name":"","word":"' + b"x" * 10_000 + b'"}').message
    assert "xxx…" in message and len(message) < 200


def test_words_of_the_decoder_that_are_not_known_are_passed_on() -> None:
    decoder = msgspec.json.Decoder(Annotated[str, msgspec.Meta(pattern="^a$")])
    with pytest.raises(Malformed, match=r"tag is not as it should be: .*regex"):
        decode_field("tag", msgspec.Raw(b'"1"'), decoder.decode)


def test_a_single_field_is_refused_by_its_name() -> None:
    with pytest.raises(Malformed) as caught:
        decode_field("stream", msgspec.Raw(b"1"), msgspec.json.Decoder(bool).decode)
    assert (caught.value.message, caught.value.param) == ("stream must be true or false, not an integer.", "stream")
    with pytest.raises(Malformed) as caught:
        decode_field("text", msgspec.Raw(b'"\\ud83d"'), msgspec.json.Decoder(str).decode)
    assert caught.value.param == "text" and "surrogate" in caught.value.message


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert read_fields(body).keys() == msgspec.json.decode(body, type=dict).keys()


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5))
)
def test_fields_written_back_say_the_same(value: dict[str, object]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(read_fields(msgspec.json.encode(value)))) == value
