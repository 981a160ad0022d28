"""Which paths the gateway answers itself, and how a model's name may stand in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from pointsman.core.exchange import ClientDialect, InferenceRoute
from pointsman.core.upstream import Operation

__all__ = ["PathTable"]

_OPENAI: Final = (b"", b"/v1", b"/openai", b"/openai/v1")
_OLLAMA: Final = (b"/api",)
_ANTHROPIC: Final = (b"/v1", b"/anthropic/v1")
_RERANK: Final = (b"", b"/v1", b"/v2")
_OPERATIONS: Final = {
    "/chat/completions": (Operation.CHAT, _OPENAI),
    "/completions": (Operation.COMPLETION, _OPENAI),
    "/embeddings": (Operation.EMBEDDING, _OPENAI),
    "/responses": (Operation.RESPONSES, _OPENAI),
    "/messages": (Operation.MESSAGES, _ANTHROPIC),
    "/chat": (Operation.OLLAMA_CHAT, _OLLAMA),
    "/images/generations": (Operation.IMAGE, _OPENAI),
    "/images/edits": (Operation.IMAGE_EDIT, _OPENAI),
    "/images/variations": (Operation.IMAGE_VARIATION, _OPENAI),
    "/audio/speech": (Operation.SPEECH, _OPENAI),
    "/audio/transcriptions": (Operation.TRANSCRIPTION, _OPENAI),
    "/audio/translations": (Operation.TRANSLATION, _OPENAI),
    "/moderations": (Operation.MODERATION, _OPENAI),
    "/rerank": (Operation.RERANK, _RERANK),
}
"""What the last part of a path asks for, and the first parts that it may have."""
_MODEL_PREFIXES: Final = (b"/openai/deployments/", b"/engines/", b"/v1/engines/")


class PathTable:
    """Finds the route of a request target. ``dialects`` gives the dialect of each operation that is served here."""

    def __init__(self, dialects: Mapping[Operation, ClientDialect]) -> None:
        self._static: dict[bytes, InferenceRoute] = {}
        suffixes: list[tuple[bytes, InferenceRoute]] = []
        for suffix, (operation, prefixes) in _OPERATIONS.items():
            if operation not in dialects:
                continue
            route = InferenceRoute(operation, dialects[operation], suffix)
            self._static.update({prefix + suffix.encode(): route for prefix in prefixes})
            if prefixes is _OPENAI:
                suffixes.append((suffix.encode(), route))
        self._suffixes = tuple(suffixes)

    @property
    def documented(self) -> tuple[tuple[str, Operation], ...]:
        """Every path and its operation; ``{model}`` stands for the model in a path."""
        static = [(path.decode(), route.operation) for path, route in self._static.items()]
        named = [
            (f"{prefix.decode()}{{model}}{suffix.decode()}", route.operation)
            for prefix in _MODEL_PREFIXES
            for suffix, route in self._suffixes
        ]
        return (*static, *named)

    def find(self, target: bytes) -> tuple[InferenceRoute, str | None] | None:
        """The route of a request target and the model named in its path, or None: not ours."""
        route = self._static.get(target)
        if route is not None:
            return route, None
        path = target.partition(b"?")[0]
        if path.startswith((b"http://", b"https://")):
            path = b"/" + path.split(b"/", 3)[-1]
        route = self._static.get(path)
        if route is not None:
            return route, None
        for prefix in _MODEL_PREFIXES:
            if path.startswith(prefix):
                return self._with_model(path[len(prefix) :])
        return None

    def _with_model(self, rest: bytes) -> tuple[InferenceRoute, str | None] | None:
        for suffix, route in self._suffixes:
            if rest.endswith(suffix) and len(rest) > len(suffix):
                return route, unquote(rest[: -len(suffix)].decode("latin-1"))
        return None
