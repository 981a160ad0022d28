"""Which paths the gateway answers itself, and how a model's name may stand in one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qs, unquote

from pointsman.core.exchange import ClientDialect, InferenceRoute
from pointsman.core.upstream import Operation

__all__ = ["PathTable"]

_OPENAI: Final = (b"", b"/v1", b"/openai", b"/openai/v1")
_OLLAMA: Final = (b"/api",)
_ANTHROPIC: Final = (b"/v1", b"/anthropic/v1")
_ANY_METHOD: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"})
"""Without HEAD, whose answer looks as if a body were to follow."""
_RERANK: Final = (b"", b"/v1", b"/v2")
_OPERATIONS: Final = (
    ("/chat/completions", Operation.CHAT, _OPENAI),
    ("/completions", Operation.COMPLETION, _OPENAI),
    ("/embeddings", Operation.EMBEDDING, _OPENAI),
    ("/responses", Operation.RESPONSES, _OPENAI),
    ("/responses/compact", Operation.COMPACTION, _OPENAI),
    ("/messages", Operation.MESSAGES, _ANTHROPIC),
    ("/chat", Operation.OLLAMA_CHAT, _OLLAMA),
    ("/generate", Operation.OLLAMA_GENERATE, _OLLAMA),
    ("/embed", Operation.OLLAMA_EMBED, _OLLAMA),
    ("/embeddings", Operation.OLLAMA_EMBEDDINGS, _OLLAMA),
    ("/images/generations", Operation.IMAGE, _OPENAI),
    ("/images/edits", Operation.IMAGE_EDIT, _OPENAI),
    ("/images/variations", Operation.IMAGE_VARIATION, _OPENAI),
    ("/audio/speech", Operation.SPEECH, _OPENAI),
    ("/audio/transcriptions", Operation.TRANSCRIPTION, _OPENAI),
    ("/audio/translations", Operation.TRANSLATION, _OPENAI),
    ("/moderations", Operation.MODERATION, _OPENAI),
    ("/rerank", Operation.RERANK, _RERANK),
)
"""What the last part of a path asks for, and the first parts that it may have."""

_MODEL_PREFIXES: Final = (b"/openai/deployments/", b"/engines/", b"/v1/engines/")
_GEMINI_PREFIXES: Final = (b"/v1beta/", b"/v1/", b"/v1alpha/", b"/gemini/v1beta/", b"/gemini/v1/")
_GEMINI_KINDS: Final = (b"models/", b"tunedModels/")
_GEMINI_VERBS: Final = {
    "generateContent": Operation.GEMINI_CHAT,
    "streamGenerateContent": Operation.GEMINI_STREAM,
    "embedContent": Operation.GEMINI_EMBED,
    "batchEmbedContents": Operation.GEMINI_BATCH_EMBED,
}
"""What follows the model in a path of Gemini's, behind a colon: https://ai.google.dev/api."""
_ARRAY_STREAM: Final = ":streamGenerateContent"


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
        for suffix, operation, prefixes in _OPERATIONS:
            if operation not in dialects:
                continue
            name = f"/api{suffix}" if prefixes is _OLLAMA else suffix
            plain = [prefix + suffix.encode() for prefix in prefixes]
            named = [f"{prefix.decode()}{{model}}{suffix}" for prefix in _MODEL_PREFIXES if prefixes is _OPENAI]
            paths = (*(path.decode() for path in plain), *named)
            route = InferenceRoute(operation, dialects[operation], name, paths=paths)
            self._static.update(dict.fromkeys(plain, route))
            if prefixes is _OPENAI:
                suffixes.append((suffix.encode(), route))
        self._suffixes = tuple(suffixes)
        self._taken = tuple(_path_pattern(path) for path in taken)
        self._passages = {
            name.encode(): InferenceRoute(
                Operation.PASS_THROUGH,
                dialect,
                f"/{name}/{{path}}",
                key_in_query=True,
                methods=_ANY_METHOD,
                paths=(f"/{name}/{{path}}",),
            )
            for name, dialect in (passages or {}).items()
        }
        self._verbs = {
            verb: InferenceRoute(
                operation, dialects[operation], f":{verb}", key_in_query=True, paths=_gemini_paths(verb)
            )
            for verb, operation in _GEMINI_VERBS.items()
            if operation in dialects
        }
        array = Operation.GEMINI_ARRAY_STREAM
        self._array_stream = (
            InferenceRoute(
                array, dialects[array], _ARRAY_STREAM, key_in_query=True, paths=_gemini_paths(_ARRAY_STREAM[1:])
            )
            if array in dialects
            else None
        )

    @property
    def documented(self) -> tuple[tuple[str, Operation], ...]:
        """Every path and its operation; ``{model}`` stands for the model in a path."""
        static = [(path.decode(), route.operation) for path, route in self._static.items()]
        named = [
            (f"{prefix.decode()}{{model}}{suffix.decode()}", route.operation)
            for prefix in _MODEL_PREFIXES
            for suffix, route in self._suffixes
        ]
        gemini = [
            (f"{prefix.decode()}models/{{model}}:{verb}", route.operation)
            for prefix in _GEMINI_PREFIXES
            for verb, route in self._verbs.items()
        ]
        return (*static, *named, *gemini)

    def find(self, target: bytes) -> tuple[InferenceRoute, str | None] | None:
        """The route of a request target and the model named in its path, or None: not ours."""
        route = self._static.get(target)
        if route is not None:
            return route, None
        path, _, query = target.partition(b"?")
        if path.startswith((b"http://", b"https://")):
            path = b"/" + path.split(b"/", 3)[-1]
        route = self._static.get(path)
        if route is not None:
            return route, None
        for prefix in _MODEL_PREFIXES:
            if path.startswith(prefix):
                return self._with_model(path[len(prefix) :])
        return self._of_gemini(path, query) or self._passage(path, query)

    def _passage(self, path: bytes, query: bytes) -> tuple[InferenceRoute, str] | None:
        """A provider's own API; what stands for the model is provider, path and query."""
        provider, slash, rest = path[1:].partition(b"/")
        route = self._passages.get(provider)
        if route is None or not slash or not rest or not path.startswith(b"/"):
            return None
        plain = unquote(path.decode("latin-1"))
        if any(pattern.fullmatch(plain) for pattern in self._taken):
            return None
        return route, (path[1:] + b"?" + query if query else path[1:]).decode("latin-1")

    def _with_model(self, rest: bytes) -> tuple[InferenceRoute, str | None] | None:
        for suffix, route in self._suffixes:
            if rest.endswith(suffix) and len(rest) > len(suffix):
                return route, unquote(rest[: -len(suffix)].decode("latin-1"))
        return None

    def _of_gemini(self, path: bytes, query: bytes) -> tuple[InferenceRoute, str | None] | None:
        """Google's SDK writes the colon as ``%3A`` where it stands in what it takes for a model's name."""
        for prefix in _GEMINI_PREFIXES:
            if not path.startswith(prefix):
                continue
            rest = path[len(prefix) :]
            if not rest.startswith(_GEMINI_KINDS):
                continue
            model, _, verb = unquote(rest.decode("latin-1")).rpartition(":")
            route = self._verbs.get(verb)
            model = model.removeprefix("models/")
            if route is None or not model:
                return None
            if route.operation is Operation.GEMINI_STREAM and not _wants_events(query):
                route = self._array_stream or route
            return route, model
        return None


def _gemini_paths(verb: str) -> tuple[str, ...]:
    return tuple(f"{prefix.decode()}models/{{model}}:{verb}" for prefix in _GEMINI_PREFIXES)


def _wants_events(query: bytes) -> bool:
    said = parse_qs(query.decode("latin-1")).get("alt", [""])
    return said[-1].lower() == "sse"


def _path_pattern(path: str) -> re.Pattern[str]:
    """A path of Starlette's, whose parameters stand in braces, as a pattern."""
    literal = re.split(r"(\{[^}]*\})", path)
    kinds = (
        ".+" if part.endswith(":path}") else "[^/]+" if part.startswith("{") else re.escape(part) for part in literal
    )
    return re.compile("".join(kinds))
