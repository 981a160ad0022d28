"""Errors for clients of Ollama: ``{"error": "text"}``, as a body, or as a line of a stream that has begun.

Source: Ollama's ``docs/api.md``, "Errors". There is no place for a code; the HTTP status is all that tells kinds apart.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import GatewayError

__all__ = ["write_error"]

_encode: Final = msgspec.json.Encoder().encode


def write_error(error: GatewayError, call_id: str = "") -> bytes:  # noqa: ARG001 - no place for it here
    """The body of an error answer. ``call_id`` is what every dialect is given."""
    return _encode({"error": error.told().encode("utf-8", "replace").decode()})
