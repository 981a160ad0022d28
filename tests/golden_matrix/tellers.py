"""What wires say whose dialect no client speaks: put together and read without our readers."""

from __future__ import annotations

import json
import struct
from typing import Any

from pointsman.wire.aws_event_stream import EventMessage, Header, HeaderKind, write_message
from tests.golden_matrix.clients import Body, Seen, arguments, chat_gather, sse

__all__ = [
    "azure_gather",
    "bedrock_gather",
    "bedrock_see",
    "bedrock_send",
    "cohere_gather",
    "cohere_see",
    "mistral_gather",
    "mistral_see",
]


def cohere_gather(stream: bytes) -> Body:
    """https://docs.cohere.com/v2/docs/streaming."""
    content: dict[int, Body] = {}
    calls: dict[int, Body] = {}
    whole: Body = {"message": {}}
    for event in (json.loads(frame) for frame in sse(stream) if frame != b"[DONE]"):
        told: Any = event.get("delta", {}).get("message", {})
        match event["type"]:
            case "content-start":
                content[event["index"]] = dict(told["content"])
            case "content-delta":
                for name, text in told["content"].items():
                    content[event["index"]][name] += text
            case "tool-plan-delta":
                whole["message"]["tool_plan"] = whole["message"].get("tool_plan", "") + told["tool_plan"]
            case "tool-call-start":
                calls[event["index"]] = told["tool_calls"]
            case "tool-call-delta":
                calls[event["index"]]["function"]["arguments"] += told["tool_calls"]["function"]["arguments"]
            case "message-end":
                whole |= event["delta"]
    whole["message"] |= {"content": list(content.values()), "tool_calls": list(calls.values())}
    return whole


def cohere_see(reply: Body) -> Seen:
    """The plan of which tools to call is words of the model; what is billed counts."""
    message, billed = reply["message"], reply["usage"]["billed_units"]
    blocks = message.get("content") or ()
    called = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
    return Seen(
        text="".join(block.get("text", "") for block in blocks),
        thinking=message.get("tool_plan", "") + "".join(block.get("thinking", "") for block in blocks),
        calls=[(call_id, one["name"], arguments(one["arguments"])) for call_id, one in called],
        finish=reply["finish_reason"],
        prompt=billed["input_tokens"],
        completion=billed["output_tokens"],
        cached=reply["usage"].get("cached_tokens", 0),
    )


def mistral_gather(stream: bytes) -> Body:
    """https://docs.mistral.ai/api: as OpenAI's, where content may be a list of pieces."""
    parts: list[Body] = []
    calls: list[Body] = []
    whole: Body = {}
    for chunk in (json.loads(frame) for frame in sse(stream) if frame != b"[DONE]"):
        choice, whole["usage"] = chunk["choices"][0], chunk.get("usage")
        content = choice["delta"].get("content") or []
        parts += [{"type": "text", "text": content}] if isinstance(content, str) else content
        calls += choice["delta"].get("tool_calls") or []
        whole["choices"] = [{"message": {"content": parts, "tool_calls": calls}, **choice}]
    return whole


def mistral_see(reply: Body) -> Seen:
    choice, usage = reply["choices"][0], reply["usage"]
    content = choice["message"]["content"] or []
    pieces: list[Body] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    called = [(call["id"], call["function"]) for call in choice["message"].get("tool_calls") or ()]
    thoughts = [inner["text"] for piece in pieces if piece["type"] == "thinking" for inner in piece["thinking"]]
    return Seen(
        text="".join(piece["text"] for piece in pieces if piece["type"] == "text"),
        thinking="".join(thoughts),
        calls=[(call_id, one["name"], arguments(one["arguments"])) for call_id, one in called],
        finish=choice["finish_reason"],
        prompt=usage["prompt_tokens"],
        completion=usage["completion_tokens"],
        cached=usage.get("prompt_tokens_details", {}).get("cached_tokens", 0),
    )


def azure_gather(stream: bytes) -> Body:
    """As OpenAI's, with notes of filters (https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming).

    A note has no id: it is about the prompt at first, and about words that were sent before later on.
    """
    chunks = [frame for frame in sse(stream) if frame == b"[DONE]" or json.loads(frame)["id"]]
    return chat_gather(b"".join(b"data: %b\n\n" % chunk for chunk in chunks))


def bedrock_send(lines: bytes) -> bytes:
    """A line of the file is the message's type, its name, and what it says."""
    return b"".join(_message(*line.split(b" ", 2)) for line in lines.splitlines() if line.count(b" ") > 1)


def _message(kind: bytes, name: bytes, payload: bytes) -> bytes:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html has the headers of all services."""
    headers = ((f":{kind.decode()}-type", name), (":content-type", b"application/json"), (":message-type", kind))
    told = tuple(Header(header, HeaderKind.STRING, value.decode()) for header, value in headers)
    return write_message(EventMessage(told, payload))


def bedrock_gather(stream: bytes) -> Body:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html."""
    blocks: dict[int, Body] = {}
    whole: Body = {"output": {"message": {"content": blocks}}}
    while stream:
        length, head = struct.unpack_from(">II", stream)
        event, stream = json.loads(stream[12 + head : length - 4]), stream[length:]
        block = blocks.setdefault(event["contentBlockIndex"], {}) if "contentBlockIndex" in event else {}
        if "start" in event:
            block["toolUse"] = {**event["start"]["toolUse"], "input": ""}
        delta = event.get("delta", {})
        for name, said in delta.items():
            _add(block, name, said)
        whole |= {name: event[name] for name in ("stopReason", "usage") if name in event}
    whole["output"]["message"]["content"] = list(blocks.values())
    return whole


def _add(block: Body, name: str, said: Any) -> None:
    if isinstance(said, str):
        block[name] = block.get(name, "") + said
        return
    inner = block.setdefault(name, {})
    if name == "reasoningContent" and "redactedContent" not in said:
        inner = inner.setdefault("reasoningText", {})
    for field, text in said.items():
        inner[field] = inner.get(field, "") + text


def bedrock_see(reply: Body) -> Seen:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html: what is cached is apart."""
    seen, usage = Seen(finish=reply["stopReason"]), reply["usage"]
    for block in reply["output"]["message"]["content"]:
        if "text" in block:
            seen.text += block["text"]
        elif "toolUse" in block:
            use = block["toolUse"]
            given = use["input"]
            seen.calls.append((use["toolUseId"], use["name"], arguments(given) if isinstance(given, str) else given))
        else:
            thought = block["reasoningContent"]
            said = thought.get("reasoningText", {})
            seen.thinking += said.get("text", "")
            seen.signatures.append(said.get("signature") or thought["redactedContent"])
    seen.cached = usage["cacheReadInputTokens"]
    seen.prompt = usage["inputTokens"] + seen.cached + usage["cacheWriteInputTokens"]
    seen.completion = usage["outputTokens"]
    return seen
