"""A fake Ollama: loads, reloads, cuts prompts and refuses as the real one does.

Shaped after its sources (0.33) and what a real 0.17.4 answers (``tests/recorded/ollama-0.17.4.json``).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from tests.upstreams.ollama_models import OllamaModel
from tests.upstreams.ollama_turn import Timing, Turn
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply, Send, head
from tests.upstreams.server import FakeServer

__all__ = ["FakeOllama", "tokens_of"]

_CHARACTERS_PER_TOKEN: Final = 4
_MANAGEMENT: Final = frozenset({"/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete"})
_INFERENCE: Final = ("/api/chat", "/api/generate", "/api/embed")
_LOCAL_ENDINGS: Final = (".localhost", ".local", ".internal")
_VERSION: Final = "0.33.0"
_LOOKUP_SECONDS: Final = 0.001
"""``load_duration`` is there for a model in memory, too: finding it takes its time."""


def tokens_of(text: str) -> int:
    """Four characters are a token."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


class _RefusedError(Exception):
    """Carries the refusal."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.reply = Reply.ollama_error(status, message)


class FakeOllama(FakeServer):
    """See the module. ``turns`` are what the models say next; ``turn`` is what they say when there is none left.

    ``cut`` lists the prompts that were truncated silently, as (tokens, num_ctx).
    """

    def __init__(self, models: Iterable[OllamaModel] = (), *, default_context: int = 4096) -> None:
        super().__init__()
        self.models: dict[str, OllamaModel] = {}
        for model in models:
            self.pull(model)
        self.default_context = default_context
        self.turn = Turn()
        self.turns: deque[Turn] = deque()
        self.cut: list[tuple[int, int]] = []
        self._locks: dict[str, asyncio.Lock] = {}

    def pull(self, model: OllamaModel) -> OllamaModel:
        """The model is there from now on."""
        self.models[model.tagged] = model
        return model

    def says(self, *turns: Turn) -> None:
        """What the models answer next, in this order."""
        self.turns.extend(turns)

    @property
    def inference(self) -> list[RecordedRequest]:
        """The requests so far that made a model work."""
        return [request for request in self.matching() if request.path in _INFERENCE]

    def is_scripted(self, request: RecordedRequest) -> bool:
        return request.path in _INFERENCE or request.path in _MANAGEMENT

    async def respond(self, request: RecordedRequest) -> Reply:
        if not _is_local(request.header("host") or ""):
            return Reply((Send(head(403, {"Content-Length": "0"})),), "403 for the Host header")
        return await super().respond(request)

    async def answer(self, request: RecordedRequest) -> Reply:
        match request.method, request.path:
            case (("GET" | "HEAD"), "/"):
                fields = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": "17"}
                text = b"" if request.method == "HEAD" else b"Ollama is running"
                return Reply((Send(head(200, fields) + text),), "running")
            case "GET", "/api/version":
                return Reply.json({"version": _VERSION})
            case "GET", "/api/tags":
                return Reply.json({"models": [model.tag_row() for model in self.models.values()]})
            case "GET", "/api/ps":
                running = [model for model in self.models.values() if model.loaded_context is not None]
                return Reply.json({"models": [model.running_row() for model in running]})
            case "POST", path if path in {"/api/show", *_INFERENCE}:
                return await self._post(request)
        return Reply((Send(head(404, {"Content-Type": "text/plain", "Content-Length": "18"}) + b"404 page not found"),))

    async def _post(self, request: RecordedRequest) -> Reply:
        try:
            body = _object(request)
            model = self._find(body)
            match request.path:
                case "/api/show":
                    return Reply.json(model.shown())
                case "/api/embed":
                    return await self._embed(model, body)
                case "/api/generate":
                    return await self._generate(model, body)
            return await self._chat(model, body)
        except _RefusedError as refused:
            return refused.reply

    # -- what the models do --------------------------------------------------------------------------

    async def _chat(self, model: OllamaModel, body: dict[str, Any]) -> Reply:
        messages = body.get("messages") or []
        if not messages:
            return await self._load_or_unload(model, body, "chat")
        self._demand(model, "completion", "chat")
        if body.get("tools"):
            self._demand(model, "tools", "tools")
        if body.get("think"):
            self._demand(model, "thinking", "thinking")
        text = "".join(message.get("content", "") for message in messages)
        timing = await self._evaluate(model, body, tokens_of(text))
        shape = body.get("format")
        if shape not in (None, "", "json") and not isinstance(shape, dict):
            quoted = msgspec.json.encode(msgspec.json.encode(shape).decode()).decode()
            raise _RefusedError(500, f'invalid format: {quoted}; expected "json" or a valid JSON Schema object')
        return self._speak(body, timing, generate=False)

    async def _generate(self, model: OllamaModel, body: dict[str, Any]) -> Reply:
        if not body.get("prompt"):
            return await self._load_or_unload(model, body, "generate")
        self._demand(model, "completion", "generate")
        if body.get("suffix"):
            self._demand(model, "insert", "insert")
        text = body.get("system", "") + body["prompt"] + (body.get("suffix") or "")
        timing = await self._evaluate(model, body, tokens_of(text))
        return self._speak(body, timing, generate=True)

    async def _embed(self, model: OllamaModel, body: dict[str, Any]) -> Reply:
        inputs = body.get("input", [])
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        counts = [tokens_of(text) for text in texts]
        load_seconds = await self._load(model, body)
        window = min(model.loaded_context or 0, model.context_length)
        if any(count > window for count in counts) and body.get("truncate") is False:
            raise _RefusedError(400, "the input length exceeds the context length")
        size = body.get("dimensions") or model.embedding_length
        vectors = [[(len(text) + place) / 16 for place in range(size)] for text in texts]
        timing = Timing(sum(min(count, window) for count in counts), 0, load_seconds).fields()
        timing.pop("prompt_eval_duration", None)
        return Reply.json({"model": body["model"], "embeddings": vectors, **timing})

    def _speak(self, body: dict[str, Any], timing: Timing, *, generate: bool) -> Reply:
        turn = self.turns.popleft() if self.turns else self.turn
        timing = msgspec.structs.replace(timing, output_tokens=turn.tokens)
        if body.get("stream", True):
            return Reply.ndjson(turn.lines(body["model"], timing, generate=generate), gap_seconds=turn.gap_seconds)
        if turn.error_after is not None:
            return Reply.ollama_error(500, turn.error_text)
        whole = Reply.json(turn.whole(body["model"], timing, generate=generate))
        gaps = turn.gap_seconds * (len(turn.pieces) - 1)
        return whole.after(gaps) if gaps > 0 else whole

    async def _evaluate(self, model: OllamaModel, body: dict[str, Any], tokens: int) -> Timing:
        load_seconds = await self._load(model, body)
        window = model.loaded_context or 0
        if tokens > window:
            if body.get("truncate") is False or body.get("shift") is False:
                text = "the prompt is longer than the context length currently available"
                raise _RefusedError(400, f"{text} ({tokens} > {window})")
            self.cut.append((tokens, window))
            tokens = window
        return Timing(tokens, 0, load_seconds)

    async def _load(self, model: OllamaModel, body: dict[str, Any]) -> float:
        wanted = (body.get("options") or {}).get("num_ctx") or min(self.default_context, model.context_length)
        # Who wants a model that is being loaded waits for that, and has it loaded anew if it is broken off.
        async with self._locks.setdefault(model.name, asyncio.Lock()):
            if model.loaded_context == wanted:
                return _LOOKUP_SECONDS
            model.loaded_context = None
            model.loads_begun += 1
            if model.load_gate is not None:
                await model.load_gate.passed()
            await asyncio.sleep(model.load_seconds)
            model.loaded_context = wanted
            model.loads += 1
        return model.load_seconds or _LOOKUP_SECONDS

    async def _load_or_unload(self, model: OllamaModel, body: dict[str, Any], way: str) -> Reply:
        unload = body.get("keep_alive") in (0, "0", "0s")
        if unload:
            model.loaded_context = None
        else:
            await self._load(model, body)
        turn = Turn(pieces=(), done_reason="unload" if unload else "load")
        return Reply.json(turn.whole(body["model"], Timing(0, 0), generate=way == "generate"))

    # -- what they refuse ----------------------------------------------------------------------------

    def _find(self, body: dict[str, Any]) -> OllamaModel:
        name = body.get("model") or body.get("name")
        if not name:
            raise _RefusedError(400, "model is required")
        model = self.models.get(name if ":" in name else f"{name}:latest")
        if model is None:
            raise _RefusedError(404, f"model '{name}' not found")
        return model

    @staticmethod
    def _demand(model: OllamaModel, capability: str, way: str) -> None:
        if capability not in model.capabilities:
            # What is looked for while the model is scheduled is told under its whole name.
            name = f"registry.ollama.ai/library/{model.tagged}" if way in {"tools", "insert"} else f'"{model.name}"'
            raise _RefusedError(400, f"{name} does not support {way}")


def _object(request: RecordedRequest) -> dict[str, Any]:
    try:
        body = request.json()
    except msgspec.DecodeError as problem:
        raise _RefusedError(400, str(problem)) from problem
    if not isinstance(body, dict):
        raise _RefusedError(400, "json: cannot unmarshal array into Go value of type api.ChatRequest")
    return body


def _is_local(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]").lower()
    if name in {"", "localhost"} or name.endswith(_LOCAL_ENDINGS):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified
