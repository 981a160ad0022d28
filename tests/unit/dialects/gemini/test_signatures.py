from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.gemini.signatures import may_be_signature, pack_call_id, unpack_call_id

BASE64 = st.binary(min_size=1, max_size=40).map(lambda data: base64.b64encode(data).decode())


def test_an_id_with_a_signature_can_be_read_by_people() -> None:
    assert pack_call_id("call_1", "AbC+/w==") == "thought-b6-AbC-_w-call_1"
    assert pack_call_id("call_1", "ä") == "thought-t3-w6Q-call_1"
    assert pack_call_id("call_1", None) == pack_call_id("call_1", "") == "call_1"


@given(st.text(max_size=20), st.one_of(BASE64, st.text(min_size=1, max_size=30)))
def test_what_is_packed_is_unpacked(call_id: str, signature: str) -> None:
    assert unpack_call_id(pack_call_id(call_id, signature)) == (call_id, signature)


@given(st.from_regex(r"[A-Za-z0-9_-]{0,20}", fullmatch=True), BASE64)
def test_such_an_id_is_of_plain_characters(call_id: str, signature: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", pack_call_id(call_id, signature))


@given(st.text(max_size=20), BASE64)
def test_one_can_be_packed_in_another(call_id: str, signature: str) -> None:
    inner = pack_call_id(call_id, signature)
    assert unpack_call_id(pack_call_id(inner, signature)) == (inner, signature)


@pytest.mark.parametrize(
    "call_id", ["", "call_1", "thought-", "thought-b3-ab", "thought-b3-abcd", "thought-x3-abc-d", "thought-t1-a-x"]
)
def test_an_id_that_holds_none_is_given_back(call_id: str) -> None:
    assert unpack_call_id(call_id) == (call_id, None)


@given(st.text(max_size=30))
def test_any_id_is_unpacked_somehow(call_id: str) -> None:
    for given_id in (call_id, "thought-b4-" + call_id, "thought-t4-" + call_id):
        unpack_call_id(given_id)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("aGk=", True), ("aGk", True), ("a-_k", True), ("a+/k", True), ("a+_k", False), ("ä", False), ("a b", False)],
)
def test_a_signature_is_base64_in_either_alphabet(text: str, expected: bool) -> None:
    assert may_be_signature(text) is expected
