"""Conversations with upstreams over WebSockets."""

from __future__ import annotations

from pointsman.providers.realtime.dialer import RealtimeDialer

__all__ = ["RealtimeDialer"]
