from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.usage import Usage
from pointsman.dialects.bedrock_converse.embeddings import (
    EmbeddingKind,
    embedding_kind,
    read_embeddings,
    refuse_or_drop_embedding,
    write_embedding_requests,
)

ONE = msgspec.Raw(b"1")


def call(*inputs: str, **fields: Any) -> EmbeddingCall:
    return EmbeddingCall("m", inputs, **fields)


def written(given: EmbeddingCall, kind: EmbeddingKind) -> list[Any]:
    return [msgspec.json.decode(body) for body in write_embedding_requests(given, kind)]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("amazon.titan-embed-text-v1", "titan_1"),
        ("amazon.titan-embed-g1-text-02", "titan_1"),
        ("amazon.titan-embed-text-v2:0", "titan_2"),
        ("amazon.titan-embed-image-v1", "titan_image"),
        ("us.cohere.embed-v4:0", "cohere"),
        ("amazon.nova-2-multimodal-embeddings-v1:0", None),
    ],
)
def test_a_name_tells_whose_body_a_model_takes(model: str, kind: EmbeddingKind | None) -> None:
    assert embedding_kind(model) == kind


@pytest.mark.parametrize(
    ("kind", "bodies"),
    [
        ("titan_2", [{"inputText": "a", "dimensions": 256}, {"inputText": "b", "dimensions": 256}]),
        (
            "titan_image",
            [{"inputText": text, "embeddingConfig": {"outputEmbeddingLength": 256}} for text in ("a", "b")],
        ),
        ("cohere", [{"texts": ["a", "b"], "input_type": "search_document", "output_dimension": 256}]),
    ],
)
def test_what_is_sent(kind: EmbeddingKind, bodies: list[Any]) -> None:
    assert written(call("a", "b", dimensions=256), kind) == bodies


def test_cohere_is_told_a_purpose_and_takes_96_texts() -> None:
    given = call(*"x" * 97, extra={"input_type": msgspec.Raw(b'"search_query"')})
    first, second = written(given, "cohere")
    assert (len(first["texts"]), len(second["texts"]), first["input_type"]) == (96, 1, "search_query")


def test_titans_answers() -> None:
    bodies = [b'{"embedding":[1,2],"inputTextTokenCount":3}', b'{"embedding":[4,5],"inputTextTokenCount":6}']
    found = read_embeddings(bodies, "titan_2", "m", 2)
    assert (found.vectors, found.usage) == (((1.0, 2.0), (4.0, 5.0)), Usage(9, source="measured"))


@pytest.mark.parametrize("body", [b'{"embeddings":[[1],[2]]}', b'{"embeddings":{"float":[[1],[2]]}}'])
def test_coheres_answers(body: bytes) -> None:
    found = read_embeddings([body, body], "cohere", "m", 4)
    assert (found.vectors, found.usage) == (((1.0,), (2.0,), (1.0,), (2.0,)), Usage())


@pytest.mark.parametrize("body", [b"", b"{}", b'{"embedding":"x"}', b'{"message":"no"}'])
@pytest.mark.parametrize("kind", ["titan_1", "cohere"])
def test_what_is_no_answer_is_broken(body: bytes, kind: EmbeddingKind) -> None:
    with pytest.raises(Broken):
        read_embeddings([body], kind, "m", 1)


def test_another_number_of_vectors_is_broken() -> None:
    with pytest.raises(Broken, match="2 inputs with 1"):
        read_embeddings([b'{"embedding":[1]}'], "titan_1", "m", 2)


@pytest.mark.parametrize(
    ("given", "kind", "param"),
    [
        (call("a", dimensions=5), "titan_1", "dimensions"),
        (call("a", extra={"normalize": ONE}), "titan_1", "normalize"),
        (call("a", extra={"input_type": ONE}), "titan_2", "input_type"),
    ],
)
def test_a_knob_is_refused_or_dropped(given: EmbeddingCall, kind: EmbeddingKind, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop_embedding(given, kind)
    assert caught.value.param == param
    assert refuse_or_drop_embedding(given, kind, drop_params=True) == call("a")
    assert refuse_or_drop_embedding(given, kind, additional=(param,)) == call("a")


def test_own_fields_and_the_operators_stay_and_hints_go() -> None:
    extra = {"normalize": ONE, "metadata": ONE, "model_id": ONE, "mine": ONE}
    kept = refuse_or_drop_embedding(call("a", extra=extra), "titan_2", operators=frozenset({"mine", "model_id"}))
    assert kept == call("a", extra={"normalize": ONE, "mine": ONE})


def test_token_ids_are_refused() -> None:
    with pytest.raises(Unsupported):
        refuse_or_drop_embedding(EmbeddingCall("m", ((1, 2),)), "titan_2", drop_params=True)
