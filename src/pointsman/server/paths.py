"""Which paths the gateway answers itself, and how a model's name may stand in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from pointsman.core.exchange import ClientDialect, InferenceRoute
from pointsman.core.upstream import Operation

__all__ = ["PathTable"]

_OPERATIONS: Final = {
    "/chat/completions": Operation.CHAT,
    "/completions": Operation.COMPLETION,
    "/embeddings": Operation.EMBEDDING,
}
_MODEL_PREFIXES: Final = (b"/openai/deployments/", b"/engines/", b"/v1/engines/")


class PathTable:
    """Finds the route of a request target. ``dialects`` gives the dialect of each operation that is served here."""

    def __init__(self, dialects: Mapping[Operation, ClientDialect]) -> None:
        routes = {
            suffix: InferenceRoute(operation, dialects[operation], suffix)
            for suffix, operation in _OPERATIONS.items()
            if operation in dialects
        }
        self._static = {
            prefix + suffix.encode(): route
            for suffix, route in routes.items()
            for prefix in (b"", b"/v1", b"/openai", b"/openai/v1")
        }
        self._suffixes = tuple((suffix.encode(), route) for suffix, route in routes.items())

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
