"""Which paths the gateway answers itself, and how a model's name may stand in one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

from pointsman.core.exchange import ClientDialect, InferenceRoute
from pointsman.core.upstream import Operation

__all__ = ["PathTable", "query_key"]

_OPENAI: Final = (b"", b"/v1", b"/openai", b"/openai/v1")
_OLLAMA: Final = (b"/api",)
_ANTHROPIC: Final = (b"/v1", b"/anthropic/v1")
_ANY_METHOD: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"})
"""Without HEAD, whose answer looks as if a body were to follow."""
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
    """Finds the route of a request target. ``dialects`` gives the dialect of each operation that is served here.

    ``passages`` are providers whose own API is below ``/{provider}/``, and the dialect in which errors of ours are told
    there; paths of ``taken`` are somebody else's.
    """

    def __init__(
        self,
        dialects: Mapping[Operation, ClientDialect],
        passages: Mapping[str, ClientDialect] | None = None,
        taken: Collection[str] = (),
    ) -> None:
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
        self._taken = frozenset(path.encode() for path in taken)
        self._passages = {
            name.encode(): InferenceRoute(Operation.PASS_THROUGH, dialect, f"/{name}/{{path}}", _ANY_METHOD)
            for name, dialect in (passages or {}).items()
        }

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
        return self._passage(target, path)

    def _passage(self, target: bytes, path: bytes) -> tuple[InferenceRoute, str] | None:
        """A provider's own API; what stands for the model is provider, path and query."""
        provider, slash, rest = path[1:].partition(b"/")
        route = self._passages.get(provider)
        if route is None or not slash or not rest or not path.startswith(b"/") or path in self._taken:
            return None
        query = target.partition(b"?")[2]
        return route, (path[1:] + b"?" + query if query else path[1:]).decode("latin-1")

    def _with_model(self, rest: bytes) -> tuple[InferenceRoute, str | None] | None:
        for suffix, route in self._suffixes:
            if rest.endswith(suffix) and len(rest) > len(suffix):
                return route, unquote(rest[: -len(suffix)].decode("latin-1"))
        return None


def query_key(target: bytes) -> bytes:
    """The key in the query of a target, where Google's clients put it; empty if there is none."""
    for field in target.partition(b"?")[2].split(b"&"):
        if field.startswith(b"key="):
            return unquote_to_bytes(field[4:])
    return b""
