"""The response headers of an answer, in LiteLLM's names: what never changes is made once per deployment."""

from __future__ import annotations

from typing import Final

from pointsman.core.outcome import CallRecord
from pointsman.core.price import PICODOLLARS_PER_DOLLAR
from pointsman.core.upstream import Deployment
from pointsman.policies.principal import Principal

__all__ = ["Heads", "clean"]

_HEADS_MAX: Final = 16_384
_STREAM_LINES: Final = (
    "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)


class Heads:
    """Makes header blocks; each line ends with CRLF, framing headers are the server's."""

    def __init__(self, version: str) -> None:
        self._version = f"x-litellm-version: {clean(version)}\r\n"
        self._known: dict[str, tuple[Deployment, str]] = {}

    def whole(self, record: CallRecord, deployment: Deployment, principal: Principal, milliseconds: float) -> bytes:
        """For an answer whose cost is known; ``milliseconds`` is the whole duration."""
        return (
            "content-type: application/json\r\n"
            f"x-litellm-call-id: {record.call_id}\r\n"
            f"x-litellm-response-cost: {record.cost / PICODOLLARS_PER_DOLLAR}\r\n"
            f"x-litellm-key-spend: {principal.spent / PICODOLLARS_PER_DOLLAR}\r\n"
            f"x-litellm-response-duration-ms: {milliseconds:.3f}\r\n"
            f"x-litellm-overhead-duration-ms: {record.overhead_ms:.3f}\r\n"
            f"{self._deployment(deployment)}{_limits(principal) if principal.head else ''}"
        ).encode("latin-1", "replace")

    def stream(self, call_id: str, deployment: Deployment, principal: Principal) -> bytes:
        """For an answer that is just beginning."""
        limits = _limits(principal) if principal.head else ""
        lines = f"{_STREAM_LINES}x-litellm-call-id: {call_id}\r\n{self._deployment(deployment)}{limits}"
        return lines.encode("latin-1", "replace")

    def error(self, call_id: str, retry_after: float | None, deployment: Deployment | None) -> bytes:
        """For an error answer."""
        lines = f"content-type: application/json\r\nx-litellm-call-id: {call_id}\r\n"
        lines += self._deployment(deployment) if deployment is not None else self._version
        if retry_after is not None:
            lines += f"retry-after: {max(1, round(retry_after))}\r\n"
        return lines.encode("latin-1", "replace")

    def _deployment(self, deployment: Deployment) -> str:
        known = self._known.get(deployment.id)
        if known is not None and known[0] is deployment:
            return known[1]
        base = deployment.api_base.split("?", 1)[0]
        lines = (
            f"{self._version}x-litellm-model-id: {clean(deployment.id)}\r\n"
            f"x-litellm-model-group: {clean(deployment.group)}\r\n"
            f"x-litellm-model-name: {clean(deployment.litellm_model)}\r\n"
            f"x-litellm-model-api-base: {clean(base)}\r\n"
            "x-litellm-attempted-retries: 0\r\nx-litellm-attempted-fallbacks: 0\r\n"
        )
        if len(self._known) >= _HEADS_MAX:
            self._known.clear()
        self._known[deployment.id] = (deployment, lines)
        return lines


def clean(text: str) -> str:
    """``text`` without what could end a header line."""
    return "".join(character if " " <= character != "\x7f" else "?" for character in text)


def _limits(principal: Principal) -> str:
    """What is left of the key's limits; LiteLLM's lines, then OpenAI's."""
    record = principal.record
    lines = principal.head
    if record.rpm_limit is not None:
        left = record.rpm_limit - principal.requests.total
        lines += f"x-ratelimit-limit-requests: {record.rpm_limit}\r\nx-ratelimit-remaining-requests: {left}\r\n"
    if record.tpm_limit is not None:
        left = max(0, record.tpm_limit - principal.tokens.total)
        lines += f"x-ratelimit-limit-tokens: {record.tpm_limit}\r\nx-ratelimit-remaining-tokens: {left}\r\n"
    return lines
