"""Relays where client and upstream speak the same dialect, and that is not OpenAI's chat: see also ``express``."""

from __future__ import annotations

from pointsman.providers.native.counting import AnthropicCount, Count, CountWay, TokenCounter, WayMaker, call_to_count
from pointsman.providers.native.lane import ANTHROPIC_MESSAGES, OPENAI_RESPONSES, NativeLane
from pointsman.providers.native.route import ResponsesLane
from pointsman.providers.native.signed import SignedNativeLane

__all__ = [
    "ANTHROPIC_MESSAGES",
    "OPENAI_RESPONSES",
    "AnthropicCount",
    "Count",
    "CountWay",
    "NativeLane",
    "ResponsesLane",
    "SignedNativeLane",
    "TokenCounter",
    "WayMaker",
    "call_to_count",
]
