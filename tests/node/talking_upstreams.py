"""Three upstreams, OpenAI's dialect, Anthropic's and Ollama's, that react to the words of a request in the same way.

``weather`` with tools gets a call, then ``Sunny.``; ``fail`` gets 429; ``break`` a stream that fails in the middle;
``slow`` one that never goes on; ``number`` with a schema that has an ``n`` gets one; everything else a greeting.
"""

from __future__ import annotations

import json
from typing import Any, Final

from tests.upstreams import FakeAnthropic, FakeOllama, FakeOpenAI, OllamaModel, RecordedRequest, Reply, Turn
from tests.upstreams.anthropic_server import anthropic_error, message, message_events
from tests.upstreams.ollama_turn import Timing
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, tool_call, usage
from tests.upstreams.reply import Stall

__all__ = ["TalkingAnthropic", "TalkingOllama", "TalkingOpenAI"]

_PIECES: Final = ("Hello", " from", " the", " upstream.")
_CITY: Final = {"city": "Paris"}
_BEFORE_THE_END: Final = 2


def _word(turns: list[dict[str, Any]]) -> str:
    """The first word of the conversation."""
    content = turns[0]["content"] if turns[0]["role"] == "user" else turns[1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    return str(text).split()[0]


def _pieces(word: str, request: RecordedRequest) -> tuple[str, ...]:
    """The greeting, or what a schema asks for."""
    return ('{"n":', " 4}") if word == "number" and b'"n"' in request.body else _PIECES


def _stalling(reply: Reply, kept: int) -> Reply:
    """The beginning of a stream (its head and ``kept`` events), and then nothing."""
    return Reply((*reply.steps[: kept + 1], Stall()), "stalling")


class TalkingOpenAI(FakeOpenAI):
    """Chat Completions."""

    async def answer(self, request: RecordedRequest) -> Reply:
        """See the superclass."""
        if not request.path.endswith("/chat/completions"):
            return await super().answer(request)
        body = request.json()
        word, counts = _word(body["messages"]), usage(3, 4)
        if word == "fail":
            return Reply.error(429, "Slow down", retry_after="7")
        answered = any(turn["role"] == "tool" for turn in body["messages"])
        calls = [tool_call("get_weather", json.dumps(_CITY))] if word == "weather" and not answered else []
        pieces = () if calls else ("Sunny.",) if answered else _pieces(word, request)
        reason = "tool_calls" if calls else "stop"
        if not body.get("stream"):
            return Reply.json(chat_reply("".join(pieces) or None, counts, tool_calls=calls, finish_reason=reason))
        deltas = [{"index": 0, **call} for call in calls]
        chunks = chat_chunks(pieces, counts, tool_deltas=deltas, finish_reason=reason)
        if word == "break":
            error = {"error": {"message": "it broke", "type": "server_error", "code": None}}
            return Reply.stream([*chunks[:2], error], done=False)
        stream = Reply.stream(chunks)
        return _stalling(stream, _BEFORE_THE_END) if word == "slow" else stream


class TalkingAnthropic(FakeAnthropic):
    """Messages."""

    async def answer(self, request: RecordedRequest) -> Reply:
        """See the superclass."""
        if request.path != "/v1/messages":
            return await super().answer(request)
        body = request.json()
        word = _word(body["messages"])
        if word == "fail":
            return anthropic_error(429, "rate_limit_error", "Slow down", retry_after="7")
        answered = word == "weather" and len(body["messages"]) > 1
        calls = word == "weather" and not answered
        reason = "tool_use" if calls else "end_turn"
        block: dict[str, Any] = {"type": "text", "text": "Sunny." if answered else "".join(_PIECES)}
        if calls:
            block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": _CITY}
        if not body.get("stream"):
            return Reply.json(message([block], stop_reason=reason))
        if calls:
            begun = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(_CITY)}]
        else:
            begun = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in (("Sunny.",) if answered else _PIECES)]
        events = message_events([(begun, deltas)], stop_reason=reason)
        if word == "break":
            error = {"type": "error", "error": {"type": "api_error", "message": "it broke"}}
            return Reply.named_events([*events[:3], error])
        stream = Reply.named_events(events)
        return _stalling(stream, _BEFORE_THE_END + 1) if word == "slow" else stream


class TalkingOllama(FakeOllama):
    """Ollama's own API, with the model ``llama3.1:8b``."""

    def __init__(self) -> None:
        super().__init__([OllamaModel("llama3.1:8b")])

    async def answer(self, request: RecordedRequest) -> Reply:
        """See the superclass."""
        body = request.json() if request.path == "/api/chat" else {}
        if not body.get("messages"):
            return await super().answer(request)
        word = _word(body["messages"])
        if word == "fail":
            return Reply.json({"error": "Slow down"}, 429, {"Retry-After": "7"})
        answered = any(turn["role"] == "tool" for turn in body["messages"])
        calls = [("get_weather", _CITY)] if word == "weather" and not answered else []
        pieces = () if calls else ("Sunny.",) if answered else _pieces(word, request)
        turn = Turn(pieces, calls=calls, error_after=2 if word == "break" else None, error_text="it broke")
        timing = Timing(3, 4)
        if not body.get("stream", True):
            return Reply.json(turn.whole(body["model"], timing))
        stream = Reply.ndjson(turn.lines(body["model"], timing))
        return _stalling(stream, _BEFORE_THE_END) if word == "slow" else stream
