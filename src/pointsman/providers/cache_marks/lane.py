"""A lane whose relayed requests get the operator's marks on their way out."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Outbound
from pointsman.providers.cache_marks.bodies import marked_body
from pointsman.providers.registry import find_provider

__all__ = ["with_cache_marks"]

_TAKE_MARKS: Final = frozenset({
    "cometapi", "dashscope", "databricks", "litellm_proxy", "minimax", "openrouter", "vercel_ai_gateway", "zai",
})  # fmt: skip
"""Services that speak OpenAI's dialect and know Anthropic's marks in it; others refuse a field they do not know."""


class _MarkingLane:
    """See :class:`pointsman.core.upstream.Lane`; the lane inside does the work. Its requests are not signed."""

    def __init__(self, inner: Lane, deployment: Deployment, *, of_anthropic: bool) -> None:
        self.prepares = inner.prepares
        self._inner = inner
        self._marks = deployment.handling.cache_marks
        self._of_anthropic = of_anthropic

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        outbound = self._inner.write(ask)
        body = marked_body(outbound.body, self._marks, of_anthropic=self._of_anthropic)
        return msgspec.structs.replace(outbound, body=body)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        return self._inner.answer(ask)


def with_cache_marks(lane: Lane, deployment: Deployment, *, relays_messages: bool) -> Lane:
    """The lane with the deployment's marks; the lane itself where none are to be set, or where the call is marked.

    ``relays_messages``: what it sends is what a client of Anthropic's sent.
    """
    provider = find_provider(deployment.provider)
    if not deployment.handling.cache_marks or provider is None:
        return lane
    if provider.native is None:
        return _MarkingLane(lane, deployment, of_anthropic=False) if provider.name in _TAKE_MARKS else lane
    return _MarkingLane(lane, deployment, of_anthropic=True) if relays_messages else lane
