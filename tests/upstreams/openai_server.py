"""A fake OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from tests.upstreams import openai_shapes as shapes
from tests.upstreams.openai_extras import EXTRAS, extras_reply
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.server import FakeServer

__all__ = ["FakeOpenAI", "words_of"]

_INFERENCE: Final = ("/chat/completions", "/completions", "/embeddings")


def words_of(value: Any) -> int:
    """The words in every text of a prompt or a list of messages: this server's idea of tokens."""
    if isinstance(value, str):
        return len(value.split())
    if isinstance(value, dict):
        return sum(words_of(value[name]) for name in ("content", "text") if name in value)
    return sum(words_of(each) for each in value) if isinstance(value, list) else 0


class FakeOpenAI(FakeServer):
    """Answers like a healthy server unless scripted otherwise.

    A word is a token, unless ``counted`` is replaced. ``pieces`` are the answer's text, one per event when streamed,
    ``gap_seconds`` apart. With ``key`` set, other keys get 401. Only with ``has_responses`` has it that route, and only
    then does the script speak about it; a request for nothing is refused there either way.
    """

    def __init__(self, models: Iterable[str] = ("fake-model",)) -> None:
        super().__init__()
        self.models = list(models)
        self.pieces: tuple[str, ...] = ("Hello", " from", " the", " fake", " upstream.")
        self.gap_seconds = 0.0
        self.counted: Callable[[Any], int] = words_of
        self.key: str | None = None
        self.has_responses = False

    @property
    def base_url(self) -> str:
        """What ``api_base`` is set to."""
        return f"{self.url}/v1"

    @property
    def inference(self) -> list[RecordedRequest]:
        """The inference requests so far."""
        return [request for request in self.matching() if request.path.endswith(_INFERENCE)]

    def is_scripted(self, request: RecordedRequest) -> bool:
        """See the superclass."""
        if request.path.endswith("/responses") and (not self.has_responses or request.body == b"{}"):
            return False
        return super().is_scripted(request)

    async def answer(self, request: RecordedRequest) -> Reply:
        if self.key is not None and request.header("authorization") != f"Bearer {self.key}":
            return Reply.error(401, "Incorrect API key provided")
        if request.method == "GET" and request.path.endswith("/models"):
            return Reply.json(shapes.model_list(self.models))
        if request.path.endswith("/responses") and self.has_responses:
            return Reply.error(400, "Missing required parameter: 'model'.")
        if request.method == "POST" and request.path.endswith(EXTRAS):
            return extras_reply(request)
        if request.method != "POST" or not request.path.endswith(_INFERENCE):
            return Reply.error(404, f"no such path {request.path}")
        try:
            body = request.json()
        except msgspec.DecodeError as problem:
            return Reply.error(400, f"bad JSON: {problem}")
        if not isinstance(body, dict) or not isinstance(body.get("model"), str):
            return Reply.error(400, "model must be a string")
        return self._inference(request.path, body, len(self.requests))

    def _inference(self, path: str, body: dict[str, Any], number: int) -> Reply:
        model = body["model"]
        if path.endswith("/embeddings"):
            inputs = body.get("input", "")
            inputs = inputs if isinstance(inputs, list) else [inputs]
            as_base64 = body.get("encoding_format") == "base64"
            return Reply.json(shapes.embedding_reply(inputs, words_of(inputs), model=model, as_base64=as_base64))
        counts = shapes.usage(self.counted(body.get("messages", body.get("prompt"))), len(self.pieces))
        is_chat = path.endswith("/chat/completions")
        if not body.get("stream"):
            write = shapes.chat_reply if is_chat else shapes.completion_reply
            return Reply.json(write("".join(self.pieces), counts, model=model, number=number))
        asked = (body.get("stream_options") or {}).get("include_usage")
        write_chunks = shapes.chat_chunks if is_chat else shapes.completion_chunks
        chunks = write_chunks(self.pieces, counts if asked else None, model=model, number=number)
        return Reply.stream(chunks, gap_seconds=self.gap_seconds)
