"""The response headers of an answer, in LiteLLM's names: what never changes is made once per deployment."""

from __future__ import annotations

import re
from math import ceil
from typing import Final

from pointsman.core.outcome import CallRecord
from pointsman.core.price import PICODOLLARS_PER_DOLLAR
from pointsman.core.upstream import Deployment
from pointsman.policies.principal import Principal

__all__ = ["Heads", "clean"]

_HEADS_MAX: Final = 16_384
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/]*@")
_STREAM_LINES: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
    b"x-litellm-call-id: %b\r\n%b%b"
)
_WHOLE_LINES: Final = (
    b"content-type: application/json\r\n"
    b"x-litellm-call-id: %b\r\n"
    b"x-litellm-response-cost: %a\r\n"
    b"x-litellm-key-spend: %a\r\n"
    b"x-litellm-response-duration-ms: %.3f\r\n"
    b"x-litellm-overhead-duration-ms: %.3f\r\n"
    b"%b%b"
)


class Heads:
    """Makes header blocks; each line ends with CRLF, framing headers are the server's."""

    def __init__(self, version: str) -> None:
        self._version = f"x-litellm-version: {clean(version)}\r\n".encode("latin-1", "replace")
        self._known: dict[str, tuple[Deployment, bytes]] = {}

    def whole(self, record: CallRecord, deployment: Deployment, principal: Principal, milliseconds: float) -> bytes:
        """For an answer whose cost is known; ``milliseconds`` is the whole duration."""
        return _WHOLE_LINES % (
            record.call_id.encode(),
            record.cost / PICODOLLARS_PER_DOLLAR,
            principal.spent / PICODOLLARS_PER_DOLLAR,
            milliseconds,
            record.overhead_ms,
            self._deployment(deployment),
            _limits(principal) if principal.head else b"",
        )

    def stream(self, call_id: str, deployment: Deployment, principal: Principal) -> bytes:
        """For an answer that is just beginning."""
        limits = _limits(principal) if principal.head else b""
        return _STREAM_LINES % (call_id.encode(), self._deployment(deployment), limits)

    def error(self, call_id: str, retry_after: float | None, deployment: Deployment | None) -> bytes:
        """For an error answer."""
        lines = b"content-type: application/json\r\nx-litellm-call-id: %b\r\n%b" % (
            call_id.encode(),
            self._deployment(deployment) if deployment is not None else self._version,
        )
        return lines if retry_after is None else b"%bretry-after: %d\r\n" % (lines, max(1, ceil(retry_after)))

    def _deployment(self, deployment: Deployment) -> bytes:
        known = self._known.get(deployment.id)
        if known is not None and known[0] is deployment:
            return known[1]
        base = _CREDENTIALS.sub("", deployment.api_base.split("?", 1)[0])
        text = (
            f"x-litellm-model-id: {clean(deployment.id)}\r\n"
            f"x-litellm-model-group: {clean(deployment.group)}\r\n"
            f"x-litellm-model-name: {clean(deployment.litellm_model)}\r\n"
            f"x-litellm-model-api-base: {clean(base)}\r\n"
            "x-litellm-attempted-retries: 0\r\nx-litellm-attempted-fallbacks: 0\r\n"
        )
        lines = self._version + text.encode("latin-1", "replace")
        if len(self._known) >= _HEADS_MAX:
            self._known.clear()
        self._known[deployment.id] = (deployment, lines)
        return lines


def clean(text: str) -> str:
    """``text`` without what could end a header line."""
    return "".join(character if " " <= character != "\x7f" else "?" for character in text)


def _limits(principal: Principal) -> bytes:
    """What is left of the key's limits; LiteLLM's lines, then OpenAI's."""
    record = principal.record
    left: list[int] = []
    if record.rpm_limit is not None:
        left.append(max(0, record.rpm_limit - principal.requests.total))
    if record.tpm_limit is not None:
        left.append(max(0, record.tpm_limit - principal.tokens.total))
    return principal.head % tuple(left)
