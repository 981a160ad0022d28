"""What is wrong with a request is said by the path of the field, in every dialect, and with the dialect's own error.

Each line: what is laid over a good body (``...`` takes the field out), and the path that the error names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pointsman.core.call import Call, CompletionCall, EmbeddingCall
from pointsman.core.errors import GatewayError, Malformed
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Operation
from pointsman.dialects.anthropic_messages.dialect import AnthropicDialect
from pointsman.dialects.anthropic_messages.requests import read_request as read_messages
from pointsman.dialects.gemini.client_requests import read_request as read_gemini
from pointsman.dialects.gemini.dialect import GeminiChatDialect
from pointsman.dialects.ollama.client_requests import (
    read_chat_request,
    read_embed_request,
    read_embeddings_request,
    read_generate_request,
)
from pointsman.dialects.ollama.dialect import OllamaChatDialect, OllamaEmbedDialect, OllamaGenerateDialect
from pointsman.dialects.openai_chat.requests import read_request as read_chat
from pointsman.dialects.openai_completions.requests import read_request as read_completion
from pointsman.dialects.openai_extras.embeddings import read_request as read_embedding
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.dialects.openai_responses.dialect import ResponsesDialect
from pointsman.dialects.openai_responses.requests import read_request as read_response

Read = Callable[[bytes], Call | CompletionCall | EmbeddingCall]
Bad = tuple[dict[str, Any], str]

PNG = "iVBORw0KGgo="
USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def turn(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [USER, {"role": role, "content": list(parts)}]}


def fields(under: str, *pairs: tuple[str, Any]) -> list[Bad]:
    """Wrong values of fields of one object, each named by its place."""
    return [({under: {name: value}}, f"{under}.{name}") for name, value in pairs]


def values(*pairs: tuple[str, Any]) -> list[Bad]:
    """Wrong values of top-level fields, each named by itself."""
    return [({name: value}, name) for name, value in pairs]


P = "messages[1].content[0]"
CHAT: list[Bad] = [
    *values(
        ("messages", ...), ("messages", None), ("messages", "x"), ("messages", []), ("temperature", 3),
        ("temperature", "hot"), ("temperature", -0.1), ("top_p", 1.5), ("presence_penalty", 3),
        ("frequency_penalty", -3), ("n", 0), ("n", 129), ("n", 1.5), ("max_tokens", -5), ("max_tokens", "x"),
        ("max_completion_tokens", -2), ("seed", 1.5), ("stop", 5), ("stop", [""]), ("stop", ""), ("logprobs", 5),
        ("top_logprobs", 21), ("top_logprobs", 3), ("logit_bias", []), ("tools", {}), ("tool_choice", "maybe"),
        ("tool_choice", "required"), ("tool_choice", 5), ("response_format", "json"), ("reasoning_effort", "insane"),
        ("stream", "yes"), ("stream_options", 5), ("user", 5), ("parallel_tool_calls", "x"), ("function_call", "x"),
        ("model", ...), ("model", 5), ("model", ""), ("model", "a\u0000b"), ("model", "x" * 2000), ("top_k", -2),
        ("min_p", 2),
    ),
    *fields("response_format", ("type", "yaml"), ("type", ...)),
    *fields("stream_options", ("include_usage", "x")),
    *fields("thinking", ("type", "on")),
    ({"messages": [1]}, "messages[0]"),
    ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "x", "name": 5}]}, "messages[0].name"),
    (turn({"type": "text"}), f"{P}.text"),
    (turn({"type": "text", "text": 5}), f"{P}.text"),
    (turn({"type": "video"}), f"{P}.type"),
    (turn({"text": "x"}), f"{P}.type"),
    (turn({"type": "text", "text": "x"}, {"type": "image_url"}), "messages[1].content[1].image_url"),
    (turn({"type": "image_url", "image_url": {}}), f"{P}.image_url.url"),
    (turn({"type": "image_url", "image_url": {"url": "ftp://x"}}), f"{P}.image_url.url"),
    (turn({"type": "image_url", "image_url": {"url": "data:image/png;base64,@@@"}}), f"{P}.image_url.url"),
    (turn({"type": "image_url", "image_url": {"url": "data:text/plain;base64,aGk="}}), f"{P}.image_url.url"),
    (turn({"type": "image_url", "image_url": "file:///etc/passwd"}), f"{P}.image_url"),
    (turn({"type": "input_audio"}), f"{P}.input_audio"),
    (turn({"type": "input_audio", "input_audio": {"data": "!!", "format": "wav"}}), f"{P}.input_audio.data"),
    (turn({"type": "file", "file": {}}), f"{P}.file"),
    (turn({"type": "file", "file": {"file_data": "%%%"}}), f"{P}.file.file_data"),
    (turn({"type": "image_url", "image_url": {"url": "http://x"}}, role="system"), f"{P}.type"),
    ({"messages": [USER, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}]},
     "messages[1].tool_calls[0].function"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
     "messages[1].tool_calls[0].id"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]}]},
     "messages[0].tool_calls[0].function.arguments"),
    ({"stop": ["a", 5]}, "stop[1]"),
    ({"logit_bias": {"1": 200}}, "logit_bias[...]"),
    ({"tools": [{}]}, "tools[0].function"),
    ({"tools": [TOOL, {"type": "function", "function": {}}]}, "tools[1].function.name"),
    ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
    ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
    ({"tools": [{"type": 7}]}, "tools[0].type"),
    ({"functions": [{"name": "f", "parameters": "x"}]}, "functions[0].parameters"),
    ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {}}, "tool_choice"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": []}}}, "response_format.json_schema.schema"),
    ({"thinking": {"type": "enabled", "budget_tokens": -1}}, "thinking.budget_tokens"),
]  # fmt: skip


def item(*parts: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}]}


RESPONSES: list[Bad] = [
    *values(
        ("input", ...), ("input", 5), ("input", []), ("temperature", 3), ("top_p", 2), ("max_output_tokens", -2),
        ("max_output_tokens", "x"), ("instructions", 5), ("tools", 5), ("tool_choice", "maybe"), ("text", 5),
        ("reasoning", 5), ("stream", "x"), ("include", "x"), ("top_logprobs", 21), ("user", 5), ("truncation", "maybe"),
        ("parallel_tool_calls", "x"), ("model", ...), ("store", "x"), ("previous_response_id", 5),
        ("tool_choice", {"type": "function", "name": "g"}),
    ),
    *fields("reasoning", ("effort", "insane")),
    ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
    ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
    ({"text": {"format": {"type": "json_schema", "name": "x", "schema": []}}}, "text.format.schema"),
    ({"input": [5]}, "input[0]"),
    ({"input": [{}]}, "input[0].role"),
    ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    (item({"type": "input_text"}), "input[0].content[0].text"),
    (item({"type": "input_image"}), "input[0].content[0].image_url"),
    (item({"type": "input_image", "image_url": "ftp://x"}), "input[0].content[0].image_url"),
    (item({"type": "input_file"}), "input[0].content[0]"),
    (item({"type": "nope"}), "input[0].content[0].type"),
    ({"input": [USER, {"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[1].call_id"),
    ({"input": [{"type": "function_call_output", "call_id": "a"}]}, "input[0].output"),
    ({"input": [{"type": "weird"}]}, "input[0].type"),
    ({"tools": [{}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ({"tools": [{"type": "function", "name": "f", "parameters": "x"}]}, "tools[0].parameters"),
    ({"metadata": {"a": 5}}, "metadata[...]"),
]  # fmt: skip

A = "messages[1].content[0]"
MESSAGES: list[Bad] = [
    *values(
        ("messages", ...), ("messages", []), ("max_tokens", -1), ("max_tokens", "x"), ("temperature", 1.5),
        ("top_p", 2), ("top_k", -1), ("top_k", 1.5), ("stop_sequences", "x"), ("system", 5), ("tools", 5),
        ("tool_choice", "auto"), ("thinking", 5), ("metadata", 5), ("stream", "x"), ("model", ...),
    ),
    *fields("thinking", ("type", "on")),
    *fields("metadata", ("user_id", 5)),
    *fields("output_config", ("effort", "insane")),
    *fields("tool_choice", ("type", "maybe"), ("type", ...)),
    ({"messages": [1]}, "messages[0]"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    (turn({"type": "text"}), f"{A}.text"),
    (turn({"type": "video"}), f"{A}.type"),
    (turn({"type": "image"}), f"{A}.source"),
    (turn({"type": "image", "source": {}}), f"{A}.source.type"),
    (turn({"type": "image", "source": {"type": "base64", "data": PNG}}), f"{A}.source.media_type"),
    (turn({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}}), f"{A}.source.data"),
    (turn({"type": "image", "source": {"type": "base64", "media_type": "text/plain", "data": PNG}}),
     f"{A}.source.media_type"),
    (turn({"type": "image", "source": {"type": "url", "url": "ftp://x"}}), f"{A}.source.url"),
    (turn({"type": "document", "source": {"type": "url", "url": "x"}}), f"{A}.source.url"),
    (turn({"type": "tool_result"}), f"{A}.tool_use_id"),
    (turn({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "x"}]}), f"{A}.content[0].type"),
    (turn({"type": "tool_use", "id": "a", "name": "f"}, role="assistant"), f"{A}.input"),
    (turn({"type": "tool_use", "id": "a", "name": "f", "input": []}, role="assistant"), f"{A}.input"),
    (turn({"type": "thinking"}, role="assistant"), f"{A}.thinking"),
    ({"stop_sequences": [""]}, "stop_sequences[0]"),
    ({"system": [{"type": "image"}]}, "system[0].type"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{}]}, "tools[0].name"),
    ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    ({"tools": [{"name": "f", "input_schema": []}]}, "tools[0].input_schema"),
    ({"tools": [{"name": "", "input_schema": {}}]}, "tools[0].name"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"output_config": {"format": {"type": "json_schema", "schema": []}}}, "output_config.format.schema"),
]  # fmt: skip


def part(one: Any, role: str = "user") -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": [one]}]}


G = "contents[0].parts[0]"
THINKING = "generationConfig.thinkingConfig"
DECLARED = "tools[0].functionDeclarations"
GEMINI: list[Bad] = [
    *values(("contents", ...), ("contents", []), ("contents", 5), ("systemInstruction", 5), ("generationConfig", 5),
            ("tools", 5), ("toolConfig", 5)),
    *fields(
        "generationConfig", ("temperature", 3), ("temperature", "x"), ("topP", 2), ("topK", -1), ("topK", "x"),
        ("candidateCount", 0), ("candidateCount", 200), ("maxOutputTokens", -1), ("maxOutputTokens", "x"),
        ("stopSequences", "x"), ("seed", "x"), ("presencePenalty", 3), ("frequencyPenalty", "x"),
        ("responseLogprobs", "x"), ("logprobs", 30), ("logprobs", -1), ("responseMimeType", 5), ("thinkingConfig", 5),
    ),
    ({"contents": [5]}, "contents[0]"),
    ({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}, "contents[0].role"),
    ({"contents": [{"role": "user", "parts": 5}]}, "contents[0].parts"),
    (part({}), G),
    (part({"text": 5}), f"{G}.text"),
    (part({"inlineData": {}}), f"{G}.inlineData.data"),
    (part({"inlineData": {"mimeType": "image/png", "data": "!!"}}), f"{G}.inlineData.data"),
    (part({"fileData": {}}), f"{G}.fileData.fileUri"),
    (part({"functionCall": {}}, "model"), f"{G}.functionCall.name"),
    (part({"functionCall": {"name": "f", "args": []}}, "model"), f"{G}.functionCall.args"),
    (part({"functionResponse": {}}), f"{G}.functionResponse.name"),
    ({"systemInstruction": {"parts": [{"inlineData": {"data": PNG}}]}}, "systemInstruction.parts[0]"),
    ({"generationConfig": {"stopSequences": [5]}}, "generationConfig.stopSequences[0]"),
    ({"generationConfig": {"responseMimeType": "application/json", "responseSchema": []}},
     "generationConfig.responseSchema"),
    ({"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": "x"}},
     "generationConfig.responseJsonSchema"),
    ({"generationConfig": {"thinkingConfig": {"thinkingBudget": -5}}}, f"{THINKING}.thinkingBudget"),
    ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "X"}}}, f"{THINKING}.thinkingLevel"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{"functionDeclarations": 5}]}, DECLARED),
    ({"tools": [{"functionDeclarations": [{}]}]}, f"{DECLARED}[0].name"),
    ({"tools": [{"functionDeclarations": [{"name": ""}]}]}, f"{DECLARED}[0].name"),
    ({"tools": [{"functionDeclarations": [{"name": "f", "parameters": 5}]}]}, f"{DECLARED}[0].parameters"),
    ({"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": []}]}]},
     f"{DECLARED}[0].parametersJsonSchema"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}, "toolConfig.functionCallingConfig.mode"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}},
     "toolConfig.functionCallingConfig.allowedFunctionNames"),
]  # fmt: skip

OLLAMA_CHAT: list[Bad] = [
    *values(("messages", ...), ("messages", 5), ("options", 5), ("format", 5), ("format", "yaml"), ("format", []),
            ("think", "insane"), ("think", 5), ("tools", 5), ("stream", "x"), ("logprobs", 5), ("top_logprobs", 30),
            ("top_logprobs", -1), ("model", 5), ("model", ...)),
    *fields("options", ("temperature", "hot"), ("num_predict", "x"), ("stop", 5), ("seed", "x")),
    ({"options": {"stop": [5]}}, "options.stop[0]"),
    ({"messages": [5]}, "messages[0]"),
    ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "x", "images": 5}]}, "messages[0].images"),
    ({"messages": [{"role": "user", "content": "x", "images": [PNG, "!!"]}]}, "messages[0].images[1]"),
    ({"messages": [{"role": "user", "content": "x", "images": [""]}]}, "messages[0].images[0]"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [{}]}]}, "messages[1].tool_calls[0].function"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 5}}]}]},
     "messages[1].tool_calls[0].function.arguments"),
    ({"tools": [{}]}, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": 5}}]}, "tools[0].function.parameters"),
]  # fmt: skip
OLLAMA_GENERATE = [
    *values(("prompt", ...), ("prompt", 5), ("context", [1]), ("raw", "x"), ("suffix", 5), ("system", 5)),
    *fields("options", ("temperature", "x")),
    ({"images": ["!!"]}, "images[0]"),
    ({"raw": True, "system": "x"}, "raw"),
]
OLLAMA_EMBED = [
    *values(("input", ...), ("input", 5), ("input", []), ("input", [""]), ("dimensions", -1), ("dimensions", "x"),
            ("options", 5)),
    ({"input": [5]}, "input[0]"),
    ({"input": ["a", ""]}, "input[1]"),
]  # fmt: skip
OLLAMA_EMBEDDINGS = values(("prompt", ...), ("prompt", 5), ("prompt", ""))
COMPLETIONS = [
    *values(("prompt", ...), ("prompt", 5), ("prompt", []), ("prompt", [5]), ("max_tokens", -5), ("n", 0),
            ("best_of", 0), ("best_of", 200), ("logprobs", True), ("logprobs", 21), ("echo", 5), ("suffix", 5),
            ("temperature", 3), ("presence_penalty", 9), ("user", 5), ("stream", "x"), ("model", ...)),
    ({"stop": [5]}, "stop[0]"),
    ({"n": 3, "best_of": 2}, "best_of"),
    ({"logit_bias": {"1": "x"}}, "logit_bias[...]"),
]  # fmt: skip
EMBEDDINGS = [
    *values(("input", ...), ("input", 5), ("input", []), ("input", ""), ("input", ["a", 5]), ("dimensions", 0),
            ("dimensions", "x"), ("encoding_format", "hex"), ("user", 5), ("model", ...)),
    ({"input": ["a", ""]}, "input[1]"),
    ({"input": [[1], []]}, "input[1]"),
    ({"input": [[1, "x"]]}, "input[0][1]"),
    ({"input": [1, -1]}, "input[1]"),
]  # fmt: skip

CHATTING: dict[str, Any] = {"model": "m", "messages": [USER]}
OPENAI = OpenAIDialect()
DIALECTS: list[tuple[str, ClientDialect, Operation, Read, dict[str, Any], list[Bad]]] = [
    ("chat", OPENAI, Operation.CHAT, read_chat, CHATTING, CHAT),
    ("responses", ResponsesDialect(), Operation.RESPONSES, read_response, {"model": "m", "input": "Hi"}, RESPONSES),
    ("messages", AnthropicDialect(), Operation.MESSAGES, read_messages, {**CHATTING, "max_tokens": 9}, MESSAGES),
    ("gemini", GeminiChatDialect(), Operation.CHAT, lambda body: read_gemini(body, "m"),
     {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, GEMINI),
    ("ollama chat", OllamaChatDialect(), Operation.OLLAMA_CHAT, read_chat_request, CHATTING, OLLAMA_CHAT),
    ("ollama generate", OllamaGenerateDialect(), Operation.OLLAMA_CHAT, read_generate_request,
     {"model": "m", "prompt": "Hi"}, OLLAMA_GENERATE),
    ("ollama embed", OllamaEmbedDialect(), Operation.EMBEDDING, read_embed_request,
     {"model": "m", "input": "Hi"}, OLLAMA_EMBED),
    ("ollama embeddings", OllamaEmbedDialect(), Operation.EMBEDDING, read_embeddings_request,
     {"model": "m", "prompt": "Hi"}, OLLAMA_EMBEDDINGS),
    ("completions", OPENAI, Operation.COMPLETION, read_completion, {"model": "m", "prompt": "Hi"}, COMPLETIONS),
    ("embeddings", OPENAI, Operation.EMBEDDING, read_embedding, {"model": "m", "input": "Hi"}, EMBEDDINGS),
]  # fmt: skip


def body_of(base: dict[str, Any], changes: dict[str, Any]) -> bytes:
    return json.dumps(_without_gaps({**base, **changes})).encode()


def _without_gaps(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_gaps(inner) for name, inner in value.items() if inner is not ...}
    return value


def every_bad_body() -> Iterable[Any]:
    for name, dialect, operation, read, base, bad in DIALECTS:
        for changes, path in bad:
            shown = json.dumps(changes, default=lambda _gap: "left out")[:70]
            yield pytest.param(dialect, operation, read, body_of(base, changes), path, id=f"{name}: {shown}")


def refusal(dialect: ClientDialect, operation: Operation, read: Read, body: bytes) -> GatewayError:
    """What a translating lane's client is told: by the look at a request before it is routed, or by its reader."""
    try:
        dialect.read_ask(body, operation, "m" if isinstance(dialect, GeminiChatDialect) else None)
        read(body)
    except GatewayError as error:
        return error
    pytest.fail("it was accepted")


@pytest.mark.parametrize(("dialect", "operation", "read", "body", "path"), every_bad_body())
def test_the_error_names_the_field(
    dialect: ClientDialect, operation: Operation, read: Read, body: bytes, path: str
) -> None:
    error = refusal(dialect, operation, read, body)
    assert (error.param, error.status) == (path, 400)
    assert path.partition("[...]")[0].partition(".")[0] in error.message
    assert len(error.message) < 400


@pytest.mark.parametrize(("_dialect", "_operation", "read", "body", "_path"), every_bad_body())
def test_the_reader_itself_refuses_too(
    _dialect: ClientDialect, _operation: Operation, read: Read, body: bytes, _path: str
) -> None:
    with pytest.raises(GatewayError) as caught:
        read(body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("dialect", "operation", "read", "base"), [pytest.param(*one[1:5], id=one[0]) for one in DIALECTS]
)
def test_the_good_body_is_read(dialect: ClientDialect, operation: Operation, read: Read, base: dict[str, Any]) -> None:
    body = json.dumps(base).encode()
    dialect.read_ask(body, operation, "m")
    read(body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"x"', b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("dialect", [one[1] for one in DIALECTS], ids=[one[0] for one in DIALECTS])
def test_what_is_no_json_object_is_refused(dialect: ClientDialect, body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        dialect.read_ask(body, Operation.CHAT, "m")
    assert caught.value.status == 400


SHAPES: dict[str, Callable[[Any], str]] = {
    "chat": lambda told: told["error"]["param"],
    "responses": lambda told: told["error"]["param"],
    "completions": lambda told: told["error"]["param"],
    "embeddings": lambda told: told["error"]["param"],
    "messages": lambda told: told["error"]["message"] if told["type"] == "error" else "",
    "gemini": lambda told: told["error"]["message"] if told["error"]["status"] == "INVALID_ARGUMENT" else "",
    "ollama chat": lambda told: told["error"],
    "ollama generate": lambda told: told["error"],
    "ollama embed": lambda told: told["error"],
    "ollama embeddings": lambda told: told["error"],
}
"""Where each dialect's error says which field it is."""


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_error_has_the_dialects_shape(name: str) -> None:
    _, dialect, operation, read, base, bad = next(one for one in DIALECTS if one[0] == name)
    changes, path = bad[-1]
    error = refusal(dialect, operation, read, body_of(base, changes))
    told = json.loads(dialect.write_error(error, "call-1"))
    assert path.removesuffix("[...]") in SHAPES[name](told)
