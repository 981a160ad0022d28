"""The response headers of an answer, in LiteLLM's names: what never changes is made once per deployment."""

from __future__ import annotations

import json
import re
from math import ceil
from typing import Final

import msgspec

from pointsman.accounting.price import output_cost_of
from pointsman.core.outcome import CallRecord
from pointsman.core.price import FEMTODOLLARS_PER_PICODOLLAR, PICODOLLARS_PER_DOLLAR
from pointsman.core.upstream import Deployment
from pointsman.lifecycle.trail import Trail, route_line, usual_route_line
from pointsman.policies.principal import Principal
from pointsman.routing.recovery import Recovery

__all__ = ["Heads", "clean", "queue_line", "recovered", "rerouted", "shown_address", "unasked"]

_HEADS_MAX: Final = 16_384
_AMOUNTS_MAX: Final = 4_096
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/]*@")
_JSON: Final = b"application/json"
_NOTHING_ADDED: Final = (
    b"x-litellm-response-cost-discount-amount: 0.0\r\n"
    b"x-litellm-response-cost-margin-amount: 0.0\r\n"
    b"x-litellm-response-cost-margin-percent: 0.0\r\n"
    b"x-litellm-response-cost-tool-usage: 0.0\r\n"
    b"x-litellm-callback-duration-ms: 0.0\r\n"
)
"""What an answer costs here has no parts of these kinds, and it waits for nobody who only listens."""
_STREAM_LINES: Final = (
    b"content-type: %b\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
    b"x-litellm-call-id: %b\r\nrequest-id: %b\r\nx-request-id: %b\r\n"
    b"x-litellm-response-cost-original: 0.0\r\n"
    b"x-litellm-response-cost-input: 0.0\r\n"
    b"x-litellm-response-cost-output: 0.0\r\n"
    b"x-litellm-key-spend: %a\r\n"
    b"x-litellm-response-duration-ms: %.3f\r\n"
    b"x-litellm-overhead-duration-ms: %.3f\r\n" + _NOTHING_ADDED + b"%b%b"
)
"""The call's id is told as Anthropic and OpenAI tell theirs, too: their SDKs give it to whoever asks, and log it."""
_AT_ONCE: Final = b"x-litellm-attempted-retries: 0\r\nx-litellm-attempted-fallbacks: 0\r\nx-pointsman-attempts: 1\r\n"
_AFTER_ATTEMPTS: Final = (
    b"x-litellm-attempted-retries: %d\r\nx-litellm-attempted-fallbacks: %d\r\nx-litellm-max-retries: %d\r\n"
    b"x-pointsman-attempts: %d\r\n"
)
_ERRORS_MAX: Final = 8
_ERROR_CHARACTERS_MAX: Final = 300
_WHOLE_LINES: Final = (
    b"content-type: %b\r\n"
    b"x-litellm-call-id: %b\r\n"
    b"request-id: %b\r\n"
    b"x-request-id: %b\r\n"
    b"%b"
    b"x-litellm-key-spend: %a\r\n"
    b"x-litellm-response-duration-ms: %.3f\r\n"
    b"x-litellm-overhead-duration-ms: %.3f\r\n" + _NOTHING_ADDED + b"%b%b"
)
_COST_LINES: Final = (
    b"x-litellm-response-cost: %b\r\n"
    b"x-litellm-response-cost-original: %b\r\n"
    b"x-litellm-response-cost-input: %b\r\n"
    b"x-litellm-response-cost-output: %b\r\n"
)
_FREE_LINES: Final = _COST_LINES % ((b"0.0",) * 4)
_ERROR_LINES: Final = (
    b"content-type: application/json\r\nx-litellm-call-id: %b\r\nrequest-id: %b\r\nx-request-id: %b\r\n%b"
)


class _Known(msgspec.Struct, frozen=True):
    """What is told of a deployment, for most and for the operator.

    ``output_rate`` is what each token costs that it says, in femtodollars; negative where they are not all the same.
    """

    deployment: Deployment
    lines: bytes
    with_address: bytes
    output_rate: int


class Heads:
    """Makes header blocks; each line ends with CRLF, framing headers are the server's."""

    def __init__(self, version: str) -> None:
        self._version = f"x-litellm-version: {clean(version)}\r\n".encode("latin-1", "replace")
        self._known: dict[str, _Known] = {}
        # The shortest decimal of a float takes as long as all the rest of a head, and small amounts come again.
        self._amounts: dict[int, bytes] = {}

    def whole(
        self,
        record: CallRecord,
        deployment: Deployment,
        principal: Principal,
        milliseconds: float,
        content_type: bytes = _JSON,
        limits: bytes | None = None,
    ) -> bytes:
        """For an answer whose cost is known; ``milliseconds`` is the whole duration.

        ``limits`` are the lines about them; None: those of the key alone.
        """
        known = self._known.get(deployment.id)
        if known is None or known.deployment is not deployment:
            known = self._learn(deployment)
        cost, costs = record.cost, _FREE_LINES
        if cost:
            if known.output_rate < 0:
                output = min(cost, output_cost_of(record.usage, deployment.price))
            else:
                output = record.usage.completion * known.output_rate // FEMTODOLLARS_PER_PICODOLLAR
            amounts = self._amounts
            try:
                whole = amounts[cost]
                costs = _COST_LINES % (whole, whole, amounts[cost - output], amounts[output])
            except KeyError:
                costs = self._cost_lines(cost, output)
        identity = record.call_id.encode()
        return _WHOLE_LINES % (
            content_type,
            identity,
            identity,
            identity,
            costs,
            principal.spent / PICODOLLARS_PER_DOLLAR,
            milliseconds,
            record.overhead_ms,
            known.with_address if principal.admin else known.lines,
            (_limits(principal) if principal.head else b"") if limits is None else limits,
        )

    def stream(
        self,
        call_id: str,
        content_type: bytes,
        deployment: Deployment,
        principal: Principal,
        limits: bytes | None = None,
        *,
        milliseconds: tuple[float, float] = (0.0, 0.0),
    ) -> bytes:
        """For an answer that is just beginning; ``milliseconds`` are those since the request, and those of our own.

        What it costs is not known yet, so that it says 0, as LiteLLM; of the key what it has spent before.
        """
        if limits is None:
            limits = _limits(principal) if principal.head else b""
        identity = call_id.encode()
        return _STREAM_LINES % (
            content_type,
            identity,
            identity,
            identity,
            principal.spent / PICODOLLARS_PER_DOLLAR,
            *milliseconds,
            self._deployment(deployment, principal),
            limits,
        )

    def passed(self, call_id: str, deployment: Deployment, principal: Principal, limits: bytes | None = None) -> bytes:
        """What is added to the headers of an upstream's own answer."""
        if limits is None:
            limits = _limits(principal) if principal.head else b""
        return b"x-litellm-call-id: %b\r\n%b%b" % (call_id.encode(), self._deployment(deployment, principal), limits)

    def error(
        self, call_id: str, retry_after: float | None, deployment: Deployment | None, principal: Principal | None
    ) -> bytes:
        """For an error answer."""
        identity = call_id.encode()
        lines = _ERROR_LINES % (
            identity,
            identity,
            identity,
            self._deployment(deployment, principal) if deployment is not None else self._version,
        )
        if principal is not None:
            spent = principal.spent / PICODOLLARS_PER_DOLLAR
            lines += b"x-litellm-response-cost: 0\r\nx-litellm-key-spend: %a\r\n" % spent + principal.key_head.encode()
        if deployment is not None:
            lines += b"x-litellm-timeout: %a\r\n" % (deployment.timeouts.total or deployment.timeouts.load)
        return lines if retry_after is None else b"%bretry-after: %d\r\n" % (lines, max(1, ceil(retry_after)))

    def _deployment(self, deployment: Deployment, principal: Principal | None) -> bytes:
        """What is told of a deployment; where it is, only the operator learns."""
        known = self._known.get(deployment.id)
        if known is None or known.deployment is not deployment:
            known = self._learn(deployment)
        return known.with_address if principal is not None and principal.admin else known.lines

    def _cost_lines(self, cost: int, output: int) -> bytes:
        """What a call cost, of which ``output`` was for what the model said; its amounts are remembered."""
        if len(self._amounts) >= _AMOUNTS_MAX:
            self._amounts = {}
        whole, given, said = (b"%a" % (amount / PICODOLLARS_PER_DOLLAR) for amount in (cost, cost - output, output))
        self._amounts.update({cost: whole, cost - output: given, output: said})
        return _COST_LINES % (whole, whole, given, said)

    def _learn(self, deployment: Deployment) -> _Known:
        text = (
            f"x-litellm-model-id: {clean(deployment.id)}\r\n"
            f"x-litellm-model-group: {clean(deployment.group)}\r\n"
            f"x-litellm-model-name: {clean(deployment.litellm_model)}\r\n"
        )
        lines = self._version + text.encode("latin-1", "replace") + usual_route_line(deployment) + _AT_ONCE
        base = clean(shown_address(deployment.api_base))
        address = f"x-litellm-model-api-base: {base}\r\n".encode("latin-1", "replace")
        if len(self._known) >= _HEADS_MAX:
            self._known.clear()
        known = _Known(deployment, lines, lines + address, _output_rate(deployment))
        self._known[deployment.id] = known
        return known


def _output_rate(deployment: Deployment) -> int:
    price = deployment.price
    if price is None:
        return 0
    is_one = not price.tiers and price.reasoning is None and price.audio_output is None and price.units is None
    return price.output if is_one else -1


def queue_line(seconds: float) -> bytes:
    """How long a request waited for its turn at a local server, whose time is not the gateway's own."""
    return b"x-pointsman-queue-ms: %.3f\r\n" % (seconds * 1000.0)


def rerouted(head: bytes, deployment: Deployment | None, trail: Trail, attempts: int) -> bytes:
    """A head that tells why the answer is from there."""
    line = route_line(deployment, trail, attempts)
    return head + line if deployment is None else head.replace(usual_route_line(deployment), line, 1)


def unasked(head: bytes) -> bytes:
    """A head that tells that no upstream was asked."""
    head = head.replace(b";attempts=1\r\n", b";attempts=0\r\n", 1)
    return head.replace(b"x-pointsman-attempts: 1\r\n", b"x-pointsman-attempts: 0\r\n", 1)


def recovered(head: bytes, recovery: Recovery, attempts: int) -> bytes:
    """A head that tells of what it took to get an answer."""
    lines = _AFTER_ATTEMPTS % (recovery.retries, recovery.hops, recovery.retries_max, attempts)
    if recovery.tells_errors and recovery.hops:
        lines += b"x-litellm-fallback-errors: %b\r\n" % _errors(recovery)
    return head.replace(_AT_ONCE, lines, 1)


def _errors(recovery: Recovery) -> bytes:
    """The failures that came before, in LiteLLM's form, as JSON without anything beyond ASCII."""
    told = [
        {
            "message": failure.message[:_ERROR_CHARACTERS_MAX],
            "type": failure.kind,
            "param": failure.param,
            "code": str(failure.status),
        }
        for _, failure in recovery.errors[:_ERRORS_MAX]
    ]
    return json.dumps(told).encode("ascii")


def shown_address(api_base: str) -> str:
    """An upstream's address, for the operator, without the places where credentials can stand."""
    return _CREDENTIALS.sub("", api_base.split("?", 1)[0])


def clean(text: str) -> str:
    """``text`` without what could end a header line."""
    return "".join(character if " " <= character != "\x7f" else "?" for character in text)


def _limits(principal: Principal) -> bytes:
    """What is left of the key's limits; LiteLLM's lines, then OpenAI's."""
    limits = principal.limits
    requests, tokens = limits.rpm_limit, limits.tpm_limit
    if requests is not None and tokens is not None and limits.max_parallel_requests is None:
        requests -= principal.requests.total
        tokens -= principal.tokens.total
        if requests >= 0 and tokens >= 0:
            return principal.head % (requests, requests, tokens, tokens)
        return principal.head % (max(0, requests), max(0, requests), max(0, tokens), max(0, tokens))
    left: tuple[int, ...] = ()
    if requests is not None:
        one = max(0, requests - principal.requests.total)
        left = (one, one)
    if tokens is not None:
        one = max(0, tokens - principal.tokens.total)
        left = (*left, one, one)
    if limits.max_parallel_requests is not None:
        left = (*left, max(0, limits.max_parallel_requests - principal.in_flight))
    return principal.head % left
