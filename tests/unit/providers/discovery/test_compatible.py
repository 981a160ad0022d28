from __future__ import annotations

from typing import Any

import pytest

from pointsman.providers.discovery import Discovery, FoundHost, Place
from pointsman.providers.discovery.found import HostKind
from tests.unit.providers.scripted import ScriptedFetcher

AT = "127.0.0.1:8080"


def models(*cards: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": [{"object": "model", **card} for card in cards]}


async def look(fetcher: ScriptedFetcher) -> tuple[FoundHost, ...]:
    return await Discovery(fetcher, [Place(f"http://{AT}")]).scan()


def server(**pages: Any) -> ScriptedFetcher:
    fetcher = ScriptedFetcher()
    fetcher.pages[AT] = {path.replace("__", "/"): page for path, page in pages.items()}
    return fetcher


LLAMA_PROPS = {
    "default_generation_settings": {"n_ctx": 4096, "params": {}},
    "total_slots": 4,
    "modalities": {"vision": True, "audio": False},
    "build_info": "b11549",
}
STUDIO = {
    "data": [
        {"id": "qwen2-vl-7b", "type": "vlm", "state": "not-loaded", "max_context_length": 32_768,
         "quantization": "4bit"},
        {"id": "llama-3.1-8b", "type": "llm", "state": "loaded", "max_context_length": 131_072,
         "loaded_context_length": 8192, "capabilities": ["tool_use"]},
        {"id": "nomic-v1.5", "type": "embeddings", "state": "loaded", "max_context_length": 2048},
    ]
}  # fmt: skip


async def test_llama_cpp_is_known_by_its_owner_and_its_slots_context() -> None:
    card = {
        "id": "/models/SmolLM2.gguf",
        "owned_by": "llamacpp",
        "meta": {"n_ctx": 16_384, "n_ctx_train": 8192, "size": 7},
    }
    (host,) = await look(server(__v1__models=models(card), __props=LLAMA_PROPS))
    assert (host.kind, host.version) == ("llama_cpp", "b11549")
    (model,) = host.models
    assert (model.name, model.group) == ("/models/SmolLM2.gguf", "SmolLM2")
    assert model.aliases == ("/models/SmolLM2.gguf", "openai/SmolLM2")
    assert (model.context_tokens, model.size_bytes, model.loaded) == (4096, 7, True)
    assert model.capabilities == {"vision"}


async def test_llama_cpp_without_props_is_known_all_the_same() -> None:
    card = {"id": "smol", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}}
    (host,) = await look(server(__v1__models=models(card)))
    assert host.kind == "llama_cpp"
    assert host.models[0].context_tokens == 8192


async def test_lm_studio_tells_type_context_and_what_is_loaded() -> None:
    fetcher = server(__v1__models=models({"id": "x", "owned_by": "organization_owner"}))
    fetcher.pages[AT]["/api/v0/models"] = STUDIO
    (host,) = await look(fetcher)
    assert host.kind == "lm_studio"
    vision, chat, embedding = host.models
    assert (vision.capabilities, vision.loaded, vision.context_tokens) == (frozenset({"vision"}), False, 32_768)
    assert (chat.capabilities, chat.loaded, chat.context_tokens) == (frozenset({"tools"}), True, 8192)
    assert (embedding.mode, embedding.aliases) == ("embedding", ("lm_studio/nomic-v1.5",))


async def test_vllm_and_sglang_tell_their_longest_context() -> None:
    fetcher = server(
        __v1__models=models({"id": "Qwen/Q3", "owned_by": "vllm", "max_model_len": 40_960}),
        __version={"version": "0.11.0"},
    )
    (host,) = await look(fetcher)
    assert (host.kind, host.version, host.models[0].context_tokens) == ("vllm", "0.11.0", 40_960)
    (host,) = await look(server(__v1__models=models({"id": "m", "owned_by": "sglang", "max_model_len": 8})))
    assert (host.kind, host.models[0].context_tokens) == ("sglang", 8)


async def test_an_adapter_has_the_context_of_its_base_model() -> None:
    base = {"id": "Qwen/Q3", "owned_by": "vllm", "parent": None, "max_model_len": 40_960}
    adapter = {"id": "sql", "owned_by": "vllm", "parent": "Qwen/Q3", "max_model_len": None}
    lost = {"id": "lost", "owned_by": "vllm", "parent": "gone"}
    (host,) = await look(server(__v1__models=models(adapter, base, lost)))
    assert [(model.name, model.context_tokens) for model in host.models] == [
        ("sql", 40_960), ("Qwen/Q3", 40_960), ("lost", None),
    ]  # fmt: skip


async def test_a_stranger_is_served_as_plain_openai_and_asked_no_more_than_needed() -> None:
    fetcher = server(__v1__models=models({"id": "gpt-x", "owned_by": "acme"}, {"id": "text-embed-1"}))
    discovery = Discovery(fetcher, [Place(f"http://{AT}")])
    (host,) = await discovery.scan()
    assert host.kind == "openai"
    assert [(model.mode, model.aliases) for model in host.models] == [
        ("chat", ("openai/gpt-x",)),
        ("embedding", ("openai/text-embed-1",)),
    ]
    assert len(fetcher.asked) == 3
    assert await discovery.scan() == (host,)
    assert len(fetcher.asked) == 4


async def test_ollama_on_another_port_is_spoken_to_natively() -> None:
    fetcher = server(
        __v1__models=models({"id": "m:latest", "owned_by": "library"}),
        __api__version={"version": "0.33.0"},
        __api__tags={"models": [{"name": "m:latest"}]},
        __api__ps={"models": None},
        __api__show={},
    )
    discovery = Discovery(fetcher, [Place(f"http://{AT}")])
    (host,) = await discovery.scan()
    assert (host.kind, host.models[0].name) == ("ollama", "m:latest")
    await discovery.scan()
    assert fetcher.count(f"GET {AT}/v1/models") == 1


async def test_a_gateway_of_our_own_kind_is_left_alone() -> None:
    fetcher = server(__v1__models=models({"id": "m"}))
    fetcher.headers[AT] = ((b"x-pointsman-version", b"1"),)
    assert await look(fetcher) == ()
    assert await look(server(__v1__models=models({"id": "m", "owned_by": "pointsman"}))) == ()


@pytest.mark.parametrize(
    "page", [b"<html>hello</html>", {"data": "x"}, {"models": []}, [], (401, {"error": "key"}), (500, b"")]
)
async def test_a_web_server_that_speaks_no_openai_is_left_alone(page: Any) -> None:
    assert await look(server(__v1__models=page)) == ()


@pytest.mark.parametrize("kind", ["ollama", "lm_studio", "llama_cpp", "vllm", "sglang", "openai"])
def test_every_kind_of_server_has_a_provider(kind: HostKind) -> None:
    from pointsman.providers.discovery.compatible import PROVIDERS

    assert PROVIDERS[kind]
