"""watsonx.ai's embeddings, written and read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.watsonx.embeddings import read_embeddings, write_embedding_request

PLACE = {"model_id": "slate", "space_id": "s"}


def written(*inputs: Any, drop_params: bool = False, additional: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    call = EmbeddingCall("public", inputs or ("a",), **fields)
    out: dict[str, Any] = json.loads(
        write_embedding_request(call, PLACE, drop_params=drop_params, additional=additional)
    )
    return out


def test_its_own_fields_stand_below_parameters() -> None:
    extra = {"truncate_input_tokens": msgspec.Raw(b"128"), "metadata": msgspec.Raw(b"{}")}
    sent = {**PLACE, "inputs": ["a", "b"], "parameters": {"truncate_input_tokens": 128}}
    assert written("a", "b", extra=extra, user="u") == sent


def test_what_it_does_not_know_is_refused_by_name_or_dropped() -> None:
    asked: dict[str, Any] = {"extra": {"odd": msgspec.Raw(b"1")}, "dimensions": 256}
    with pytest.raises(Unsupported, match=r"watsonx\.ai does not support odd, dimensions"):
        written(**asked)
    assert written(**asked, drop_params=True) == written() == written(**asked, additional=("odd", "dimensions"))
    with pytest.raises(Unsupported, match="no token ids"):
        written((1, 2), drop_params=True)


def test_an_answer_has_a_vector_for_each_input_and_their_tokens() -> None:
    body = json.dumps({"results": [{"embedding": [1, 0.5]}], "input_token_count": 3}).encode()
    assert read_embeddings(body, "m", 1) == Embeddings("m", ((1.0, 0.5),), Usage(3, source="measured"))
    with pytest.raises(Broken, match="1 embeddings for 2"):
        read_embeddings(body, "m", 2)
    assert read_embeddings(b'{"results":[]}', "m", 0).usage == NO_USAGE
    for other in (b"", b"{}", b'{"results":[{"embedding":["x"]}]}'):
        with pytest.raises(Broken, match="could be read"):
            read_embeddings(other, "m", 1)
