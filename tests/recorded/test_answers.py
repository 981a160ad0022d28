"""Every recorded answer decodes without loss: text, tool calls, counts and the reason are those of the raw bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pointsman.core.events import Event, Failed
from pointsman.core.reply import Choice, Reply
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.anthropic_messages.streams import StreamReader as AnthropicReader
from pointsman.dialects.folding import fold
from pointsman.dialects.ollama.streams import StreamReader as OllamaReader
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_chat.streams import StreamReader as ChatReader
from pointsman.dialects.openai_responses.replies import read_reply as read_response
from pointsman.dialects.openai_responses.stream_reader import StreamReader as ResponsesReader
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.wire.ndjson import LineSplitter
from pointsman.wire.sse import SseParser
from tests.recorded.fetch import Exchange, exchanges

OPENAI = ("opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-openai-v2", "langchain-openai")
ANTHROPIC = ("opentelemetry-instrumentation-anthropic", "langchain-anthropic", "opentelemetry-instrumentation-bedrock")
OLLAMA = ("opentelemetry-instrumentation-ollama",)
SLICE = 997

Raw = dict[str, Any]


def answers(projects: Iterable[str], kind: str) -> list[tuple[Exchange, Raw]]:
    """The whole answers of a kind, by their ``object`` or ``type``, with their JSON."""
    found = [(one, _json(one.body)) for project in projects for one in exchanges(project) if one.status == 200]
    return [(one, raw) for one, raw in found if kind in {raw.get("object"), raw.get("type")}]


def _json(body: bytes) -> Raw:
    try:
        raw = json.loads(body)
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) else {}


def streams(projects: Iterable[str], mark: bytes) -> list[tuple[Exchange, list[Raw]]]:
    """The streams whose first kilobyte has a mark, with the JSON of their events."""
    found = [
        one
        for project in projects
        for one in exchanges(project)
        if mark in one.body[:1000] and one.body.startswith((b"data:", b"event:"))
    ]
    return [(one, [json.loads(frame) for frame in frames(one.body) if frame != b"[DONE]"]) for one in found]


def frames(body: bytes) -> list[bytes]:
    parser = SseParser()
    return [event.data for event in [*parser.feed(body), *parser.end()] if event.data]


def sliced(body: bytes) -> Iterable[bytes]:
    return (body[place : place + SLICE] for place in range(0, len(body), SLICE))


def read_stream(reader: Any, body: bytes) -> Reply:
    """A stream in pieces that respect no event."""
    parser = SseParser()
    events: list[Event] = []
    for piece in sliced(body):
        for event in parser.feed(piece):
            events += reader.feed(event.data)
    for event in parser.end():
        events += reader.feed(event.data)
    events += reader.end()
    assert not any(isinstance(event, Failed) for event in events), events[-1]
    return fold(events)


def check(rows: list[Any], name: Callable[[Any], str], examine: Callable[[Any], None], at_least: int) -> None:
    """Examine all of them, and tell of all that are wrong."""
    assert len(rows) >= at_least
    wrong = []
    for row in rows:
        try:
            examine(row)
        except Exception as problem:  # noqa: BLE001
            wrong.append(f"{name(row)}: {problem!r}"[:600])
    assert not wrong, f"{len(wrong)} of {len(rows)}:\n" + "\n".join(wrong[:10])


def plain(text: str) -> Any:
    """Arguments without white space that does not matter; what is no JSON as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def calls_of(choice: Choice) -> list[tuple[str, str, Any]]:
    return [(call.id, call.name, plain(call.arguments)) for call in choice.tool_calls]


# ── OpenAI chat, Azure's included ────────────────────────────────────────────────────────────────────────────────────


def chat_usage(reply: Reply, raw: Raw) -> None:
    prompt_details, made = raw.get("prompt_tokens_details") or {}, raw.get("completion_tokens_details") or {}
    usage = reply.usage
    assert (usage.prompt, usage.completion, usage.source) == (
        raw["prompt_tokens"],
        raw["completion_tokens"],
        "measured",
    )
    assert usage.cached == (prompt_details.get("cached_tokens") or 0)
    assert usage.reasoning == (made.get("reasoning_tokens") or 0)


def chat_reason(choice: Choice, said: str) -> None:
    expected = {"function_call": "tool_calls"}.get(said, said)
    assert choice.finish_reason == expected or (said == "stop" and choice.tool_calls)


def examine_chat(row: tuple[Exchange, Raw]) -> None:
    exchange, raw = row
    reply = fold(ChatReader().read_whole(exchange.body))
    assert (reply.id, reply.model, reply.created) == (raw["id"], raw["model"], raw["created"])
    assert len(reply.choices) == len(raw["choices"])
    for choice, told in zip(reply.choices, raw["choices"], strict=True):
        message = told.get("message") or {}  # Azure's filter leaves it out
        assert choice.text == (message.get("content") or "")
        assert choice.refusal == (message.get("refusal") or None)
        calls = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
        made = [(call_id, called["name"], plain(called["arguments"])) for call_id, called in calls]
        if message.get("function_call"):
            called = message["function_call"]
            assert [one[1:] for one in calls_of(choice)] == [(called["name"], plain(called["arguments"]))]
        else:
            assert calls_of(choice) == made
        chat_reason(choice, told["finish_reason"])
    if raw.get("usage"):
        chat_usage(reply, raw["usage"])


def test_whole_chat_answers() -> None:
    check(answers(OPENAI, "chat.completion"), lambda row: row[0].name, examine_chat, 200)


def examine_chat_stream(row: tuple[Exchange, list[Raw]]) -> None:
    exchange, chunks = row
    reply = read_stream(ChatReader(), exchange.body)
    for choice in reply.choices:
        told = [one for chunk in chunks for one in chunk["choices"] if one["index"] == choice.index]
        deltas = [one["delta"] for one in told if one.get("delta")]
        assert choice.text == "".join(delta.get("content") or "" for delta in deltas)
        assert (choice.refusal or "") == "".join(delta.get("refusal") or "" for delta in deltas)
        calls: dict[int, list[str]] = {}
        for piece in (piece for delta in deltas for piece in delta.get("tool_calls") or ()):
            call = calls.setdefault(piece["index"], ["", "", ""])
            function = piece.get("function") or {}
            for place, text in enumerate((piece.get("id"), function.get("name"), function.get("arguments"))):
                call[place] += text or ""
        if not any(delta.get("function_call") for delta in deltas):
            assert calls_of(choice) == [(one[0], one[1], plain(one[2])) for _, one in sorted(calls.items())]
        chat_reason(choice, next(one["finish_reason"] for one in reversed(told) if one.get("finish_reason")))
    counts = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    if counts:
        chat_usage(reply, counts[-1])


def test_streamed_chat_answers() -> None:
    rows = streams(OPENAI, b'"chat.completion.chunk"')
    # Azure's first chunk has no choices and no object of the others' kind.
    rows += [row for row in streams(OPENAI, b'"prompt_filter_results"') if row not in rows]
    check(rows, lambda row: row[0].name, examine_chat_stream, 90)


def test_streamed_chat_answers_pass_the_express_lane_unchanged_and_are_metered() -> None:
    def examine(row: tuple[Exchange, list[Raw]]) -> None:
        exchange, chunks = row
        counts = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        model = chunks[-1]["model"]
        for asked in (model, "as it was asked for"):
            answer = ExpressAnswer(Ask(Operation.CHAT, asked, {}, stream=True, include_usage=True))
            passed = b"".join([*(answer.feed(piece) for piece in sliced(exchange.body)), answer.end()])
            told = [json.loads(frame) for frame in frames(passed) if frame != b"[DONE]"]
            assert told == [chunk | ({"model": asked} if chunk["model"] == model else {}) for chunk in chunks]
            if counts:
                assert (answer.usage.prompt, answer.usage.completion) == (
                    counts[-1]["prompt_tokens"],
                    counts[-1]["completion_tokens"],
                )

    check(streams(OPENAI, b'"chat.completion.chunk"'), lambda row: row[0].name, examine, 90)


@pytest.mark.parametrize(
    ("kind", "operation"), [("text_completion", Operation.COMPLETION), ("list", Operation.EMBEDDING)]
)
def test_completions_and_embeddings_pass_the_express_lane_unchanged_and_are_metered(
    kind: str, operation: Operation
) -> None:
    def examine(row: tuple[Exchange, Raw]) -> None:
        exchange, raw = row
        answer = ExpressAnswer(Ask(operation, raw["model"], {}))
        unchanged = answer.whole(exchange.body) == exchange.body
        assert unchanged  # by itself, since bodies may be too long to be compared in words
        renamed = json.loads(ExpressAnswer(Ask(operation, "m", {})).whole(exchange.body)) == {**raw, "model": "m"}
        assert renamed
        assert answer.usage.prompt == raw["usage"]["prompt_tokens"]
        assert answer.usage.completion == raw["usage"].get("completion_tokens", 0)

    rows = [row for row in answers(OPENAI, kind) if "usage" in row[1]]
    check(rows, lambda row: row[0].name, examine, 30)


def test_errors_keep_their_message_and_their_class() -> None:
    def examine(exchange: Exchange) -> None:
        error = read_error(exchange.status, exchange.body)
        said = json.loads(exchange.body)["error"]
        assert error.status == exchange.status
        assert said["message"][:60] in error.message

    rows = [
        one
        for project in OPENAI
        for one in exchanges(project)
        if one.status >= 400 and one.body.startswith(b"{") and b'"error"' in one.body[:50]
    ]
    check(rows, lambda one: one.name, examine, 15)


# ── Responses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def examine_response(reply: Reply, raw: Raw) -> None:
    choice = reply.choices[0]
    parts = [part for item in raw["output"] if item["type"] == "message" for part in item["content"]]
    assert choice.text == "".join(part.get("text") or "" for part in parts)
    assert (choice.refusal or "") == "".join(part.get("refusal") or "" for part in parts)
    functions = [item for item in raw["output"] if item["type"] == "function_call"]
    made = [(item["call_id"], item["name"], plain(item["arguments"])) for item in functions]
    customs = [item for item in raw["output"] if item["type"] == "custom_tool_call"]
    made += [(item["call_id"], item["name"], {"input": item["input"]}) for item in customs]
    assert sorted(calls_of(choice), key=str) == sorted(made, key=str)
    reasoned = [item for item in raw["output"] if item["type"] == "reasoning"]
    signatures = [item["encrypted_content"] for item in reasoned if item.get("encrypted_content")]
    assert [part.signature for part in choice.thoughts if part.signature] == signatures
    summaries = ["\n\n".join(part["text"] for part in item.get("summary") or ()) for item in reasoned]
    shown = ["".join(part["text"] for part in item.get("content") or ()) for item in reasoned]
    assert choice.thinking in {"".join(summaries), "".join(shown)}
    incomplete = raw.get("incomplete_details")
    if incomplete:
        assert choice.finish_reason == {"max_output_tokens": "length"}.get(incomplete["reason"], "content_filter")
    else:
        assert choice.finish_reason == ("tool_calls" if made else "stop")
    usage = raw["usage"]
    assert (reply.usage.prompt, reply.usage.completion) == (usage["input_tokens"], usage["output_tokens"])
    assert reply.usage.cached == usage["input_tokens_details"]["cached_tokens"]
    assert reply.usage.reasoning == usage["output_tokens_details"]["reasoning_tokens"]


def test_whole_responses() -> None:
    def examine(row: tuple[Exchange, Raw]) -> None:
        examine_response(read_response(row[0].body), row[1])

    rows = [row for row in answers(OPENAI, "response") if row[1]["status"] in {"completed", "incomplete"}]
    check(rows, lambda row: row[0].name, examine, 50)


def test_streamed_responses() -> None:
    def examine(row: tuple[Exchange, list[Raw]]) -> None:
        exchange, events = row
        final = events[-1]["response"]
        # What is encrypted is encrypted anew each time that it is told.
        final["output"] = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        examine_response(read_stream(ResponsesReader(), exchange.body), final)

    check(streams(OPENAI, b"response.created"), lambda row: row[0].name, examine, 120)


# ── Anthropic ────────────────────────────────────────────────────────────────────────────────────────────────────────

REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "compaction": "stop",
}


def examine_message(reply: Reply, raw: Raw) -> None:
    choice = reply.choices[0]
    blocks = raw["content"]
    assert (reply.id, reply.model) == (raw["id"], raw["model"])
    assert choice.text == "".join(block.get("text") or "" for block in blocks if block["type"] == "text")
    assert [(part.text, part.signature) for part in choice.thoughts] == [
        (block.get("thinking", ""), block.get("signature") or block.get("data"))
        for block in blocks
        if block["type"] in {"thinking", "redacted_thinking"}
    ]
    used = [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    assert calls_of(choice) == used
    assert choice.finish_reason == REASONS[raw["stop_reason"]]
    usage = raw["usage"]
    cached, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    assert (reply.usage.cached, reply.usage.cache_write) == (cached, written)
    assert reply.usage.prompt == usage["input_tokens"] + cached + written
    assert reply.usage.completion == usage["output_tokens"]


def test_whole_messages() -> None:
    def examine(row: tuple[Exchange, Raw]) -> None:
        reader = AnthropicReader()
        examine_message(fold([*reader.feed(row[0].body), *reader.end()]), row[1])

    check(answers(ANTHROPIC, "message"), lambda row: row[0].name, examine, 90)


def gathered(events: list[Raw]) -> Raw:
    """A message put together from its events."""
    message: Raw = next(event["message"] for event in events if event["type"] == "message_start")
    blocks: dict[int, Raw] = {}
    for event in events:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "json": ""}
        elif event["type"] == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            for name in ("text", "thinking", "signature"):
                if isinstance(delta.get(name), str):
                    block[name] = (block.get(name) or "") + delta[name]
            block["json"] += delta.get("partial_json") or ""
        elif event["type"] == "message_delta":
            message |= event["delta"]
            message["usage"] |= {name: count for name, count in event["usage"].items() if count is not None}
    for block in blocks.values():
        if block["type"] == "tool_use":
            block["input"] = json.loads(block["json"]) if block["json"] else block["input"]
    return {**message, "content": [block for _, block in sorted(blocks.items())]}


def test_streamed_messages() -> None:
    def examine(row: tuple[Exchange, list[Raw]]) -> None:
        examine_message(read_stream(AnthropicReader(), row[0].body), gathered(row[1]))

    check(streams(ANTHROPIC, b'"message_start"'), lambda row: row[0].name, examine, 50)


# ── Ollama ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ollamas_answers() -> None:
    def examine(exchange: Exchange) -> None:
        reader, splitter = OllamaReader("llama3"), LineSplitter()
        lines = [line for piece in sliced(exchange.body) for line in splitter.feed(piece)] + splitter.end()
        reply = fold([event for line in lines for event in reader.feed(line)] + reader.end())
        told = [json.loads(line) for line in lines]
        said = [one.get("message") or {"content": one.get("response", "")} for one in told]
        calls = [call["function"] for one in said for call in one.get("tool_calls") or ()]
        choice = reply.choices[0]
        assert choice.text == "".join(one.get("content") or "" for one in said)
        assert [(name, given) for _, name, given in calls_of(choice)] == [
            (call["name"], call["arguments"]) for call in calls
        ]
        assert choice.finish_reason == ("tool_calls" if calls else told[-1].get("done_reason", "stop"))
        counts = (told[-1].get("prompt_eval_count", 0), told[-1].get("eval_count", 0))
        assert (reply.usage.prompt, reply.usage.completion) == counts

    rows = [one for project in OLLAMA for one in exchanges(project) if b'"done"' in one.body]
    check(rows, lambda one: one.name, examine, 30)
