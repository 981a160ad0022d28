"""Upstreams that play the model of a coding agent: read a file, write another, say that it is done.

What the agent is told by the model depends on nothing but how many results of tools it has sent, so that any number of
other requests (for a title, for a quota) may come between. Each upstream refuses what the real one would refuse.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.support.configs import anthropic_entry, ollama_entry, openai_entry
from tests.upstreams import FakeAnthropic, FakeOllama, FakeOpenAI, OllamaModel, RecordedRequest, Reply, Turn
from tests.upstreams.anthropic_server import anthropic_error, message, message_events
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, tool_call, usage

__all__ = ["DONE", "Agent", "Plan", "agent", "entry_for"]

DONE: Final = "All done."

Plan = Callable[[set[str], int], tuple[str, Mapping[str, Any]] | None]
"""From the names of the tools on offer and the number of results so far to a call, or to None: it is done."""

_CHAT_FIELDS: Final = frozenset({
    "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages", "metadata",
    "model", "n", "parallel_tool_calls", "presence_penalty", "prompt_cache_key", "reasoning_effort", "response_format",
    "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature",
    "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
    # Of servers of this dialect, not of OpenAI itself.
    "thinking", "top_k",
})  # fmt: skip
_MESSAGES_FIELDS: Final = frozenset({
    "cache_control", "container", "context_management", "max_tokens", "messages", "metadata", "model", "output_config",
    "service_tier", "stop_sequences", "stream", "system", "temperature", "thinking", "tool_choice", "tools", "top_k",
    "top_p",
})  # fmt: skip


class OpenAIAgent(FakeOpenAI):
    """Chat Completions."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    async def answer(self, request: RecordedRequest) -> Reply:
        """See the superclass."""
        if not request.path.endswith("/chat/completions"):
            return await super().answer(request)
        body = request.json()
        unknown = sorted(set(body) - _CHAT_FIELDS)
        if unknown:
            return Reply.error(400, f"Unknown parameter: '{unknown[0]}'.")
        offered = {tool["function"]["name"] for tool in body.get("tools", ())}
        results = sum(turn["role"] == "tool" for turn in body["messages"])
        step = self._plan(offered, results)
        calls = [] if step is None else [tool_call(step[0], json.dumps(step[1]), results)]
        reason = "tool_calls" if calls else "stop"
        if body.get("stream"):
            deltas = [{"index": 0, **call} for call in calls]
            pieces = () if calls else ("All", " done.")
            return Reply.stream(chat_chunks(pieces, usage(100, 5), tool_deltas=deltas, finish_reason=reason))
        return Reply.json(chat_reply(None if calls else DONE, usage(100, 5), tool_calls=calls, finish_reason=reason))


class OllamaAgent(FakeOllama):
    """Ollama's own chat, with a model that thinks before it calls."""

    def __init__(self, plan: Plan) -> None:
        super().__init__([OllamaModel("qwen3:8b", context_length=262_144)])
        self._plan = plan

    async def answer(self, request: RecordedRequest) -> Reply:
        """See the superclass."""
        if request.path == "/api/chat":
            body = request.json()
            offered = {tool["function"]["name"] for tool in body.get("tools", ())}
            step = self._plan(offered, sum(turn["role"] == "tool" for turn in body.get("messages", ())))
            self.turns.clear()
            self.says(Turn(pieces=("All", " done.")) if step is None else Turn(pieces=(), calls=[step]))
        return await super().answer(request)


class AnthropicAgent(FakeAnthropic):
    """Messages."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    async def answer(self, request: RecordedRequest) -> Reply:
        """See the superclass."""
        if request.path != "/v1/messages":
            return await super().answer(request)
        body = request.json()
        unknown = sorted(set(body) - _MESSAGES_FIELDS)
        if unknown or "max_tokens" not in body:
            text = f"{unknown[0]}: Extra inputs are not permitted" if unknown else "max_tokens: Field required"
            return anthropic_error(400, "invalid_request_error", text)
        blocks = [block for turn in body["messages"] if isinstance(turn["content"], list) for block in turn["content"]]
        offered = {tool["name"] for tool in body.get("tools", ())}
        results = sum(block["type"] == "tool_result" for block in blocks)
        step = self._plan(offered, results)
        reason = "end_turn" if step is None else "tool_use"
        block: dict[str, Any] = {"type": "text", "text": DONE}
        if step is not None:
            block = {"type": "tool_use", "id": f"toolu_{results}", "name": step[0], "input": dict(step[1])}
        if not body.get("stream"):
            return Reply.json(message([block], stop_reason=reason))
        if step is None:
            deltas = [{"type": "text_delta", "text": DONE}]
        else:
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(step[1])}]
        empty = {**block, "text": ""} if step is None else {**block, "input": {}}
        return Reply.named_events(message_events([(empty, deltas)], stop_reason=reason))


Agent = OpenAIAgent | OllamaAgent | AnthropicAgent


def agent(kind: str, plan: Plan) -> Agent:
    """The upstream that speaks ``openai``, ``ollama`` or ``anthropic``."""
    if kind == "openai":
        return OpenAIAgent(plan)
    return OllamaAgent(plan) if kind == "ollama" else AnthropicAgent(plan)


def entry_for(name: str, upstream: Agent, **params: Any) -> dict[str, Any]:
    """The ``model_list`` entry of an upstream."""
    match upstream:
        case OllamaAgent():
            return ollama_entry(name, upstream, "qwen3:8b", **params)
        case AnthropicAgent():
            return anthropic_entry(name, upstream, **params)
        case OpenAIAgent():
            return openai_entry(name, upstream, **params)
