"""A fake Cohere: ``/v2/chat`` in the shapes of https://docs.cohere.com/v2/docs/streaming and …/tool-use-streaming."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.server import FakeServer

__all__ = ["FakeCohere", "cohere_error", "cohere_reply", "cohere_stream", "stream_events"]

USAGE = {
    "billed_units": {"input_tokens": 5.0, "output_tokens": 7.0},
    "tokens": {"input_tokens": 71.0, "output_tokens": 9.0},
    "cached_tokens": 2.0,
}


class FakeCohere(FakeServer):
    """Says ``pieces`` unless scripted otherwise; any key but ``key`` is refused."""

    def __init__(self, key: str = "co-key") -> None:
        super().__init__()
        self.key = key
        self.pieces: tuple[str, ...] = ("Hello", " from", " Cohere.")

    async def answer(self, request: RecordedRequest) -> Reply:
        if request.header("authorization") != f"Bearer {self.key}":
            return cohere_error(401, "invalid api token")
        if request.method == "POST" and request.path == "/v2/embed":
            vectors = [[float(len(text)), 0.5] for text in request.json()["texts"]]
            meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 3.0}}
            return Reply.json({"id": "54910170", "embeddings": {"float": vectors}, "meta": meta})
        if request.method != "POST" or request.path != "/v2/chat":
            return cohere_error(404, f"no such path {request.path}")
        body = request.json()
        if body.get("stream"):
            return cohere_stream(stream_events(self.pieces))
        return cohere_reply([{"type": "text", "text": "".join(self.pieces)}])


def cohere_error(status: int, message: str) -> Reply:
    """An error in Cohere's shape."""
    return Reply.json({"id": "e1b2", "message": message}, status)


def cohere_reply(content: list[dict[str, str]] | None, reason: str = "COMPLETE", **message: Any) -> Reply:
    """A whole answer."""
    said = {"role": "assistant", **({} if content is None else {"content": content}), **message}
    return Reply.json({"id": "c14c80c3", "finish_reason": reason, "message": said, "usage": USAGE})


def cohere_stream(events: Iterable[dict[str, Any]]) -> Reply:
    """A stream of events; Cohere names each event as its type does."""
    blocks = [b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event)) for event in events]
    return Reply.chunked("text/event-stream", [*blocks, b"data: [DONE]\n\n"], 0.0, None)


def stream_events(
    pieces: Iterable[str] = (),
    *,
    thoughts: Iterable[str] = (),
    plan: Iterable[str] = (),
    calls: Iterable[tuple[str, str, tuple[str, ...]]] = (),
    reason: str = "COMPLETE",
) -> list[dict[str, Any]]:
    """The events of one answer; ``calls`` are ids, names and the pieces of the arguments."""
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    events: list[dict[str, Any]] = [{"type": "message-start", "id": "29f14a5a", "delta": {"message": start}}]
    events += [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": text}}} for text in plan]
    index = 0
    for kind, texts in (("thinking", tuple(thoughts)), ("text", tuple(pieces))):
        if not texts:
            continue
        begun = {"message": {"content": {"type": kind, kind: ""}}}
        events.append({"type": "content-start", "index": index, "delta": begun})
        events += [
            {"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: text}}}} for text in texts
        ]
        if kind == "text":
            cited = {"start": 0, "end": 5, "text": texts[0], "sources": [{"type": "document", "id": "1"}]}
            events.append({"type": "citation-start", "index": 0, "delta": {"message": {"citations": cited}}})
            events.append({"type": "citation-end", "index": 0})
        events.append({"type": "content-end", "index": index})
        index += 1
    for number, (call_id, name, arguments) in enumerate(calls):
        call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        events.append({"type": "tool-call-start", "index": number, "delta": {"message": {"tool_calls": call}}})
        events += [
            {
                "type": "tool-call-delta",
                "index": number,
                "delta": {"message": {"tool_calls": {"function": {"arguments": text}}}},
            }
            for text in arguments
        ]
        events.append({"type": "tool-call-end", "index": number})
    events.append({"type": "message-end", "delta": {"finish_reason": reason, "usage": USAGE}})
    return events
