"""What users of gateways complained about, each as a test, for every client dialect that it can happen to.

The numbers are of issues of BerriAI/litellm where no other repository is named. ``tests/complaints.toml`` has all of
them, and those that other tests answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from pointsman.core.errors import GatewayError, UpstreamFailed
from tests.golden_matrix.clients import CLIENT_ROWS, Client, Seen, sse
from tests.golden_matrix.plays import PROMPT_ESTIMATE, Stage, body_of
from tests.golden_matrix.wires import WIRES

CLIENTS = list(CLIENT_ROWS.values())
ANTHROPIC = CLIENT_ROWS["anthropic_messages"]

every_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


def ollama_lines(*messages: dict[str, Any], reason: str = "stop", **counts: int) -> bytes:
    """A stream of Ollama: a line for each message, and the one that ends it."""
    head = {"model": "qwen3:4b", "created_at": "2026-02-11T09:15:42Z"}
    lines = [
        {**head, "message": {"role": "assistant", "content": "", **message}, "done": False} for message in messages
    ]
    last = {**head, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason, **counts}
    return b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, last])


def called(name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": name, "arguments": arguments}}]}


def chunks(*deltas: dict[str, Any], reason: str | None = "stop", last: dict[str, Any] | None = None) -> bytes:
    """A stream of a server that speaks OpenAI's dialect; ``last`` goes with the reason."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    told = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if reason is not None:
        told.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **(last or {})})
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in told) + b"data: [DONE]\n\n"


def answer(client: Client, wire: str, stream: bytes, case: str = "parallel_tools") -> bytes:
    """What the client gets of a wire's stream; it keeps the grammar in any case."""
    body = body_of(client.name, case)
    assert body is not None
    written = Stage(client, WIRES[wire]).stream(body, [stream])
    assert client.violations(written) == []
    return written


def seen(client: Client, wire: str, stream: bytes, case: str = "parallel_tools") -> Seen:
    return client.see(client.gather(answer(client, wire, stream, case)))


def blocks(stream: bytes) -> list[str]:
    """The types of a message's blocks, in their order."""
    events = [json.loads(frame) for frame in sse(stream)]
    return [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]


# ── 1a: tool calls of Ollama ─────────────────────────────────────────────────────────────────────────────────────────


@every_client
def test_37792_parallel_calls_of_ollama_are_not_merged_into_one(client: Client) -> None:
    found = seen(client, "ollama", ollama_lines(called("get_weather", city="Paris"), called("get_time", city="Paris")))
    assert [(name, given) for _, name, given in found.calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_time", {"city": "Paris"}),
    ]
    assert len({call_id for call_id, *_ in found.calls}) == 2
    assert found.text == ""


def test_37792_ids_stay_the_same_and_indices_count() -> None:
    stream = answer(CLIENT_ROWS["openai_chat"], "ollama", ollama_lines(called("get_time"), called("get_weather")))
    told = [json.loads(frame) for frame in sse(stream) if frame != b"[DONE]"]
    assert len({chunk["id"] for chunk in told}) == 1
    pieces = [
        piece
        for chunk in told
        for choice in chunk["choices"]
        for piece in choice["delta"].get("tool_calls", ())
        if "id" in piece
    ]
    assert [piece["index"] for piece in pieces] == [0, 1]
    assert all(piece["id"].startswith("call_") for piece in pieces)
    assert all(isinstance(piece["function"]["arguments"], str) for piece in pieces)


@every_client
def test_a_call_that_the_limit_cut_short_is_not_told_as_a_finished_one(client: Client) -> None:
    lines = ollama_lines({"content": "Let me"}, called("get_time", city="Paris"), reason="length")
    finish = seen(client, "ollama", lines).finish
    assert finish in {"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"}


@every_client
def test_vercel_ai_14277_calls_that_all_have_the_index_0_are_told_apart_by_their_ids(client: Client) -> None:
    first = {"index": 0, "id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    second = {"index": 0, "id": "call_b", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    stream = chunks({"tool_calls": [first]}, {"tool_calls": [second]}, reason="tool_calls")
    assert [name for _, name, _ in seen(client, "openai_chat", stream).calls] == ["get_weather", "get_time"]


@every_client
def test_ollama_7881_calls_without_an_index_are_counted_by_their_place(client: Client) -> None:
    calls = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for name in ("get_weather", "get_time")
    ]
    stream = chunks({"tool_calls": calls}, reason="stop")
    assert [name for _, name, _ in seen(client, "openai_chat", stream).calls] == ["get_weather", "get_time"]


@every_client
@pytest.mark.parametrize("wire", WIRES)
def test_any_llm_1113_what_is_asked_does_not_depend_on_streaming(client: Client, wire: str) -> None:
    body = body_of(client.name, "parallel_tools")
    assert body is not None
    asked: list[object] = []
    for stream in (False, True):
        try:
            _, outbound = Stage(client, WIRES[wire]).ask(body, stream=stream)
        except GatewayError as refused:
            asked.append(refused.message)
            continue
        sent = json.loads(outbound.body)
        asked.append({name: sent[name] for name in sent if name not in {"stream", "stream_options"}})
    assert asked[0] == asked[1]


# ── 1c: Claude Code in front of other models ─────────────────────────────────────────────────────────────────────────


@every_client
def test_29286_text_that_comes_with_an_empty_list_of_calls_is_text(client: Client) -> None:
    stream = chunks({"content": "Hel", "tool_calls": []}, {"content": "lo", "tool_calls": []}, {"tool_calls": None})
    assert seen(client, "openai_chat", stream).text == "Hello"


def test_29286_nothing_is_told_of_a_call_that_is_none() -> None:
    stream = answer(ANTHROPIC, "openai_chat", chunks({"content": "Hello", "tool_calls": []}))
    assert blocks(stream) == ["text"]
    assert b"input_json_delta" not in stream


@every_client
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_32357_reasoning_does_not_get_into_the_text(client: Client, field: str) -> None:
    stream = chunks({"role": "assistant", "content": ""}, {field: "Hm", "content": ""}, {"content": "Hi", field: None})
    found = seen(client, "openai_chat", stream, "thinking_then_tool")
    assert (found.thinking, found.text) == ("Hm", "Hi")


def test_32357_a_message_starts_once_and_has_a_block_for_each() -> None:
    stream = answer(ANTHROPIC, "openai_chat", chunks({"reasoning_content": "Hm"}, {"content": "Hi"}))
    assert stream.count(b"event: message_start\n") == 1
    assert blocks(stream) == ["thinking", "text"]


def test_34692_a_call_of_ollama_is_tool_use_and_no_empty_text_stands_before_it() -> None:
    stream = answer(ANTHROPIC, "ollama", ollama_lines(called("get_time", city="Paris")))
    assert blocks(stream) == ["tool_use"]
    assert ANTHROPIC.see(ANTHROPIC.gather(stream)).finish == "tool_use"


def test_24176_the_message_starts_with_the_tokens_of_the_prompt() -> None:
    start = json.loads(sse(answer(ANTHROPIC, "openai_chat", chunks({"content": "Hi"})))[0])
    assert start["message"]["usage"]["input_tokens"] == PROMPT_ESTIMATE


def test_13373_calls_whose_pieces_alternate_are_blocks_one_after_the_other() -> None:
    def piece(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
        begun = {} if name is None else {"id": f"call_{index}", "type": "function"}
        function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
        return {"tool_calls": [{"index": index, **begun, "function": function}]}

    stream = chunks(
        piece(0, "", "get_weather"),
        piece(1, "", "get_time"),
        piece(0, '{"city":'),
        piece(1, "{}"),
        piece(0, '"Paris"}'),
        reason="tool_calls",
    )
    for client in CLIENTS:
        found = seen(client, "openai_chat", stream)
        assert [(name, given) for _, name, given in found.calls] == [
            ("get_weather", {"city": "Paris"}),
            ("get_time", {}),
        ]


NOTHING: list[tuple[str, bytes]] = [
    ("openai_chat", b""),
    ("openai_chat", b"data: [DONE]\n\n"),
    ("openai_chat", b": keep-alive\n\n"),
    ("openai_chat", b'data: {"error":{"message":"boom"}}\n\n'),
    ("openai_chat", b"<html>502 Bad Gateway</html>"),
    ("anthropic_messages", b""),
    ("anthropic_messages", b'event: ping\ndata: {"type":"ping"}\n\n'),
    ("gemini", b""),
    ("gemini", b'data: {"usageMetadata":{"promptTokenCount":4}}\n\n'),
    ("ollama", b""),
    ("ollama", b'{"error":"llama runner process has terminated"}\n'),
]


@every_client
@pytest.mark.parametrize(("wire", "stream"), NOTHING)
def test_32475_a_failure_of_the_upstream_is_no_empty_success(client: Client, wire: str, stream: bytes) -> None:
    body = body_of(client.name, "text")
    assert body is not None
    with pytest.raises(UpstreamFailed):
        Stage(client, WIRES[wire]).stream(body, [stream])


@every_client
@pytest.mark.parametrize(
    ("wire", "whole"),
    [
        ("openai_chat", b"{}"),
        ("openai_chat", b'{"choices":[]}'),
        ("openai_chat", b'{"error":{"message":"boom"}}'),
        ("anthropic_messages", b"{}"),
        ("anthropic_messages", b'{"type":"error","error":{"type":"api_error","message":"boom"}}'),
        ("gemini", b"{}"),
        ("gemini", b'{"error":{"code":500,"message":"boom","status":"INTERNAL"}}'),
        ("ollama", b"{}"),
        ("ollama", b'{"error":"boom"}'),
        ("openai_chat", b""),
    ],
)
def test_32086_nor_is_an_answer_without_an_answer(client: Client, wire: str, whole: bytes) -> None:
    body = body_of(client.name, "text")
    assert body is not None
    with pytest.raises(UpstreamFailed):
        Stage(client, WIRES[wire]).answer(body, stream=False).whole(whole)


# ── 1d: usage in streams ─────────────────────────────────────────────────────────────────────────────────────────────

USAGE = {
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "total_tokens": 107,
        "prompt_tokens_details": {"cached_tokens": 80},
    }
}


@every_client
def test_36168_usage_is_taken_from_a_last_chunk_that_has_choices(client: Client) -> None:
    found = seen(client, "openai_chat", chunks({"content": "Hi"}, last=USAGE), "text")
    assert (found.prompt, found.completion) == (100, 7)
    assert found.cached == (0 if client.name == "ollama_chat" else 80)


def streams_with_usage() -> Iterable[bytes]:
    """The places where servers put the counts."""
    plain = chunks({"content": "Hi"})
    alone = b"data: %b\n\n" % json.dumps({"id": "1", "choices": [], **USAGE}).encode()
    yield plain.replace(b"data: [DONE]\n\n", alone + b"data: [DONE]\n\n")
    yield plain.replace(b"data: [DONE]\n\n", alone)
    running = json.dumps({"id": "1", "choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 1}}).encode()
    yield b"data: %b\n\n" % running + plain.replace(b"data: [DONE]\n\n", alone + b"data: [DONE]\n\n")


@every_client
@pytest.mark.parametrize("stream", streams_with_usage())
def test_36943_usage_is_taken_from_wherever_a_server_puts_it(client: Client, stream: bytes) -> None:
    found = seen(client, "openai_chat", stream, "text")
    assert (found.prompt, found.completion) == (100, 7)


@every_client
def test_the_upstream_is_always_asked_for_usage(client: Client) -> None:
    body = body_of(client.name, "text")
    assert body is not None
    _, outbound = Stage(client, WIRES["openai_chat"]).ask(body, stream=True)
    assert json.loads(outbound.body)["stream_options"] == {"include_usage": True}


@every_client
def test_a_stream_without_usage_is_metered_by_an_estimate_that_says_so(client: Client) -> None:
    body = body_of(client.name, "text")
    assert body is not None
    reading = Stage(client, WIRES["openai_chat"]).answer(body, stream=True)
    reading.feed(chunks({"content": "Hi"}, {"content": " there"}))
    reading.end()
    assert (reading.usage.prompt, reading.usage.source) == (PROMPT_ESTIMATE, "estimated")
    assert reading.usage.completion > 0


# ── 1e: a failure in the middle ──────────────────────────────────────────────────────────────────────────────────────


@every_client
def test_39748_a_stream_that_breaks_off_is_told_as_a_failure(client: Client) -> None:
    stream = chunks({"content": "Hello"}, reason=None).removesuffix(b"data: [DONE]\n\n")
    written = answer(client, "openai_chat", stream, "text")
    assert b"before the answer was complete" in written


@every_client
def test_nashsu_348_reasoning_that_eats_all_of_the_tokens_is_a_limit_and_not_an_empty_answer(client: Client) -> None:
    found = seen(client, "ollama", ollama_lines({"thinking": "Hm"}, reason="length"), "thinking_then_tool")
    assert (found.thinking, found.text) == ("Hm", "")
    assert found.finish in {"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"}


@every_client
def test_7131_a_schema_reaches_ollama_as_its_format(client: Client) -> None:
    body = body_of(client.name, "json_schema")
    assert body is not None
    _, outbound = Stage(client, WIRES["ollama"]).ask(body, stream=False)
    assert json.loads(outbound.body)["format"]["required"] == ["country", "capital"]


PRIVATE = "http://169.254.169.254/latest/meta-data"
WITH_IMAGE: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "model": "fast",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PRIVATE}}]}],
    },
    "openai_responses": {
        "model": "fast",
        "input": [{"role": "user", "content": [{"type": "input_image", "image_url": PRIVATE}]}],
    },
    "anthropic_messages": {
        "model": "fast",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": PRIVATE}}]}],
    },
    "gemini": {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": PRIVATE, "mimeType": "image/png"}}]}]},
}


@pytest.mark.parametrize("client", WITH_IMAGE)
@pytest.mark.parametrize("wire", ["gemini", "ollama"])
def test_chatlas_20_an_image_that_nobody_fetched_is_refused_where_it_cannot_be(client: str, wire: str) -> None:
    with pytest.raises(GatewayError) as caught:
        Stage(CLIENT_ROWS[client], WIRES[wire]).ask(WITH_IMAGE[client], stream=False)
    assert caught.value.code == "remote_image_refused"
