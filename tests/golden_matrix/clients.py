"""The near sides of the matrix: how each dialect's users ask, put a stream together, and go on with an answer.

What a user of an API does with its answers is done here as the official SDKs do it (and by them where they can), and
not with our own readers.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from pydantic import TypeAdapter

from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.anthropic_messages import grammar as anthropic_grammar
from pointsman.dialects.gemini import grammar as gemini_grammar
from pointsman.dialects.ollama import client_grammar as ollama_grammar
from pointsman.dialects.openai_chat import grammar as chat_grammar
from pointsman.dialects.openai_responses import grammar as responses_grammar
from pointsman.providers.translated import CLIENTS, ClientSide
from pointsman.wire.sse import SseParser

Body = dict[str, Any]
CALL_ID: Final = "call-id"
RESULTS: Final = {"get_weather": '{"celsius":21,"sky":"clear"}', "get_time": "14:05"}
"""What the tools of the cases give."""

GO_ON: Final = "Thanks. Go on."
"""What the user says after an answer that calls no tool."""


class Seen(msgspec.Struct):
    """What a client sees of an answer, in words that all dialects share."""

    text: str = ""
    thinking: str = ""
    signatures: list[str] = []
    refusal: str = ""
    calls: list[tuple[str, str, Any]] = []
    finish: str = ""
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    sources: list[str] = []
    code: list[tuple[str, str]] = []
    images: list[str] = []
    sounds: str = ""


class Client(msgspec.Struct, frozen=True):
    """A client dialect.

    Attributes:
        name: The folder of its requests.
        side: Its near half.
        ask: A request's body as the server takes it, streamed or not.
        violations: What is wrong with a stream.
        gather: A stream put together to the whole answer.
        follow: The next request, given the last one and its answer.
        see: The answer in common words.
        write_error: An error in place of an answer.
    """

    name: str
    side: ClientSide
    ask: Callable[[Body, bool], Ask]
    violations: Callable[[bytes], list[str]]
    gather: Callable[[bytes], Body]
    follow: Callable[[Body, Body], Body]
    see: Callable[[Body], Seen]
    write_error: Callable[[GatewayError], bytes]


def sse(stream: bytes) -> list[bytes]:
    parser = SseParser()
    return [event.data for event in [*parser.feed(stream), *parser.end()]]


def asking(operation: Operation, streaming: Body, whole: Body) -> Callable[[Body, bool], Ask]:
    def ask(body: Body, stream: bool) -> Ask:
        sent = json.dumps({**body, **(streaming if stream else whole)}).encode()
        return CLIENT_DIALECTS[operation].read_ask(sent, operation, None)

    return ask


def arguments(text: str) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


# ── OpenAI chat ──────────────────────────────────────────────────────────────────────────────────────────────────────


def chat_gather(stream: bytes) -> Body:
    state: Any = ChatCompletionStreamState()
    for frame in sse(stream):
        if frame != b"[DONE]":
            state.handle_chunk(ChatCompletionChunk.model_validate_json(frame))
    whole: Body = json.loads(state.current_completion_snapshot.model_dump_json(exclude_unset=True))
    return whole


def chat_follow(body: Body, reply: Body) -> Body:
    message = {name: value for name, value in reply["choices"][0]["message"].items() if value is not None}
    message.setdefault("content", None)
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": RESULTS[call["function"]["name"]]}
        for call in message.get("tool_calls", ())
    ]
    told = results or [{"role": "user", "content": GO_ON}]
    return {**body, "messages": [*body["messages"], message, *told]}


def chat_see(reply: Body) -> Seen:
    choice = reply["choices"][0]
    message, usage = choice["message"], reply["usage"]
    blocks = message.get("thinking_blocks") or ()
    calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    ]
    return Seen(
        text=message.get("content") or "",
        thinking=message.get("reasoning_content") or "",
        signatures=[block.get("signature") or block.get("data") for block in blocks],
        refusal=message.get("refusal") or "",
        calls=[(call_id, name, arguments(text)) for call_id, name, text in calls],
        finish=choice["finish_reason"],
        prompt=usage["prompt_tokens"],
        completion=usage["completion_tokens"],
        cached=usage["prompt_tokens_details"]["cached_tokens"],
        sources=[one["url_citation"]["url"] for one in message.get("annotations") or ()],
        images=[one["image_url"]["url"].partition(",")[2] for one in message.get("images") or ()],
        sounds=(message.get("audio") or {}).get("data", ""),
    )


# ── OpenAI Responses ─────────────────────────────────────────────────────────────────────────────────────────────────


def responses_gather(stream: bytes) -> Body:
    """The last event has the whole; what was told before is compared with it by the checker of the grammar."""
    whole: Body = json.loads(sse(stream)[-1])["response"]
    return whole


def responses_follow(body: Body, reply: Body) -> Body:
    before = [{"role": "user", "content": body["input"]}] if isinstance(body["input"], str) else body["input"]
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": RESULTS[item["name"]]}
        for item in reply["output"]
        if item["type"] == "function_call"
    ]
    told = results or [{"role": "user", "content": GO_ON}]
    return {**body, "input": [*before, *reply["output"], *told]}


def responses_see(reply: Body) -> Seen:
    seen = Seen()
    for item in reply["output"]:
        match item["type"]:
            case "message":
                for part in item["content"]:
                    seen.text += part.get("text", "")
                    seen.sources += [one["url"] for one in part.get("annotations", ())]
                    seen.refusal += part.get("refusal", "")
            case "reasoning":
                seen.thinking += "".join(part["text"] for part in item["summary"])
                if item.get("encrypted_content"):
                    seen.signatures.append(item["encrypted_content"])
            case "code_interpreter_call":
                seen.code.append((item["code"], "".join(log["logs"] for log in item["outputs"])))
            case "image_generation_call":
                seen.images.append(item["result"])
            case "function_call":
                seen.calls.append((item["call_id"], item["name"], arguments(item["arguments"])))
    details = reply["incomplete_details"]
    seen.finish = reply["status"] if details is None else details["reason"]
    usage = reply["usage"]
    seen.prompt, seen.completion = usage["input_tokens"], usage["output_tokens"]
    seen.cached = usage["input_tokens_details"]["cached_tokens"]
    return seen


# ── Anthropic Messages ───────────────────────────────────────────────────────────────────────────────────────────────

_anthropic_event: Final[TypeAdapter[Any]] = TypeAdapter(RawMessageStreamEvent)


def anthropic_gather(stream: bytes) -> Body:
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for frame in sse(stream):
        if b'"type":"ping"' not in frame:
            event = _anthropic_event.validate_json(frame)
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    whole: Body = json.loads(snapshot.model_dump_json(exclude_unset=True))
    for block in whole["content"]:
        block.pop("parsed_output", None)
    return whole


def anthropic_follow(body: Body, reply: Body) -> Body:
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": RESULTS[block["name"]]}
        for block in reply["content"]
        if block["type"] == "tool_use"
    ]
    said = [{"role": "assistant", "content": reply["content"]}] if reply["content"] else []
    return {**body, "messages": [*body["messages"], *said, {"role": "user", "content": results or GO_ON}]}


def anthropic_see(reply: Body) -> Seen:
    blocks, usage = reply["content"], reply["usage"]
    cached = usage["cache_read_input_tokens"] or 0
    written = usage["cache_creation_input_tokens"] or 0
    return Seen(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        thinking="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        signatures=[
            signature for block in blocks if (signature := block.get("signature") or block.get("data")) is not None
        ],
        calls=[(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        finish=reply["stop_reason"],
        prompt=usage["input_tokens"] + cached + written,
        completion=usage["output_tokens"],
        cached=cached,
        sources=[one["url"] for block in blocks for one in block.get("citations") or ()],
        code=anthropic_code(blocks),
    )


def anthropic_code(blocks: list[Body]) -> list[tuple[str, str]]:
    given = {block["tool_use_id"]: block["content"] for block in blocks if "tool_use_id" in block}
    return [
        (block["input"]["code"], given[block["id"]]["stdout"])
        for block in blocks
        if block["type"] == "server_tool_use" and block["name"] == "code_execution"
    ]


# ── Gemini ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def gemini_ask(body: Body, stream: bool) -> Ask:
    operation = Operation.GEMINI_STREAM if stream else Operation.GEMINI_CHAT
    return CLIENT_DIALECTS[operation].read_ask(json.dumps(body).encode(), operation, "fast")


def gemini_gather(stream: bytes) -> Body:
    """The parts of all events, where text goes on from one to the next (as ``google-genai``'s chats keep them)."""
    whole: Body = {}
    parts: list[Body] = []
    for frame in sse(stream):
        whole = json.loads(frame)
        for part in whole["candidates"][0]["content"].get("parts", ()):
            last = parts[-1] if parts else {}
            goes_on = part.get("thought") == last.get("thought") and "thoughtSignature" not in last
            if "text" in part and "text" in last and goes_on:
                last |= {**part, "text": last["text"] + part["text"]}
            elif part != {"text": ""}:
                parts.append(dict(part))
    whole["candidates"][0]["content"]["parts"] = parts or [{"text": ""}]
    return whole


def gemini_follow(body: Body, reply: Body) -> Body:
    content = reply["candidates"][0]["content"]
    calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    told: list[Body] = [{"text": GO_ON}]
    if calls:
        told = [{"functionResponse": {**named(call), "response": {"output": RESULTS[call["name"]]}}} for call in calls]
    return {**body, "contents": [*body["contents"], content, {"role": "user", "parts": told}]}


def named(call: Body) -> Body:
    """The name of a call, and its id where it has one."""
    return {name: call[name] for name in ("id", "name") if name in call}


def gemini_see(reply: Body) -> Seen:
    candidate, usage = reply["candidates"][0], reply["usageMetadata"]
    parts = candidate["content"].get("parts", ())
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    return Seen(
        text="".join(part["text"] for part in parts if "text" in part and not part.get("thought")),
        thinking="".join(part["text"] for part in parts if part.get("thought")),
        signatures=[part["thoughtSignature"] for part in parts if "thoughtSignature" in part],
        calls=[(call.get("id", ""), call["name"], call.get("args", {})) for call in calls],
        finish=candidate["finishReason"],
        prompt=usage["promptTokenCount"],
        completion=usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0),
        cached=usage.get("cachedContentTokenCount", 0),
        sources=gemini_sources(candidate.get("groundingMetadata", {})),
        code=[
            (part["executableCode"]["code"], result["codeExecutionResult"]["output"])
            for part, result in itertools.pairwise(parts)
            if "executableCode" in part
        ],
        images=gemini_media(parts, "image/"),
        sounds="".join(gemini_media(parts, "audio/")),
    )


def gemini_media(parts: list[Body], kind: str) -> list[str]:
    given = [part["inlineData"] for part in parts if "inlineData" in part]
    return [one["data"] for one in given if one["mimeType"].startswith(kind)]


def gemini_sources(grounding: Body) -> list[str]:
    chunks = grounding.get("groundingChunks", ())
    used = [index for one in grounding.get("groundingSupports", ()) for index in one["groundingChunkIndices"]]
    return [chunks[index]["web"]["uri"] for index in used]


# ── Ollama ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def ollama_gather(stream: bytes) -> Body:
    message: Body = {"role": "assistant", "content": ""}
    whole: Body = {}
    for line in stream.splitlines():
        whole = json.loads(line)
        piece = whole["message"]
        message["content"] += piece.get("content", "")
        if piece.get("thinking"):
            message["thinking"] = message.get("thinking", "") + piece["thinking"]
        if piece.get("images"):
            message["images"] = message.get("images", []) + piece["images"]
        if piece.get("tool_calls"):
            message["tool_calls"] = message.get("tool_calls", []) + piece["tool_calls"]
    return {**whole, "message": message}


def ollama_follow(body: Body, reply: Body) -> Body:
    message = reply["message"]
    results = [
        {"role": "tool", "tool_name": call["function"]["name"], "content": RESULTS[call["function"]["name"]]}
        for call in message.get("tool_calls", ())
    ]
    told = results or [{"role": "user", "content": GO_ON}]
    return {**body, "messages": [*body["messages"], message, *told]}


def ollama_see(reply: Body) -> Seen:
    message = reply["message"]
    return Seen(
        text=message["content"],
        thinking=message.get("thinking", ""),
        calls=[
            (call.get("id", ""), call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls", ())
        ],
        finish=reply["done_reason"],
        prompt=reply.get("prompt_eval_count", 0),
        completion=reply.get("eval_count", 0),
        images=list(message.get("images", ())),
    )


_ROWS: Final = (
    Client(
        "openai_chat",
        CLIENTS[Operation.CHAT],
        asking(Operation.CHAT, {"stream": True, "stream_options": {"include_usage": True}}, {}),
        lambda stream: chat_grammar.violations(stream, include_usage=True),
        chat_gather,
        chat_follow,
        chat_see,
        lambda error: CLIENT_DIALECTS[Operation.CHAT].write_error(error, CALL_ID),
    ),
    Client(
        "openai_responses",
        CLIENTS[Operation.RESPONSES],
        asking(Operation.RESPONSES, {"stream": True}, {}),
        responses_grammar.violations,
        responses_gather,
        responses_follow,
        responses_see,
        lambda error: CLIENT_DIALECTS[Operation.RESPONSES].write_error(error, CALL_ID),
    ),
    Client(
        "anthropic_messages",
        CLIENTS[Operation.MESSAGES],
        asking(Operation.MESSAGES, {"stream": True}, {}),
        anthropic_grammar.violations,
        anthropic_gather,
        anthropic_follow,
        anthropic_see,
        lambda error: CLIENT_DIALECTS[Operation.MESSAGES].write_error(error, CALL_ID),
    ),
    Client(
        "gemini",
        CLIENTS[Operation.GEMINI_CHAT],
        gemini_ask,
        gemini_grammar.violations,
        gemini_gather,
        gemini_follow,
        gemini_see,
        lambda error: CLIENT_DIALECTS[Operation.GEMINI_CHAT].write_error(error, CALL_ID),
    ),
    Client(
        "ollama_chat",
        CLIENTS[Operation.OLLAMA_CHAT],
        asking(Operation.OLLAMA_CHAT, {}, {"stream": False}),
        ollama_grammar.violations,
        ollama_gather,
        ollama_follow,
        ollama_see,
        lambda error: CLIENT_DIALECTS[Operation.OLLAMA_CHAT].write_error(error, CALL_ID),
    ),
)

CLIENT_ROWS: Final[Mapping[str, Client]] = {row.name: row for row in _ROWS}
