"""Finds the lane from a client's dialect to a deployment, and keeps it: one per deployment and operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pointsman.core.exchange import InferenceRoute
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.express import ExpressLane
from pointsman.providers.registry import find_provider
from pointsman.providers.translated import OpenAIChatFar, translated_lane

__all__ = ["LaneBook", "NativeLanes"]

_LANES_MAX: Final = 16_384
_EXPRESS: Final = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING})
"""What an OpenAI-compatible server is asked in the client's own words."""

NativeLanes = Callable[[Deployment, Operation], Lane]
"""Makes the lane of a provider with a dialect of its own."""


class LaneBook:
    """See :class:`pointsman.lifecycle.house.LaneFinder`.

    ``native`` is by the dialect's name; ``responses`` makes the lanes for responses to OpenAI-compatible servers, which
    without it go over their chat.
    """

    def __init__(self, native: dict[str, NativeLanes], responses: NativeLanes | None = None) -> None:
        self._native = native
        self._responses = responses
        self._known: dict[tuple[str, str], tuple[Deployment, Lane]] = {}

    def lane(self, route: InferenceRoute, deployment: Deployment) -> Lane:
        """The lane."""
        key = (deployment.id, route.operation._value_)  # an Enum is hashed slowly
        known = self._known.get(key)
        if known is not None and known[0] is deployment:
            return known[1]
        lane = self._make(deployment, route.operation)
        if len(self._known) >= _LANES_MAX:
            self._known.clear()
        self._known[key] = (deployment, lane)
        return lane

    def _make(self, deployment: Deployment, operation: Operation) -> Lane:
        provider = find_provider(deployment.provider)
        if provider is not None and provider.native is not None:
            return self._native[provider.native](deployment, operation)
        if operation in _EXPRESS:
            return ExpressLane(deployment, operation)
        if operation is Operation.RESPONSES and self._responses is not None:
            return self._responses(deployment, operation)
        return translated_lane(operation, OpenAIChatFar(), deployment)
