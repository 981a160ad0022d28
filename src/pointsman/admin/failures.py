"""The one place where the management API turns a failure into an answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from difflib import get_close_matches
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pointsman.core.errors import GatewayError, Malformed, NotFound
from pointsman.dialects.anthropic_messages.errors import write_error as write_anthropic_error
from pointsman.dialects.gemini.errors import write_error as write_gemini_error
from pointsman.dialects.ollama.client_errors import write_error as write_ollama_error
from pointsman.dialects.openai_fields import write_error

__all__ = ["CALL_ID", "failure_handlers"]

CALL_ID: Final = "pointsman.call_id"
"""Where the id of a request is kept in its ASGI scope."""

_PATH_CHARACTERS_MAX: Final = 120
_ANTHROPIC_ENDING: Final = "/messages/count_tokens"
_OLLAMA_START: Final = "/api/"
_GEMINI_STARTS: Final = ("/v1beta/", "/v1alpha/", "/gemini/")
_GEMINI_ENDING: Final = ":countTokens"

_Handler = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


def failure_handlers(paths: tuple[str, ...]) -> Mapping[Any, _Handler]:
    """Starlette's ``exception_handlers``; ``paths`` are those worth hinting at where a path is unknown."""

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, GatewayError):
            raise error
        return _answer(request, error)

    async def not_routed(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        return _answer(request, _unrouted(request, error, paths), error.headers)

    async def our_mistake(request: Request, _error: Exception) -> Response:
        return _answer(request, GatewayError("The gateway made a mistake.", hint="Its log says which, by call id."))

    return {GatewayError: refused, HTTPException: not_routed, Exception: our_mistake}


def _answer(request: Request, error: GatewayError, headers: Mapping[str, str] | None = None) -> Response:
    body = _writer(request)(error, request.scope.get(CALL_ID, ""))
    answer = Response(body, error.status, headers=headers, media_type="application/json")
    if error.retry_after is not None:
        answer.headers["retry-after"] = str(max(1, round(error.retry_after)))
    if error.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


def _writer(request: Request) -> Callable[[GatewayError, str], bytes]:
    """Who writes the error: the dialect whose clients ask at such paths, or with such headers."""
    path = request.scope["path"]
    if path.endswith(_ANTHROPIC_ENDING) or "anthropic-version" in request.headers:
        return write_anthropic_error
    if path.startswith(_OLLAMA_START):
        return write_ollama_error
    if path.startswith(_GEMINI_STARTS) or path.endswith(_GEMINI_ENDING) or "x-goog-api-client" in request.headers:
        return write_gemini_error
    return write_error


def _unrouted(request: Request, error: HTTPException, paths: tuple[str, ...]) -> GatewayError:
    shown = request.scope["path"][:_PATH_CHARACTERS_MAX]
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return Malformed(
            f"{shown} does not take {request.method}.", hint=f"Use {allowed}.", status=405, code="method_not_allowed"
        )
    if error.status_code == 404:
        near = get_close_matches(shown, paths, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else "GET /docs lists what there is."
        return NotFound(f"There is nothing at {shown!r}.", hint=hint, code="route_not_found")
    return GatewayError(error.detail, status=error.status_code)
