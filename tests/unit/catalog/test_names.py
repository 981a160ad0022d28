"""Which rows a name may mean, in LiteLLM's order."""

from __future__ import annotations

import pytest

from pointsman.catalog.names import candidates, embeds, is_local, same_provider, undated


def test_the_provider_and_model_come_first_then_the_bare_model() -> None:
    assert list(candidates("openai", "gpt-4o"))[:2] == ["openai/gpt-4o", "gpt-4o"]


def test_a_prefix_in_the_model_is_not_doubled_but_tried_last() -> None:
    names = list(candidates("openrouter", "openrouter/auto"))
    assert names[0] == "openrouter/auto"
    assert names[-1] == "openrouter/openrouter/auto"


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o-2031-01-31", "gpt-4o"),
        ("openai", "ft:gpt-4o-2024-08-06:org:name:id", "ft:gpt-4o-2024-08-06"),
        ("openai", "ft:gpt-4o-2024-08-06:org::id", "ft:gpt-4o-2024-08-06"),
        ("anthropic", "claude-x-20310131", "claude-x"),
        ("anthropic", "claude-x-latest", "claude-x"),
        ("vertex_ai", "gemini-1.5-pro-002", "gemini-1.5-pro"),
        ("vertex_ai", "claude-x@20310131", "claude-x"),
        ("bedrock", "us.meta.llama-v1:0", "meta.llama-v1:0"),
        ("bedrock", "converse/us.meta.llama-v1:0", "us.meta.llama-v1:0"),
        ("bedrock", "converse/us.meta.llama-v1:0", "meta.llama-v1:0"),
        ("ollama", "llama3.1:8b-instruct-q4_K_M", "ollama/llama3.1"),
        ("ollama_chat", "llama3", "ollama/llama3"),
        ("ollama_chat", "ollama_chat/llama3", "ollama/llama3"),
        ("lm_studio", "host:1/model:q4", "lm_studio/host:1/model"),
    ],
)
def test_versions_dates_and_tags_are_left_off_where_they_do_not_matter(
    provider: str, model: str, expected: str
) -> None:
    assert expected in list(candidates(provider, model))


def test_a_regional_row_is_tried_before_the_one_without_region() -> None:
    names = list(candidates("bedrock", "converse/us.meta.llama-v1:0"))
    assert names.index("us.meta.llama-v1:0") < names.index("meta.llama-v1:0")


@pytest.mark.parametrize("model", ["meta/llama:free", "meta/llama:online"])
def test_a_tag_that_changes_the_price_is_kept(model: str) -> None:
    assert all(":" in name for name in candidates("openrouter", model))


def test_no_candidate_is_tried_twice() -> None:
    names = list(candidates("ollama", "ollama/x:latest"))
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("provider", "tag", "same"),
    [
        ("openai", "openai", True),
        ("OpenAI", "openai", True),
        ("openai", "azure", False),
        ("openai", "text-completion-openai", True),
        ("vertex_ai", "vertex_ai-llama_models", True),
        ("bedrock", "bedrock_converse", True),
        ("fireworks_ai", "fireworks_ai-embedding-models", True),
        ("azure_ai", "azure", True),
        ("azure_ai", "openai", True),
        ("azure", "openai", False),
        ("gemini", "vertex_ai", False),
        ("litellm_proxy", "mistral", True),
    ],
)
def test_a_row_counts_for_the_providers_that_serve_its_model(provider: str, tag: str, *, same: bool) -> None:
    assert same_provider(provider, tag) is same


@pytest.mark.parametrize("provider", ["ollama", "ollama_chat", "lm_studio", "hosted_vllm", "llamafile", "llama.cpp"])
def test_servers_on_ones_own_machine_are_local(provider: str) -> None:
    assert is_local(provider) and not is_local("openai")


def test_only_latest_stands_for_any_date() -> None:
    assert undated("anthropic", "anthropic/claude-x-latest") == ("anthropic/claude-x", "claude-x")
    assert undated("anthropic", "claude-x") == ()


@pytest.mark.parametrize(
    "name",
    [
        "nomic-embed-text", "mxbai-embed-large:latest", "embeddinggemma:300m", "Qwen/Qwen3-Embedding-8B", "bge-m3",
        "BAAI/bge-large-en-v1.5", "intfloat/multilingual-e5-large", "all-minilm:22m", "thenlper/gte-base",
        "sentence-transformers/paraphrase-multilingual", "granite-embedding:30m",
    ],
)  # fmt: skip
def test_an_embedding_model_is_known_by_its_name(name: str) -> None:
    assert embeds(name)


@pytest.mark.parametrize("name", ["llama3.2", "qwen3:8b", "BAAI/bge-reranker-v2-m3", "some5-chat", "gpt-4o", "phi3.5"])
def test_other_names_say_nothing_of_embedding(name: str) -> None:
    assert not embeds(name)
