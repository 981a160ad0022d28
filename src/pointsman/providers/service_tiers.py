"""Finds out on which service tier a call was served, where the price depends on it.

What the answer says counts: ``service_tier`` of OpenAI's chats and responses, that in the ``usage`` of Anthropic's
Messages, ``trafficType`` in Gemini's ``usageMetadata``. An answer that says nothing was served on the tier that was
asked for. As in LiteLLM 1.109.1, ``cost_calculator.py``; https://platform.openai.com/docs/guides/priority-processing,
https://docs.claude.com/en/api/service-tiers,
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse.

It stands outside of the lanes of such deployments alone, so that others are not slower for it; the express lane reads
it with the usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.upstream import Answer, Ask, Continuable, Lane, Outbound, may_be_continued
from pointsman.core.usage import Usage
from pointsman.providers.around import AnswerAround, SourceAround

__all__ = ["ServiceTierLane", "asked_tier", "served_tier"]

_PRICED: Final[Mapping[str, str]] = MappingProxyType({
    "balanced": "balanced", "fast": "priority", "flex": "flex", "priority": "priority", "ultrafast": "ultrafast",
})  # fmt: skip
"""What providers say → what the price is called."""

_TRAFFIC: Final[Mapping[str, str]] = MappingProxyType({
    "BATCH": "flex", "FLEX": "flex", "ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority",
})  # fmt: skip

_KNOWN: Final = frozenset({*_PRICED, "default", "standard"})
_MARKS: Final = (b'"service_tier"', b'"trafficType"')
_FINAL: Final = (b'"usage":{', b'"usage": {', b'"usageMetadata"')
"""What ends a stream says; before, a response may be said to be on the tier that was asked for."""
_LINE_BYTES_MAX: Final = 4 * 1024 * 1024


class _Counts(msgspec.Struct, frozen=True, rename="camel"):
    service_tier: str | None = msgspec.field(default=None, name="service_tier")
    traffic_type: str | None = None


class _Told(msgspec.Struct, frozen=True):
    """A whole answer, or an event of a stream. ``response`` is that of the Responses API, ``message`` of Messages."""

    service_tier: str | None = None
    usage: _Counts | None = None
    usage_metadata: _Counts | None = msgspec.field(default=None, name="usageMetadata")
    response: _Told | None = None
    message: _Told | None = None

    def served(self) -> str | None:
        """The tier in the provider's own word; None: it says nothing."""
        for inner in (self.response, self.message):
            if inner is not None and (found := inner.served()) is not None:
                return found
        if self.service_tier is not None:
            return self.service_tier
        if self.usage is not None and self.usage.service_tier is not None:
            return self.usage.service_tier
        counts = self.usage_metadata
        if counts is None or not counts.traffic_type:
            return None
        return _TRAFFIC.get(counts.traffic_type.upper(), "default")


_decode: Final = msgspec.json.Decoder(_Told).decode
_decode_word: Final = msgspec.json.Decoder(str).decode


class ServiceTierLane:
    """See :class:`pointsman.core.upstream.Lane`; the lane inside does the work."""

    def __init__(self, inner: Lane) -> None:
        self.prepares = inner.prepares
        self._inner = inner

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._inner.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        answer, asked = self._inner.answer(ask), asked_tier(ask)
        return _ContinuableServed(answer, asked) if may_be_continued(answer) else _Served(answer, asked)


class _Served(AnswerAround):
    """An answer whose usage says on which tier it was served; ``asked`` is the one that was asked for."""

    __slots__ = ("_carry", "_service", "_told")

    def __init__(self, inner: Answer, asked: str) -> None:
        super().__init__(inner)
        self._service = asked
        self._told = False
        self._carry = b""

    @property
    def usage(self) -> Usage:
        """See the protocol."""
        usage = self.inner.usage
        return msgspec.structs.replace(usage, service=self._service) if self._service else usage

    @usage.setter
    def usage(self, usage: Usage) -> None:
        self.inner.usage = usage

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        if any(mark in body for mark in _MARKS):
            self._look(body)
        return self.inner.whole(body)

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        self._follow(data)
        return self.inner.feed(data)

    def _follow(self, data: bytes) -> None:
        """Look into the lines of a stream that say something of it."""
        place = data.rfind(b"\n") + 1
        lines = self._carry + data[:place] if self._carry and place else data[:place]
        self._carry = data[place:] if place else self._carry + data
        if len(self._carry) > _LINE_BYTES_MAX:
            self._carry = b""
        if not any(mark in lines for mark in _MARKS) or (self._told and not any(word in lines for word in _FINAL)):
            return
        for line in lines.split(b"\n"):
            if any(mark in line for mark in _MARKS):
                self._look(line.removeprefix(b"data:"))

    def _look(self, said: bytes) -> None:
        try:
            served = _decode(said).served()
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return
        if served is not None and served.lower() in _KNOWN:
            self._service, self._told = served_tier(served, self._service), True


class _ContinuableServed(SourceAround, _Served):
    """See :class:`pointsman.core.upstream.Continuable`."""

    __slots__ = ("source",)

    def __init__(self, inner: Continuable, asked: str) -> None:
        super().__init__(inner, asked)
        self.source = inner


def asked_tier(ask: Ask) -> str:
    """The tier that the request asks for, as prices call it; empty for the usual one."""
    raw = ask.fields.get("service_tier")
    try:
        return "" if raw is None else _PRICED.get(_decode_word(raw).lower(), "")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def served_tier(said: object, asked: str) -> str:
    """The tier that is charged, as prices call it, where the answer ``said`` its own word, or something else."""
    word = said.lower() if isinstance(said, str) else ""
    return _PRICED.get(word, "") if word in _KNOWN else asked
