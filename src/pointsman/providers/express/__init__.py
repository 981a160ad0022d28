"""The express lane: client and upstream speak the same OpenAI dialect, so bytes are relayed and only metered."""

from __future__ import annotations

from pointsman.providers.express.lane import ExpressLane, ExpressWay, plain_way

__all__ = ["ExpressLane", "ExpressWay", "plain_way"]
