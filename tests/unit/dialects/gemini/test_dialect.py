from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.gemini.client_requests import read_request
from pointsman.dialects.gemini.dialect import (
    GeminiArrayStreamDialect,
    GeminiBatchEmbedDialect,
    GeminiChatDialect,
    GeminiEmbedDialect,
    GeminiStreamDialect,
)

CHAT, STREAM, ARRAY = GeminiChatDialect(), GeminiStreamDialect(), GeminiArrayStreamDialect()
EMBED, BATCH = GeminiEmbedDialect(), GeminiBatchEmbedDialect()
DIALECTS: list[ClientDialect] = [CHAT, STREAM, ARRAY, EMBED, BATCH]
HI = [{"parts": [{"text": "Hi"}]}]


def ask(dialect: ClientDialect = CHAT, path_model: str | None = "m", **fields: object) -> Ask:
    return dialect.read_ask(json.dumps(fields).encode(), Operation.CHAT, path_model)


def test_the_path_decides_about_the_stream() -> None:
    assert [ask(one, contents=HI).stream for one in (CHAT, STREAM, ARRAY)] == [False, True, True]


@pytest.mark.parametrize(("path_model", "expected"), [("m", "m"), ("models/m", "m"), (None, "body")])
def test_the_model(path_model: str | None, expected: str) -> None:
    assert ask(CHAT, path_model, contents=HI, model="models/body").model == expected


def test_both_spellings_are_read() -> None:
    found = ask(contents=HI, generation_config={"max_output_tokens": 9, "candidate_count": 2})
    assert (found.output_limit, found.choices, found.include_usage) == (9, 2, True)
    assert list(found.fields) == ["contents", "generationConfig"]


@pytest.mark.parametrize(
    ("config", "expected"), [(None, None), ({}, None), ({"maxOutputTokens": 0}, None), ({"maxOutputTokens": 7}, 7)]
)
def test_the_bound_is_the_one_that_counts_later(config: object, expected: int | None) -> None:
    assert ask(contents=HI, generationConfig=config).output_limit == expected
    body = json.dumps({"contents": HI, "generationConfig": config}).encode()
    assert read_request(body, "m").sampling.max_tokens == expected


@pytest.mark.parametrize(
    ("dialect", "fields", "param"),
    [
        (CHAT, {}, "contents"),
        (CHAT, {"contents": []}, "contents"),
        (STREAM, {"contents": None}, "contents"),
        (CHAT, {"contents": HI, "generationConfig": {"candidateCount": 0}}, "generationConfig.candidateCount"),
        (EMBED, {}, "content"),
        (BATCH, {"requests": []}, "requests"),
    ],
)
def test_what_is_wrong_is_named(dialect: ClientDialect, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        ask(dialect, **fields)
    assert caught.value.param == param


def test_there_must_be_a_model_and_it_must_be_one() -> None:
    for path_model in (None, "", "models/", "a\nb"):
        with pytest.raises(Malformed) as caught:
            ask(CHAT, path_model, contents=HI)
        assert caught.value.param == "model"


def test_embeddings() -> None:
    assert ask(EMBED, content=HI[0]).stream is False
    assert ask(BATCH, requests=[{}]).model == "m"


@given(st.binary(max_size=60))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for dialect in DIALECTS:
        with pytest.raises(Malformed):
            dialect.read_ask(b"?" + body, Operation.CHAT, "m")
