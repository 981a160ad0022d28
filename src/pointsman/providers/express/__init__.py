"""The express lane: client and upstream speak the same OpenAI dialect, so bytes are relayed and only metered."""

from __future__ import annotations

from pointsman.providers.express.extras_lane import EXTRAS_PATHS, ExtrasLane
from pointsman.providers.express.lane import ExpressLane, ExpressWay, plain_way

__all__ = ["EXTRAS_PATHS", "ExpressLane", "ExpressWay", "ExtrasLane", "plain_way"]
