"""Who may use a provider's own API with the operator's credentials: nobody but the operator, unless it is granted.

Such a request can do whatever the provider lets the operator do (delete files, train models), and a limit on models
cannot be told from most of it. So a virtual key needs ``allowed_passthrough_routes`` (LiteLLM's field), or the operator
opens it for all keys with ``pointsman.pass_through_for_all_keys``. ``denied_passthrough_routes`` wins over both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

import msgspec

from pointsman.core.errors import Forbidden
from pointsman.policies.principal import Principal

__all__ = ["demand_passage", "demand_undenied"]


_OLLAMA_MANAGEMENT: Final = re.compile(r"/ollama(?:_chat)?/api/(?:pull|push|create|copy|delete|blobs)\b", re.IGNORECASE)


class _Granted(msgspec.Struct):
    """The fields of a key that count here."""

    allowed_passthrough_routes: list[str] | None = None
    denied_passthrough_routes: list[str] | None = None


_decode: Final = msgspec.json.Decoder(_Granted).decode


def demand_passage(principal: Principal, path: str, *, for_all_keys: bool, manages_ollama: bool = False) -> None:
    """Raise unless the key may use ``path`` (``/anthropic/v1/files``), which has no query.

    Pulling, making and deleting models of Ollama is for administrators, and for them only where the operator allows it
    (``manages_ollama``), whatever else a key may: files of a host can be read and written with it.

    Raises:
        Forbidden: it may not.
    """
    path = unquote(path)  # as the provider will read it
    if _OLLAMA_MANAGEMENT.match(path) and not (principal.admin and manages_ollama):
        raise Forbidden(
            f"Models are not managed through {path}.",
            hint="An administrator may, where ollama_management: true stands under pointsman in the configuration.",
            code="model_management_disabled",
        )
    if principal.admin:
        return
    granted = _granted(principal)
    if not (for_all_keys or _covers(granted.allowed_passthrough_routes or (), path)):
        raise _forbidden(path)
    demand_undenied(principal, (path,))


def demand_undenied(principal: Principal, paths: Sequence[str]) -> None:
    """Raise if any of ``paths``, which all lead to the same place, is denied to the key; case does not matter.

    Raises:
        Forbidden: one is.
    """
    if principal.admin:
        return
    denied = [route.lower() for route in _granted(principal).denied_passthrough_routes or ()]
    for path in paths:
        if denied and _covers(denied, unquote(path).lower()):
            raise _forbidden(path)


def _granted(principal: Principal) -> _Granted:
    try:
        return _decode(principal.record.extra)
    except msgspec.MsgspecError:
        return _Granted()  # what cannot be read grants nothing


def _forbidden(path: str) -> Forbidden:
    return Forbidden(
        f"This key may not use {path}.",
        hint="The operator can grant it with the key's allowed_passthrough_routes.",
        code="pass_through_denied",
    )


def _covers(routes: Sequence[str], path: str) -> bool:
    """Whether one of the routes is the path, or stands above it; ``/x/*`` is ``/x`` and what is below."""
    return any(path == route or path.startswith(route + "/") for route in map(_plain, routes) if route)


def _plain(route: str) -> str:
    route = route.removesuffix("*").rstrip("/")
    return route if not route or route.startswith("/") else f"/{route}"
