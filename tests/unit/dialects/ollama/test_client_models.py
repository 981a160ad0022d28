from __future__ import annotations

import json

import pytest
from ollama import ListResponse, ProcessResponse, ShowResponse

from pointsman.core.errors import Malformed
from pointsman.dialects.ollama.client_models import (
    ListedModel,
    ModelDetails,
    RunningModel,
    read_show_request,
    write_ps,
    write_show,
    write_tags,
    write_version,
)
from tests.unit.dialects.ollama.client_samples import NOW, STAMP

BARE = ListedModel("gpt-5")
FULL = ListedModel(
    "llama3.2:latest",
    modified_at=NOW,
    size_bytes=2_019_393_189,
    digest="a80c",
    details=ModelDetails("", "gguf", "llama", ("llama",), "3.2B", "Q4_K_M"),
    capabilities=("completion", "tools"),
    context_tokens=131_072,
    embedding_dimensions=3072,
)


def test_the_list() -> None:
    body = write_tags([FULL, BARE])
    full, bare = json.loads(body)["models"]
    assert full == {
        "name": "llama3.2:latest",
        "model": "llama3.2:latest",
        "modified_at": STAMP,
        "size": 2_019_393_189,
        "digest": "a80c",
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "3.2B",
            "quantization_level": "Q4_K_M",
            "context_length": 131_072,
            "embedding_length": 3072,
        },
        "capabilities": ["completion", "tools"],
    }
    assert (bare["size"], bare["modified_at"]) == (0, "1970-01-01T00:00:00.000000000Z")
    assert len(bare["digest"]) == 64 and bare["digest"] != json.loads(write_tags([ListedModel("o")]))["models"][0]
    assert [model.model for model in ListResponse.model_validate_json(body).models] == ["llama3.2:latest", "gpt-5"]


def test_one_model_with_its_context_length_where_clients_look_for_it() -> None:
    shown = ShowResponse.model_validate_json(write_show(FULL))
    assert shown.modelinfo == {
        "general.architecture": "llama",
        "general.basename": "llama3.2:latest",
        "llama.context_length": 131_072,
        "llama.embedding_length": 3072,
    }
    assert shown.capabilities == ["completion", "tools"]
    assert json.loads(write_show(BARE))["model_info"] == {
        "general.architecture": "unknown",
        "general.basename": "gpt-5",
    }


def test_what_is_in_memory_longest_first() -> None:
    body = write_ps([RunningModel(BARE, NOW - 1), RunningModel(FULL, NOW, 5, 8192)])
    first, second = ProcessResponse.model_validate_json(body).models
    assert (first.name, first.size_vram, first.context_length) == ("llama3.2:latest", 5, 8192)
    assert second.name == "gpt-5"
    assert json.loads(body)["models"][0]["expires_at"] == STAMP


def test_the_version() -> None:
    assert json.loads(write_version("0.12.6")) == {"version": "0.12.6"}


def test_the_model_asked_about() -> None:
    assert read_show_request(b'{"model":"m","verbose":true}') == "m"
    assert read_show_request(b'{"name":"m"}') == "m"
    for body in (b"{}", b'{"model":""}', b'{"model":"a\\nb"}'):
        with pytest.raises(Malformed):
            read_show_request(body)
