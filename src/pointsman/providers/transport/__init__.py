"""The one HTTP/1.1 client towards upstreams: pooled, timed by phase, cut off at once when nobody listens."""

from __future__ import annotations

from pointsman.providers.transport.origin import Origin
from pointsman.providers.transport.transport import Fetcher, FetchReply, Transport

__all__ = ["FetchReply", "Fetcher", "Origin", "Transport"]
