"""Errors of the Responses API: in an answer, in a stream, and in a response object.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (error, response.failed). An error answer
has the shape of the whole OpenAI family.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError
from pointsman.dialects.openai_errors import read_error
from pointsman.dialects.openai_fields import write_error

__all__ = ["read_error", "status_of", "write_error", "write_failure", "write_stream_error"]

_encode: Final = msgspec.json.Encoder().encode

_CODES: Final = {
    "context_length_exceeded": "context_length_exceeded",
    "insufficient_quota": "insufficient_quota",
    "budget_exceeded": "insufficient_quota",
}
"""Codes that are not of OpenAI's list for this place, but that OpenAI sends and Codex knows here."""

_STATUSES: Final = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
}


def status_of(code: object) -> int:
    """What an upstream's code means as a status of HTTP, which tells whether another upstream may be tried."""
    return _STATUSES.get(code, Broken.default_status) if isinstance(code, str) else Broken.default_status


def write_stream_error(error: GatewayError, sequence_number: int = 0) -> bytes:
    """An error in a stream that has no response object to carry it, and the end of that stream."""
    data = _encode({
        "type": "error",
        "code": error.code,
        "message": _words(error),
        "param": error.param,
        "sequence_number": sequence_number,
    })  # fmt: skip
    return b"event: error\ndata: %b\n\n" % data


def write_failure(error: GatewayError) -> dict[str, object]:
    """``error`` of a response that failed, to be encoded.

    OpenAI knows few codes here; Codex tells by them whether to try again. Ours stands beside as ``type``.
    """
    code = _CODES.get(error.code)
    if code is None and error.status == 429:
        code = "rate_limit_exceeded"
    elif code is None:
        code = "invalid_prompt" if 400 <= error.status < 500 and error.status != 408 else "server_error"
    return {"code": code, "message": _words(error), "param": error.param, "type": error.code}


def _words(error: GatewayError) -> str:
    return error.told().encode("utf-8", "replace").decode()
