"""Tells clients in the usage of their streams what the call cost, in dollars: ``usage.cost``.

LiteLLM's ``include_cost_in_streaming_usage``: it goes where LiteLLM 1.109.1 puts it, which is the ``usage`` of a chat's
chunk and of Anthropic's ``message_delta``. A chat has the chunk with the usage only if the client asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.price import Price, dollars
from pointsman.core.upstream import Answer, Ask, Continuable, Deployment, Lane, Operation, Outbound, may_be_continued
from pointsman.core.usage import Usage
from pointsman.providers.around import AnswerAround, SourceAround

__all__ = ["WITH_COST", "CostOf", "CostTellingLane"]

WITH_COST: Final = frozenset({Operation.CHAT, Operation.MESSAGES})
"""What tells its cost."""

CostOf = Callable[[Usage, Price | None], int]
"""Picodollars of a call."""


class _Delta(msgspec.Struct, frozen=True):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    usage: dict[str, msgspec.Raw]
    type: str | None = None
    object: str | None = None
    delta: _Delta = _Delta()


_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class CostTellingLane:
    """See :class:`pointsman.core.upstream.Lane`; the lane inside does the work.

    What nobody told us the price of, and the rest of an answer that another deployment began, tell no cost.
    """

    def __init__(self, inner: Lane, deployment: Deployment, cost_of: CostOf) -> None:
        self.prepares = inner.prepares
        self._inner = inner
        self._price = deployment.price
        self._cost_of = cost_of

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._inner.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        answer = self._inner.answer(ask)
        if not ask.stream or self._price is None or ask.continues is not None:
            return answer
        if may_be_continued(answer):
            return _ContinuableCostTelling(answer, self._cost)
        return _CostTelling(answer, self._cost)

    def _cost(self, usage: Usage) -> float:
        return dollars(self._cost_of(usage, self._price))


class _CostTelling(AnswerAround):
    """An answer whose usage says what it cost."""

    __slots__ = ("_cost",)

    def __init__(self, inner: Answer, cost: Callable[[Usage], float]) -> None:
        super().__init__(inner)
        self._cost = cost

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        return self._told(self.inner.feed(data))

    def end(self) -> bytes:
        """See the protocol."""
        return self._told(self.inner.end())

    def _told(self, block: bytes) -> bytes:
        if b'"usage"' not in block:
            return block
        return b"\n".join([self._line(line) for line in block.split(b"\n")])

    def _line(self, line: bytes) -> bytes:
        """A line of an event, with the cost where it has usage that a client may look for it in."""
        if not line.startswith(b"data:") or b'"usage"' not in line:
            return line
        try:
            event = _decode_event(line[5:])
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return line
        if event.type == "message_delta" and event.delta.stop_reason is not None:
            # What is relayed is counted for good only at its end, though nothing of the count is to come after this.
            self.inner.cut()
        elif event.object != "chat.completion.chunk":
            return line
        if self.inner.usage.source == "none":
            return line
        fields = _decode_fields(line[5:])
        event.usage["cost"] = msgspec.Raw(_encode(self._cost(self.inner.usage)))
        fields["usage"] = msgspec.Raw(_encode(event.usage))
        return b"data: " + _encode(fields) + (b"\r" if line.endswith(b"\r") else b"")


class _ContinuableCostTelling(SourceAround, _CostTelling):
    """See :class:`pointsman.core.upstream.Continuable`."""

    __slots__ = ("source",)

    def __init__(self, inner: Continuable, cost: Callable[[Usage], float]) -> None:
        super().__init__(inner, cost)
        self.source = inner
