"""Kinds of failure, in the words in which LiteLLM's ``retry_policy`` and ``allowed_fails_policy`` speak of them."""

from __future__ import annotations

from enum import Enum
from typing import Final

from pointsman.core.errors import GatewayError

__all__ = ["CLIENT_TIMEOUT", "CONTEXT_LENGTH", "Failure", "kind_of"]

CONTEXT_LENGTH: Final = "context_length_exceeded"
"""The code of an error about a prompt that is too long for the model."""
CLIENT_TIMEOUT: Final = "client_timeout"
"""The code of the failure of an upstream that took longer than the client lets it."""

_POLICY: Final = frozenset({
    "content_blocked", "content_filter", "content_policy_violation", "invalid_prompt", "moderation_blocked",
})  # fmt: skip
"""Codes of errors about what may not be asked: OpenAI's, Azure's, ours."""


class Failure(Enum):
    """The value is how LiteLLM's names of settings begin, as in ``RateLimitErrorRetries``."""

    BAD_REQUEST = "BadRequestError"
    AUTHENTICATION = "AuthenticationError"
    NOT_FOUND = "NotFoundError"
    TIMEOUT = "TimeoutError"
    RATE_LIMIT = "RateLimitError"
    CONTENT_POLICY = "ContentPolicyViolationError"
    INTERNAL = "InternalServerError"
    BAD_GATEWAY = "BadGatewayError"
    UNAVAILABLE = "ServiceUnavailableError"
    OTHER = "Default"


_BY_STATUS: Final = {
    400: Failure.BAD_REQUEST,
    401: Failure.AUTHENTICATION,
    403: Failure.AUTHENTICATION,
    404: Failure.NOT_FOUND,
    408: Failure.TIMEOUT,
    413: Failure.BAD_REQUEST,
    422: Failure.BAD_REQUEST,
    429: Failure.RATE_LIMIT,
    502: Failure.BAD_GATEWAY,
    503: Failure.UNAVAILABLE,
    504: Failure.TIMEOUT,
    529: Failure.UNAVAILABLE,
}
_FIRST_SERVER_STATUS: Final = 500


def kind_of(error: GatewayError) -> Failure:
    """What kind of failure ``error`` is."""
    if error.code in _POLICY:
        return Failure.CONTENT_POLICY
    usual = Failure.INTERNAL if error.status >= _FIRST_SERVER_STATUS else Failure.OTHER
    return _BY_STATUS.get(error.status, usual)
