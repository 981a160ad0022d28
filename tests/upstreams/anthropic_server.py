"""A fake of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.upstreams.openai_server import words_of
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.server import FakeServer

__all__ = ["FakeAnthropic", "anthropic_error", "message", "message_events"]


def message(content: list[dict[str, Any]], *, stop_reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": "claude-real",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 7, **usage},
    }


def message_events(
    blocks: Iterable[tuple[dict[str, Any], list[dict[str, Any]]]], *, stop_reason: str = "end_turn", **usage: Any
) -> list[dict[str, Any]]:
    """The events of an answer; each block is its beginning and its deltas."""
    begun = {**message([], **usage), "stop_reason": None}
    begun["usage"] = {**begun["usage"], "output_tokens": 1}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {"stop_reason": stop_reason, "stop_sequence": None}
    return [
        *events,
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]


def anthropic_error(status: int, kind: str, text: str, *, retry_after: str | None = None) -> Reply:
    """An error with Anthropic's body."""
    body = {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_up"}
    return Reply.json(body, status, {"Retry-After": retry_after} if retry_after is not None else None)


class FakeAnthropic(FakeServer):
    """Answers like a healthy server unless scripted otherwise. A word is a token. ``pieces`` are the answer's text."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: tuple[str, ...] = ("Hello", " from", " Claude.")

    def is_scripted(self, request: RecordedRequest) -> bool:
        """Whether the script speaks about this request: only the counting of tokens is never scripted."""
        return request.method == "POST" and not request.path.endswith("/count_tokens")

    async def answer(self, request: RecordedRequest) -> Reply:
        """See the superclass."""
        body = request.json()
        if request.path == "/v1/messages/count_tokens":
            return Reply.json({"input_tokens": 1000 + words_of(body["messages"])})
        if request.path != "/v1/messages":
            return anthropic_error(404, "not_found_error", f"no such path {request.path}")
        counts: dict[str, Any] = {"input_tokens": words_of(body["messages"])}
        text = {"type": "text", "text": ""}
        if not body.get("stream"):
            return Reply.json(message([{**text, "text": "".join(self.pieces)}], **counts))
        deltas = [{"type": "text_delta", "text": piece} for piece in self.pieces]
        return Reply.named_events(message_events([(text, deltas)], **counts))
