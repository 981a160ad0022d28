from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.gemini.names import camel_name, with_camel_names


@pytest.mark.parametrize(
    ("name", "expected"),
    [("top_p", "topP"), ("system_instruction", "systemInstruction"), ("file_path", "file_path"), ("topP", "topP")],
)
def test_only_geminis_names_are_renamed(name: str, expected: str) -> None:
    assert camel_name(name) == expected


def test_names_are_renamed_at_every_level_but_the_clients_own() -> None:
    sent = {
        "system_instruction": {"parts": [{"text": "top_p"}]},
        "contents": [
            {"parts": [{"inline_data": {"mime_type": "image/png", "data": "aGk="}}]},
            {"parts": [{"function_call": {"name": "f", "args": {"file_uri": 1.50, "top_k": {"mime_type": 1}}}}]},
        ],
        "tools": [{"function_declarations": [{"name": "f", "parameters": {"properties": {"file_uri": {}}}}]}],
        "generation_config": {"top_p": 0.5, "response_schema": {"max_items": "3"}},
    }
    assert json.loads(with_camel_names(json.dumps(sent).encode())) == {
        "systemInstruction": {"parts": [{"text": "top_p"}]},
        "contents": [
            {"parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]},
            {"parts": [{"functionCall": {"name": "f", "args": {"file_uri": 1.50, "top_k": {"mime_type": 1}}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"properties": {"file_uri": {}}}}]}],
        "generationConfig": {"topP": 0.5, "responseSchema": {"max_items": "3"}},
    }


def test_a_body_in_camel_case_is_not_touched() -> None:
    body = b'{ "topP" : 1.50, "args": {"file_path": 1} }'
    assert with_camel_names(body) is body


@pytest.mark.parametrize("body", [b'{"top_p": ', b'"top_p":', b'{"top_p":1}\xff', b'{"top_p":' + b"[" * 100_000])
def test_what_is_no_json_is_given_back(body: bytes) -> None:
    assert with_camel_names(body) == body


@given(st.binary(max_size=80))
def test_any_bytes_are_given_back(body: bytes) -> None:
    assert isinstance(with_camel_names(b'{"top_p":' + body), bytes)
