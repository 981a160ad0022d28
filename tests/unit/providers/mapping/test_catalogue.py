"""The catalogues hold every parameter of the official SDKs, and every probe is one that its dialect can read."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from anthropic.types.message_create_params import MessageCreateParamsBase
from ollama._types import ChatRequest, Options
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.completion_create_params import CompletionCreateParamsBase as CompletionParams
from openai.types.embedding_create_params import EmbeddingCreateParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from pointsman.core.errors import Malformed
from pointsman.dialects.gemini.types import GenerateBody, GenerationConfig
from pointsman.providers.mapping.examine import Outcome, Row, examine
from pointsman.providers.mapping.parties import CLIENT_PARTIES, FAR_PARTIES, ClientParty, FarParty
from pointsman.providers.mapping.probes import Probe

PAIRS = [
    pytest.param(client, far, id=f"{client.name}-{far.name}")
    for client in CLIENT_PARTIES
    for far in FAR_PARTIES
    if far.serves(client)
]


def party(name: str) -> ClientParty:
    return next(client for client in CLIENT_PARTIES if client.name == name)


def missing(name: str, wanted: Iterable[str], *, taken: str) -> set[str]:
    return set(wanted) - {probe.parameter for probe in party(name).probes} - set(taken.split())


def test_every_parameter_of_the_sdks_is_probed() -> None:
    assert not missing("openai_chat", CompletionCreateParamsBase.__annotations__, taken="model messages")
    assert not missing("openai_responses", ResponseCreateParamsBase.__annotations__, taken="model input")
    assert not missing("anthropic_messages", MessageCreateParamsBase.__annotations__, taken="model messages")
    assert not missing("openai_completions", CompletionParams.__annotations__, taken="model prompt")
    assert not missing("openai_embeddings", EmbeddingCreateParams.__annotations__, taken="model input")
    assert not missing("ollama_chat", ChatRequest.model_fields, taken="model messages options")
    options = [f"options.{name}" for name in Options.model_fields]
    assert not missing("ollama_chat", options, taken="")


def test_every_field_of_gemini_that_is_read_is_probed() -> None:
    config = {f"generationConfig.{name}" for name in GenerationConfig.__struct_encode_fields__}
    assert not missing("gemini", config, taken="")
    body = set(GenerateBody.__struct_encode_fields__) - {"toolConfig", "generationConfig"}
    assert not missing("gemini", body, taken="contents")


@pytest.mark.parametrize("client", CLIENT_PARTIES, ids=lambda client: client.name)
def test_every_probe_can_be_read(client: ClientParty) -> None:
    names = [probe.name for probe in client.probes]
    assert len(names) == len(set(names))
    compatible = FAR_PARTIES[0]
    rows = examine(client, compatible)
    assert [row.name for row in rows] == names
    words = ("must be", "is required", "unknown value", "must have", "must hold")
    bad = [row for row in rows if row.outcome is Outcome.REFUSED and any(word in row.note for word in words)]
    assert not bad


def row_of(client: str, far: str, name: str) -> Row:
    upstream = next(one for one in FAR_PARTIES if one.name == far)
    (row,) = [row for row in examine(party(client), upstream) if row.name == name]
    return row


@pytest.mark.parametrize(
    ("client", "far", "name", "outcome", "targets"),
    [
        ("openai_chat", "openai", "temperature", Outcome.MAPPED, ("temperature",)),
        ("openai_chat", "anthropic", "stop", Outcome.MAPPED, ("stop_sequences",)),
        ("openai_chat", "anthropic", "seed", Outcome.DROPPABLE, ()),
        ("openai_chat", "anthropic", "audio: wav", Outcome.DROPPABLE, ()),
        ("openai_chat", "ollama", "max_tokens", Outcome.MAPPED, ("options.num_predict",)),
        ("openai_chat", "ollama", "parallel_tool_calls: false", Outcome.EMULATED, ()),
        ("openai_chat", "ollama", "file: data", Outcome.REFUSED, ()),
        ("openai_chat", "ollama", "image: http URL", Outcome.EMULATED, ("messages[].images",)),
        ("openai_chat", "gemini", "top_p", Outcome.MAPPED, ("generationConfig.topP",)),
        ("openai_chat", "openai", "stream_options: include_usage", Outcome.EMULATED, ()),
        ("openai_responses", "anthropic", "service_tier", Outcome.PASSED_OVER, ()),
        ("openai_responses", "openai", "background", Outcome.EMULATED, ()),
        ("openai_responses", "openai", "prompt", Outcome.REFUSED, ()),
        ("anthropic_messages", "openai", "stop_sequences", Outcome.MAPPED, ("stop",)),
        ("anthropic_messages", "openai", "mcp_servers", Outcome.DROPPABLE, ()),
        ("anthropic_messages", "ollama", "context_management", Outcome.PASSED_OVER, ()),
        ("ollama_chat", "anthropic", "options.num_ctx", Outcome.PASSED_OVER, ()),
        ("ollama_chat", "openai", "options.num_gpu", Outcome.PASSED_OVER, ()),
        ("ollama_chat", "openai", "options.mirostat", Outcome.DROPPABLE, ()),
        ("gemini", "anthropic", "generationConfig.maxOutputTokens", Outcome.MAPPED, ("max_tokens",)),
        ("openai_completions", "ollama", "max_tokens", Outcome.MAPPED, ("options.num_predict",)),
        ("openai_completions", "ollama", "token ids", Outcome.REFUSED, ()),
        ("openai_embeddings", "gemini", "dimensions", Outcome.MAPPED, ("requests[].outputDimensionality",)),
        ("openai_embeddings", "ollama", "encoding_format: base64", Outcome.EMULATED, ()),
        ("openai_embeddings", "openai", "token ids", Outcome.MAPPED, ("input[]",)),
    ],
)
def test_what_becomes_of_it(client: str, far: str, name: str, outcome: Outcome, targets: tuple[str, ...]) -> None:
    row = row_of(client, far, name)
    assert (row.outcome, row.targets) == (outcome, targets)
    assert row.note or outcome in {Outcome.MAPPED, Outcome.PASSED_OVER}


@pytest.mark.parametrize(("client", "far"), PAIRS)
def test_the_plainest_request_goes_everywhere(client: ClientParty, far: FarParty) -> None:
    nothing = msgspec_replace(client, (Probe("nothing", "{}"),))
    assert examine(nothing, far) == (Row("nothing", "parameter", Outcome.PASSED_OVER),)


def msgspec_replace(client: ClientParty, probes: tuple[Probe, ...]) -> ClientParty:
    return ClientParty(client.name, client.title, client.operation, client.dialect, client.side, client.base, probes)


def test_a_refusal_that_is_the_readers_is_one_too() -> None:
    wrong = msgspec_replace(party("openai_chat"), (Probe("temperature", '{"temperature":"hot"}'),))
    (row,) = examine(wrong, FAR_PARTIES[1])
    assert row.outcome is Outcome.REFUSED and "temperature" in row.note
    with pytest.raises(Malformed):
        wrong.dialect.read_ask(b"[]", wrong.operation, None)
