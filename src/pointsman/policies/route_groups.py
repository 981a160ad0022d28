"""Which routes a key may call: LiteLLM's ``allowed_routes``, by groups of routes, by path, and by beginnings of paths.

What is compared are the paths that a route is written down with, ``/key/{key}/regenerate`` and the like, never the text
of a URL: whoever calls the route under another of its paths, or with another spelling, calls the same route.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pointsman.core.errors import Forbidden

__all__ = ["KEY_TYPES", "ROUTE_GROUPS", "RoutePermit", "is_within"]

_OPENAI: Final = (
    "/chat/completions", "/v1/chat/completions", "/completions", "/v1/completions", "/embeddings", "/v1/embeddings",
    "/engines/{model}/chat/completions", "/engines/{model}/completions", "/openai/deployments/{model}/chat/completions",
    "/openai/deployments/{model}/completions", "/openai/deployments/{model}/embeddings", "/images/generations",
    "/v1/images/generations", "/images/edits", "/v1/images/edits", "/images/variations", "/v1/images/variations",
    "/audio/transcriptions", "/v1/audio/transcriptions", "/audio/translations", "/v1/audio/translations",
    "/audio/speech", "/v1/audio/speech", "/moderations", "/v1/moderations", "/rerank", "/v1/rerank", "/v2/rerank",
    "/models", "/v1/models", "/models/{model}", "/v1/models/{model}", "/utils/token_counter",
    "/utils/transform_request", "/utils/supported_openai_params", "/routing/explain", "/responses", "/v1/responses",
    "/responses/*", "/v1/responses/*", "/openai/v1/responses", "/openai/v1/responses/*", "/conversations",
    "/v1/conversations", "/conversations/*", "/v1/conversations/*", "/realtime", "/v1/realtime", "/openai/v1/realtime",
    "/realtime/*", "/v1/realtime/*", "/files", "/v1/files", "/files/*", "/v1/files/*", "/batches", "/v1/batches",
    "/batches/*", "/v1/batches/*", "/fine_tuning/*", "/v1/fine_tuning/*", "/vector_stores", "/v1/vector_stores",
    "/vector_stores/*", "/v1/vector_stores/*",
)  # fmt: skip
_ANTHROPIC: Final = ("/v1/messages", "/v1/messages/count_tokens", "/anthropic/v1/messages", "/anthropic/v1/messages/*")
_GOOGLE: Final = ("/v1beta/*", "/v1alpha/*", "/gemini/v1beta/*", "/gemini/v1/*", "/v1/models/{model}:*")
_OLLAMA: Final = (
    "/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/tags", "/api/show", "/api/ps", "/api/version",
)  # fmt: skip
_PASS_THROUGH: Final = tuple(
    f"/{provider}/*"
    for provider in (
        "bedrock", "vertex-ai", "vertex_ai", "cohere", "gemini", "anthropic", "azure", "azure_ai", "openai",
        "openai_passthrough", "assemblyai", "vllm", "mistral", "ollama", "groq", "deepseek", "openrouter", "xai",
    )
)  # fmt: skip
_INFO: Final = (
    "/key/info", "/v2/key/info", "/key/list", "/key/health", "/team/info", "/team/list", "/v2/team/list",
    "/team/available", "/organization/list", "/organization/info", "/user/info", "/v2/user/info", "/model/info",
    "/v1/model/info", "/v2/model/info", "/model_group/info", "/health", "/health/latest", "/health/history",
    "/models", "/v1/models", "/models/{model}", "/v1/models/{model}", "/queue", "/session",
)  # fmt: skip
_KEYS: Final = ("/key/*", "/v2/key/info", "/key/{key}/regenerate", "/key/{key}/reset_spend")
_MANAGEMENT: Final = (
    *_KEYS, "/user/*", "/v2/user/info", "/team/*", "/v2/team/list", "/organization/*", "/budget/*", "/customer/*",
    "/end_user/*", "/tag/*", "/access_group/*", "/model/*", "/v1/model/info", "/v2/model/info", "/credentials",
    "/credentials/*", "/invitation/*", "/jwt/key/mapping/*", "/audit", "/audit/*",
)  # fmt: skip
_SPEND: Final = (
    "/spend/*", "/key/spend/report", "/user/spend/report", "/team/spend/report", "/organization/spend/report",
    "/cost/estimate", "/provider/budgets",
)  # fmt: skip
_GLOBAL_SPEND: Final = ("/global/spend", "/global/spend/*", "/global/predict/spend/logs")
_PUBLIC: Final = (
    "/",
    "/routes",
    "/health/liveliness",
    "/health/liveness",
    "/health/readiness",
    "/docs",
    "/openapi.json",
)
_LLM_API: Final = (
    *_OPENAI, *_ANTHROPIC, *_GOOGLE, *_OLLAMA, *_PASS_THROUGH, "/model/info", "/v1/model/info", "/model_group/info",
)  # fmt: skip

ROUTE_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "openai_routes": _OPENAI,
    "anthropic_routes": _ANTHROPIC,
    "google_routes": _GOOGLE,
    "ollama_routes": _OLLAMA,
    "mapped_pass_through_routes": _PASS_THROUGH,
    "llm_api_routes": _LLM_API,
    "info_routes": _INFO,
    "key_management_routes": _KEYS,
    "management_routes": _MANAGEMENT,
    "spend_tracking_routes": _SPEND,
    "global_spend_tracking_routes": _GLOBAL_SPEND,
    "public_routes": _PUBLIC,
    "internal_user_routes": (*_KEYS, *_SPEND, *_INFO),
    "ui_routes": (*_INFO, *_SPEND, *_GLOBAL_SPEND, "/session", "/logout"),
    "mcp_routes": ("/mcp", "/mcp/*", "/v1/mcp/*", "/mcp-rest/*"),
    "agent_routes": ("/agents", "/v1/agents", "/v1/agents/*", "/a2a/*"),
}
"""LiteLLM's groups, as far as there are such routes here, and one for Ollama's API."""

KEY_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "default": (),
    "llm_api": ("llm_api_routes",),
    "management": ("management_routes",),
    "read_only": ("info_routes",),
}
"""What ``key_type`` of a new key means for its ``allowed_routes``."""

_PARAMETER: Final = re.compile(r"\{[^}]*\}")
_ROUTES_KNOWN_MAX: Final = 1_000


class RoutePermit:
    """The routes that somebody may call; nobody gets one who may call all."""

    __slots__ = ("_answers", "_exact", "_starts", "allowed")

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        patterns = [_plain(path) for entry in self.allowed for path in ROUTE_GROUPS.get(entry, (entry,))]
        self._exact = frozenset(path for path in patterns if not path.endswith("*"))
        self._starts = tuple(path[:-1] for path in patterns if path.endswith("*"))
        self._answers: dict[str, bool] = {}

    def permits(self, name: str, paths: Iterable[str]) -> bool:
        """Whether the route may be called that is written down with these paths. ``name`` tells it from all others."""
        answer = self._answers.get(name)
        if answer is None:
            plain = [_plain(path) for path in paths]
            answer = any(path in self._exact or path.startswith(self._starts) for path in plain)
            if len(self._answers) < _ROUTES_KNOWN_MAX:
                self._answers[name] = answer
        return answer

    def demand(self, name: str, paths: Iterable[str]) -> None:
        """Raise unless the route may be called.

        Raises:
            Forbidden: it may not (403, as LiteLLM).
        """
        if not self.permits(name, paths):
            raise Forbidden(
                "This key may not call this route.",
                hint=f"It may call: {', '.join(self.allowed[:10]) or 'none'}.",
                code="route_not_allowed",
                kind="auth_error",
            )


def is_within(wanted: Iterable[str], granted: Iterable[str]) -> bool:
    """Whether routes that are to be given away are no more than whoever gives them has. Nothing means all."""
    wanted, granted = tuple(wanted), tuple(granted)
    if not granted:
        return True
    permit = RoutePermit(granted)
    paths = [path for entry in wanted for path in ROUTE_GROUPS.get(entry, (entry,))]
    return bool(wanted) and all(_covers(permit, path) for path in paths)


def _covers(permit: RoutePermit, path: str) -> bool:
    plain = _plain(path)
    return permit.permits(f"pattern {plain}", (plain,)) if not plain.endswith("*") else _has_start(permit, plain[:-1])


def _has_start(permit: RoutePermit, start: str) -> bool:
    return permit.permits(f"pattern {start}*", (f"{start}\x00",))


def _plain(path: str) -> str:
    return _PARAMETER.sub("{}", path)
