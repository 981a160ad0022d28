"""A conversation in messages, both ways at once: a WebSocket (RFC 6455) as the story sees it."""

from __future__ import annotations

from typing import Protocol

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Deployment

__all__ = ["Dialer", "Door", "Duplex", "Parted"]


class Parted(Exception):
    """The other end has gone. ``code`` and ``reason`` are those of its close frame; 1006: it sent none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Duplex(Protocol):
    """One end. Text is ``str``, binary is ``bytes``; whoever sends faster than the other reads has to wait."""

    async def receive(self) -> str | bytes:
        """The next message.

        Raises:
            Parted: there is none to come.
        """
        ...

    async def send(self, message: str | bytes) -> None:
        """Send one.

        Raises:
            Parted: nobody is there.
        """
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and let go within half a second, whatever the other end does. Does not raise."""
        ...


class Door(Protocol):
    """Somebody who wants to talk, before it is let in."""

    async def accept(self) -> Duplex:
        """Let it in."""
        ...

    async def refuse(self, error: GatewayError, call_id: str) -> None:
        """Send it away with an HTTP answer."""
        ...


class Dialer(Protocol):
    """Calls upstreams."""

    async def dial(self, deployment: Deployment, query: str, headers: tuple[tuple[str, str], ...]) -> Duplex:
        """Talk to a deployment; ``query`` and ``headers`` are the caller's own, free of keys.

        Raises:
            UpstreamFailed: it cannot be reached or does not want to.
            Unsupported: its provider has nothing of the kind.
        """
        ...
