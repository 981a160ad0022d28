"""The express lane: client and upstream speak the same dialect, so bytes are relayed and only metered."""

from __future__ import annotations

from pointsman.providers.express.counting import TokenCounter
from pointsman.providers.express.lane import ExpressLane, ExpressWay, plain_way
from pointsman.providers.express.native import ANTHROPIC_MESSAGES, OPENAI_RESPONSES, NativeLane
from pointsman.providers.express.route import ResponsesLane

__all__ = [
    "ANTHROPIC_MESSAGES",
    "OPENAI_RESPONSES",
    "ExpressLane",
    "ExpressWay",
    "NativeLane",
    "ResponsesLane",
    "TokenCounter",
    "plain_way",
]
