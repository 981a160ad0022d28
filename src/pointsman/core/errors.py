"""Every failure the gateway can tell a client or an operator about, as one shallow tree.

::

    GatewayError            .code .status .message .hint .retry_after
    ├── Refused             ours, before any upstream was asked
    │   ├── Unauthenticated     401   ├── Forbidden       403
    │   ├── Malformed           400   ├── Unsupported     400
    │   ├── NotFound            404   ├── LimitReached    429
    │   ├── BudgetExceeded      422   └── Blocked         400
    ├── UpstreamFailed      theirs
    │   ├── Unreachable         503   ├── TimedOut        408
    │   ├── Rejected        their 4xx ├── Overloaded      429 or 503
    │   │                                   └── Crowded   429, by a bound of ours
    │   └── Broken              502
    ├── StorageUnavailable  503
    └── Misconfigured       the operator's; raised at start or reload, never during a request

``status`` values follow LiteLLM 1.109.1, ``code`` is the string OpenAI clients switch on. Dialects
render an error; nobody else builds an error body.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "Blocked", "Broken", "BudgetExceeded", "Crowded", "Forbidden", "GatewayError", "LimitReached", "Malformed",
    "Misconfigured", "NotFound", "Overloaded", "Refused", "Rejected", "StorageUnavailable", "TimedOut",
    "Unauthenticated", "Unreachable", "Unsupported", "UpstreamFailed",
]  # fmt: skip


class GatewayError(Exception):
    """What happened, where, and what to do next.

    Attributes:
        message: What happened, in one sentence fit for the client.
        hint: What the reader can do about it, or None.
        param: The request field at fault (``messages[3].content``), or None.
        status: HTTP status.
        code: Machine-readable reason, e.g. ``context_length_exceeded``.
        kind: The ``error.type`` of OpenAI's and LiteLLM's error body.
        retry_after: Seconds after which a retry makes sense, or None.
    """

    default_status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"
    default_kind: ClassVar[str] = "internal_server_error"
    request_id: str | None = None  # the upstream's own, where it told one

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        param: str | None = None,
        status: int | None = None,
        code: str | None = None,
        kind: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param
        self.status = self.default_status if status is None else status
        self.code = self.default_code if code is None else code
        self.kind = self.default_kind if kind is None else kind
        self.retry_after = retry_after

    def told(self) -> str:
        """The message with its hint, as one line for a client or a log."""
        stop = "" if self.message.endswith((".", "!", "?", ":")) else "."
        return f"{self.message}{stop} {self.hint}" if self.hint else self.message


class Refused(GatewayError):
    """We said no before any upstream was asked."""

    default_status = 400
    default_code = "bad_request"
    default_kind = "invalid_request_error"


class Unauthenticated(Refused):
    """No key, an unknown key or an expired one."""

    default_status = 401
    default_code = "invalid_api_key"
    default_kind = "auth_error"


class Forbidden(Refused):
    """The key is good, but not for this."""

    default_status = 403
    default_code = "permission_denied"
    default_kind = "permission_error"


class Malformed(Refused):
    """The request cannot be read, or a field has a wrong type or value."""

    default_code = "invalid_request"


class Unsupported(Refused):
    """The request is well-formed, but the chosen model or provider cannot express it."""

    default_code = "unsupported_parameter"


class NotFound(Refused):
    """No such route or object of ours."""

    default_status = 404
    default_code = "not_found"
    default_kind = "not_found_error"


class LimitReached(Refused):
    """A rate or concurrency limit of ours; ``retry_after`` is always set.

    Attributes:
        limit_kind: ``requests``, ``tokens``, ``input_tokens``, ``output_tokens``, ``max_parallel_requests`` or None.
        limit: How much it allows.
        left: How much of that is left.
    """

    limit_kind: str | None = None
    limit: int = 0
    left: int = 0
    default_status = 429
    default_code = "rate_limit_exceeded"
    default_kind = "rate_limit_error"


class BudgetExceeded(Refused):
    """A spending limit of ours. 422 as in LiteLLM 1.109.1, so that clients do not retry it."""

    default_status = 422
    default_code = "budget_exceeded"
    default_kind = "budget_exceeded"


class Blocked(Refused):
    """A guardrail said no."""

    default_code = "content_blocked"


class UpstreamFailed(GatewayError):
    """The upstream could not be reached, refused or broke off.

    Attributes:
        sent: Whether request bytes may have reached the upstream; a retry is only free when False.
        slow: Whether it took all the time there was to find out; another attempt may take as long.
    """

    default_status = 502
    default_code = "upstream_error"
    default_kind = "api_error"
    sent: bool = True
    slow: bool = False


class Unreachable(UpstreamFailed):
    """No connection: name not found, refused, or the connect timeout."""

    default_status = 503
    default_code = "upstream_unreachable"
    sent = False


class TimedOut(UpstreamFailed):
    """Connected, but silent for longer than the phase allows. 408 as in LiteLLM 1.109.1."""

    slow = True
    default_status = 408
    default_code = "upstream_timeout"
    default_kind = "timeout_error"


class Rejected(UpstreamFailed):
    """The upstream answered 4xx; ``status`` is its own."""

    default_status = 400
    default_code = "upstream_rejected"
    default_kind = "invalid_request_error"


class Overloaded(UpstreamFailed):
    """The upstream answered 429, 503 or 529."""

    default_status = 429
    default_code = "upstream_overloaded"
    default_kind = "rate_limit_error"


class Crowded(Overloaded):
    """The upstream has as many requests of ours as the operator allows; nothing was sent, and it is not to blame."""

    default_code = "bulkhead_full"
    sent = False


class Broken(UpstreamFailed):
    """The upstream answered 5xx, sent what cannot be read, or cut the answer off."""

    default_code = "upstream_broken"


class StorageUnavailable(GatewayError):
    """Our own database cannot answer. ``detail`` is for operators alone, since it may tell addresses and paths."""

    detail: str = ""
    default_status = 503
    default_code = "storage_unavailable"
    default_kind = "no_db_connection"


class Misconfigured(GatewayError):
    """The operator's configuration is wrong; the message names file, line and column where known."""

    default_code = "misconfigured"
