"""Cohere's embeddings, written and read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.core.usage import Usage
from pointsman.dialects.cohere_chat.embeddings import read_embeddings, write_embedding_request


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def written(*inputs: Any, drop_params: bool = False, additional: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    call = EmbeddingCall("public", inputs or ("a",), **fields)
    body = write_embedding_request(call, "embed-v4.0", drop_params=drop_params, additional=additional)
    out: dict[str, Any] = json.loads(body)
    return out


def test_a_request_says_what_cohere_must_know_and_openai_does_not() -> None:
    assert written("a", "b", dimensions=256, user="u") == {
        "model": "embed-v4.0", "texts": ["a", "b"], "embedding_types": ["float"], "output_dimension": 256,
        "input_type": "search_document", "truncate": "NONE",
    }  # fmt: skip
    assert "output_dimension" not in written(dimensions=256, additional=("dimensions",))


def test_coheres_own_fields_win() -> None:
    sent = written(extra={"input_type": raw("search_query"), "truncate": raw("END"), "metadata": raw({})})
    assert (sent["input_type"], sent["truncate"]) == ("search_query", "END") and "metadata" not in sent


def test_what_cohere_does_not_know_is_refused_by_name_or_dropped() -> None:
    with pytest.raises(Unsupported, match="Cohere does not support odd"):
        written(extra={"odd": raw(1)})
    assert (
        written(extra={"odd": raw(1)}, drop_params=True)
        == written()
        == written(extra={"odd": raw(1)}, additional=("odd",))
    )
    with pytest.raises(Unsupported, match="no token ids"):
        written((1, 2), drop_params=True)


def test_an_answer_has_a_vector_for_each_input_and_what_was_billed() -> None:
    body = json.dumps({"embeddings": {"float": [[1, 0.5], [2, 0.5]]}, "meta": {"billed_units": {"input_tokens": 3.0}}})
    expected = Embeddings("m", ((1.0, 0.5), (2.0, 0.5)), Usage(3, 0, source="measured"))
    assert read_embeddings(body.encode(), "m", 2) == expected
    with pytest.raises(Broken, match="2 embeddings for 3"):
        read_embeddings(body.encode(), "m", 3)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"embeddings":{"float":[["x"]]}}', b"\xff"])
def test_what_has_no_vectors_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read_embeddings(body, "m", 1)
