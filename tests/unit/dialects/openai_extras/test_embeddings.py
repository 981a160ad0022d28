from __future__ import annotations

import base64
import json
import struct
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Malformed
from pointsman.core.reply import Embeddings
from pointsman.core.usage import Usage
from pointsman.dialects.openai_extras.embeddings import read_reply, read_request, write_reply, write_request


def read(**fields: object) -> EmbeddingCall:
    return read_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


@pytest.mark.parametrize(
    ("given_input", "expected"),
    [
        ("Hi", ("Hi",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
    ],
)
def test_each_form_of_input_is_read(given_input: object, expected: tuple[object, ...]) -> None:
    assert read(input=given_input).inputs == expected


def test_every_field_is_read() -> None:
    call = read(dimensions=8, encoding_format="base64", user="u", keep_alive=0, nothing=None)
    assert call == EmbeddingCall("m", ("Hi",), 8, "base64", "u", {"keep_alive": msgspec.Raw(b"0")})


def test_the_model_in_the_path_wins() -> None:
    assert read_request(b'{"input":"Hi"}', "azure").model == "azure"
    with pytest.raises(Malformed, match="model is required"):
        read_request(b'{"input":"Hi"}')


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [[]]}, "input[0]"),
        ({"input": 1}, "input"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(**fields)
    assert caught.value.param == param


def test_numbers_are_written_as_the_official_sdk_reads_them() -> None:
    reply = Embeddings("up", ((0.5, -1.0), (0.25, 2.0)), Usage(5))
    found = CreateEmbeddingResponse.model_validate_json(write_reply(reply, EmbeddingCall("named-so", ("a", "b"))))
    assert [(item.index, item.embedding) for item in found.data] == [(0, [0.5, -1.0]), (1, [0.25, 2.0])]
    assert (found.model, found.usage.prompt_tokens, found.usage.total_tokens) == ("named-so", 5, 5)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=4))
def test_base64_is_little_endian_float32(vector: list[float]) -> None:
    body = write_reply(Embeddings("up", (tuple(vector),)), EmbeddingCall("m", ("a",), encoding="base64"))
    raw = base64.b64decode(json.loads(body)["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(vector)}f", raw)) == vector


def test_a_big_endian_machine_turns_the_bytes_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "byteorder", "big")
    body = write_reply(Embeddings("up", ((1.0,),)), EmbeddingCall("m", ("a",), encoding="base64"))
    assert base64.b64decode(json.loads(body)["data"][0]["embedding"]) == struct.pack("<f", 1.0)[::-1]


# -- towards an upstream ------------------------------------------------------------------------------------


def test_an_upstream_is_asked_for_numbers_with_everything_that_was_said() -> None:
    call = read(input=["a", "b"], dimensions=8, user="u", encoding_format="base64", truncation=True)
    assert json.loads(write_request(call, "theirs")) == {
        "model": "theirs", "input": ["a", "b"], "encoding_format": "float", "dimensions": 8, "user": "u",
        "truncation": True,
    }  # fmt: skip
    assert json.loads(write_request(read(), "theirs")) == {
        "model": "theirs",
        "input": ["Hi"],
        "encoding_format": "float",
    }


def reply(*vectors: object, **more: object) -> bytes:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "theirs", **more}).encode()


def test_an_answer_is_read_in_the_order_of_its_inputs() -> None:
    body = json.loads(reply([1.0], [2.0], usage={"prompt_tokens": 3, "total_tokens": 3}))
    body["data"].reverse()
    found = read_reply(json.dumps(body).encode(), 2)
    assert (found.vectors, found.usage) == (((1.0,), (2.0,)), Usage(3, source="measured"))


def test_an_answer_in_base64_is_read_whatever_was_asked_for() -> None:
    packed = base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode()
    assert read_reply(reply(packed), 1).vectors == ((0.5, -1.0),)


@pytest.mark.parametrize(
    ("body", "count"),
    [(b"{", 1), (b"[]", 1), (reply([1.0]), 2), (reply("%%"), 1), (reply("AAA="), 1), (reply([None]), 1), (b"\xff", 1)],
)
def test_what_is_no_list_of_vectors_is_the_upstreams_fault(body: bytes, count: int) -> None:
    with pytest.raises(Broken):
        read_reply(body, count)
