"""Every recorded request is read by the client's side of its dialect, and written again it says the same."""

from __future__ import annotations

import json
from typing import Any

from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.anthropic_messages.abilities import Abilities
from pointsman.dialects.anthropic_messages.requests import read_request as read_message_request
from pointsman.dialects.anthropic_messages.requests import write_request as write_message_request
from pointsman.dialects.ollama.client_requests import read_chat_request
from pointsman.dialects.ollama.requests import write_request as write_ollama_request
from pointsman.dialects.ollama.types import OllamaTarget
from pointsman.dialects.openai_chat.requests import read_request as read_chat
from pointsman.dialects.openai_chat.requests import write_request as write_chat
from pointsman.dialects.openai_responses.requests import read_request as read_response_call
from pointsman.dialects.openai_responses.requests import read_response_request
from pointsman.dialects.openai_responses.requests import write_request as write_response
from tests.recorded.fetch import Exchange, exchanges
from tests.recorded.test_answers import ANTHROPIC, OLLAMA, OPENAI, check

Raw = dict[str, Any]
ALL = Abilities(json_schema=True, effort=True, system_turns=True)


def asked(projects: tuple[str, ...], mark: bytes, *names: str) -> list[tuple[Exchange, Raw]]:
    """The requests that have these fields and got an answer with this mark."""
    found = []
    for exchange in (one for project in projects for one in exchanges(project)):
        try:
            raw = json.loads(exchange.request)
        except ValueError:
            continue
        if isinstance(raw, dict) and all(name in raw for name in names) and mark in exchange.body[:3000]:
            found.append((exchange, raw))
    return found


def said(value: Any) -> Any:
    """A request without what says nothing: nulls, and what is empty."""
    if isinstance(value, dict):
        fields = {name: said(one) for name, one in value.items()}
        return {name: one for name, one in fields.items() if one is not None and one not in ([], {}, "")}
    return [said(one) for one in value] if isinstance(value, list) else value


def one_text(content: Any, *kinds: str) -> Any:
    """A list of one text is that text."""
    only = content[0] if isinstance(content, list) and len(content) == 1 else None
    plain = isinstance(only, dict) and set(only) == {"type", "text"} and only["type"] in kinds
    return only["text"] if plain and only is not None else content


def test_chat_requests() -> None:
    def examine(row: tuple[Exchange, Raw]) -> None:
        exchange, raw = row
        sent = said(raw)
        if sent.get("stream") is False:
            del sent["stream"]
        if "max_completion_tokens" in sent:
            sent["max_tokens"] = sent.pop("max_completion_tokens")
        if isinstance(sent.get("stop"), str):
            sent["stop"] = [sent["stop"]]
        if "functions" in sent:
            sent["tools"] = [{"type": "function", "function": one} for one in sent.pop("functions")]
            choice = sent.pop("function_call", None)
            if choice is not None:
                sent["tool_choice"] = choice if isinstance(choice, str) else {"type": "function", "function": choice}
        for message in sent["messages"]:
            message["content"] = one_text(message.get("content"), "text")
        model = raw.get("model", "m")
        written = said(json.loads(write_chat(read_chat(exchange.request, model), model)))
        assert written == said({"model": model, **sent})

    rows = asked(OPENAI, b"chat.completion", "messages")
    check(rows, lambda row: row[0].name, examine, 250)


OWN_ITEMS = (
    "apply_patch_call",
    "code_interpreter_call",
    "configuration_update",
    "compaction",
    "file_search_call",
    "image_generation_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_list_tools",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
)
"""Items that come of what OpenAI does itself; they are refused by their name."""


def test_responses_requests() -> None:
    def examine(row: tuple[Exchange, Raw]) -> None:
        exchange, raw = row
        request = read_response_request(exchange.request)
        try:
            call = read_response_call(exchange.request)
        except Unsupported as refused:
            if any(f"'{item}'" in refused.message for item in OWN_ITEMS) or "this compaction" in refused.message:
                return
            raise
        written, sent = said(json.loads(write_response(call, raw["model"], request))), said(raw)
        for name in ("model", "temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "metadata", "text"):
            assert written.get(name) == sent.get(name), name
        # Tools that are told in the middle of the talk are tools like all others.
        added = [item["tools"] for item in sent["input"] if isinstance(item, dict) and "tools" in item]
        told = [tool for tools in (sent.get("tools", ()), *added) for tool in tools]
        assert [tool.get("name") for tool in written.get("tools", ())] == [tool.get("name") for tool in told]
        assert items(written["input"]) == items(sent["input"])

    rows = asked(OPENAI, b'"response"', "input", "model")
    check(rows, lambda row: row[0].name, examine, 100)


def items(given: Any) -> list[tuple[str, Any]]:
    """The items by kind with their content, reasoning that nobody could give back aside; instructions stand apart."""
    if isinstance(given, str):
        return [("user", given)]
    found = []
    for item in given:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] not in {"system", "developer"}:
            content = item["content"]
            texts = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
            found.append((item["role"], texts))
        elif kind.endswith("_call"):
            found.append((item.get("call_id") or item["id"], item.get("arguments") or item.get("input")))
        elif kind.endswith("_output"):
            found.append((item["call_id"], kind))
        elif kind == "reasoning" and item.get("encrypted_content"):
            found.append((kind, item["encrypted_content"]))
    return found


NOT_TOLD = {
    "caller": "who called a tool; only Anthropic's own code execution calls them itself",
    "allowed_callers": "as caller",
    "defer_loading": "for Anthropic's own search for tools",
    "citations": "where in a document the model found what it said",
    "is_error": "false is what everybody is that is not",
}
"""Fields that the middle has no word for."""

OWN_BLOCKS = ("server_tool_use", "compaction", "mcp_tool_use", "search_result", "tool_addition")
"""Blocks that come of what Anthropic does itself; they are refused by their name."""


def told(value: Any) -> Any:
    """What the middle has words for."""
    if isinstance(value, dict):
        if value.get("type") == "content" and "content" in value:
            text = "\n".join(part["text"] for part in value["content"])
            return {"type": "text", "media_type": "text/plain", "data": text}
        return {name: told(one) for name, one in value.items() if name not in NOT_TOLD}
    return [told(one) for one in value] if isinstance(value, list) else value


def test_messages_requests() -> None:
    def examine(row: tuple[Exchange, Raw]) -> None:
        exchange, raw = row
        sent = said(raw)
        if sent.get("stream") is False:
            del sent["stream"]
        if "output_format" in sent:
            sent["output_config"] = {"format": sent.pop("output_format")}
        sent["system"] = one_text(sent.get("system"), "text")
        for message in sent["messages"]:
            message["content"] = one_text(message["content"], "text")
        model = raw.get("model", "m")
        try:
            call = read_message_request(exchange.request, model)
        except Malformed as refused:
            if any(f"'{block}'" in refused.message for block in OWN_BLOCKS):
                return
            raise
        written = said(json.loads(write_message_request(call, model, abilities=ALL)))
        assert told(written) == told(said({"model": model, **sent}))

    rows = asked(ANTHROPIC, b"message", "messages", "max_tokens")
    check(rows, lambda row: row[0].name, examine, 100)


def test_ollamas_requests() -> None:
    def examine(row: tuple[Exchange, Raw]) -> None:
        exchange, raw = row
        written = said(
            json.loads(write_ollama_request(read_chat_request(exchange.request), OllamaTarget(raw["model"])))
        )
        sent = said(raw)
        assert [(one["role"], one.get("content")) for one in written["messages"]] == [
            (one["role"], one.get("content")) for one in sent["messages"]
        ]
        assert written["stream"] is raw.get("stream", True)
        assert written.get("tools") == sent.get("tools")

    check(asked(OLLAMA, b'"done"', "messages"), lambda row: row[0].name, examine, 10)
