"""A fake OpenAI-compatible server with the Responses API and a memory of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tests.upstreams.openai_server import FakeOpenAI
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply

__all__ = ["FakeResponses"]

_FIELDS: Final[dict[str, Any]] = {
    "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
    "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
}  # fmt: skip


class FakeResponses(FakeOpenAI):
    """Answers as OpenAI does: with reasoning that only it can read, and the number of items that it knows.

    What it has not made, or not stored, it does not find. With ``remembers`` False it is one of the servers that store
    nothing, and ignores what it is asked to continue. All its clients share one memory. ``events`` are those of the
    last stream.
    """

    def __init__(self, models: Iterable[str] = ("fake-model",), *, prefix: str = "up") -> None:
        super().__init__(models)
        self.has_responses = True
        self.remembers = True
        self._prefix = prefix
        self._contexts: dict[str, list[Any]] = {}
        self._items: dict[str, Any] = {}
        self._made_so_far = 0
        self.events: list[dict[str, Any]] = []

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of the requests for responses so far."""
        bodies = [request.json() for request in self.matching("/v1/responses")]
        return [body for body in bodies if body]

    async def answer(self, request: RecordedRequest) -> Reply:
        if not request.path.endswith("/responses") or request.body == b"{}":
            return await super().answer(request)
        body = request.json()
        previous = body.get("previous_response_id")
        context: list[Any] = []
        if self.remembers and previous is not None:
            if previous not in self._contexts:
                return _not_found(f"Previous response with id '{previous}' not found.", "previous_response_id")
            context = self._contexts[previous]
        if body.get("conversation") is not None:
            return _not_found("Conversation not found.", "conversation")
        given = body.get("input", [])
        given = [{"role": "user", "content": given}] if isinstance(given, str) else given
        for item in given:
            if item.get("type") == "item_reference" and item["id"] not in self._items:
                return _not_found(f"Item with id '{item['id']}' not found.", "input")
        return self._made(body, [*context, *given])

    def _made(self, body: dict[str, Any], context: list[Any]) -> Reply:
        self._made_so_far += 1
        number = self._made_so_far
        name = f"resp_{self._prefix}{number}"
        stores = self.remembers and body.get("store") is not False
        text = f"I know {len(context)} items."
        output: list[dict[str, Any]] = [
            {"type": "reasoning", "id": f"rs_{self._prefix}{number}", "summary": [], "encrypted_content": "opaque"},
            {
                "type": "message", "id": f"msg_{self._prefix}{number}", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            },
        ]  # fmt: skip
        if stores:
            self._contexts[name] = [*context, *output]
            self._items |= {item["id"]: item for item in output}
        begun = {
            **_FIELDS, "id": name, "object": "response", "created_at": 1, "model": body["model"],
            "status": "in_progress", "output": [], "usage": None, "store": stores, "background": False,
            "previous_response_id": body.get("previous_response_id"),
        }  # fmt: skip
        counts = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        done = {**begun, "status": "completed", "output": output, "usage": {**counts, **details}}
        if not body.get("stream"):
            return Reply.json(done)
        self.events = [{**event, "sequence_number": index} for index, event in enumerate(_events(begun, done, output))]
        return Reply.named_events(self.events)


def _events(begun: dict[str, Any], done: dict[str, Any], output: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    reasoning, message = output
    yield {"type": "response.output_item.added", "output_index": 0, "item": reasoning}
    yield {"type": "response.output_item.done", "output_index": 0, "item": reasoning}
    yield {"type": "response.output_item.added", "output_index": 1, "item": {**message, "content": []}}
    (part,) = message["content"]
    place = {"item_id": message["id"], "output_index": 1, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    yield {"type": "response.output_text.delta", **place, "delta": part["text"], "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}
    yield {"type": "response.output_item.done", "output_index": 1, "item": message}
    yield {"type": "response.completed", "response": done}


def _not_found(message: str, param: str) -> Reply:
    return Reply.json({"error": {"message": message, "type": "invalid_request_error", "param": param}}, 404)
