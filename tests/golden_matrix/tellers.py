"""What wires say whose dialect no client speaks: put together and read without our readers."""

from __future__ import annotations

import json
from typing import Any

from tests.golden_matrix.clients import Body, Seen, arguments, sse

__all__ = ["cohere_gather", "cohere_see", "mistral_gather", "mistral_see"]


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
    )
