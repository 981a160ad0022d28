"""The stations between this machine and a model's answer, and what was found at each."""

from __future__ import annotations

from typing import Literal

import msgspec

from pointsman.core.errors import GatewayError, TimedOut, Unreachable

__all__ = ["Hop", "HopName", "HopStatus", "failed_hop", "first_failure"]

HopName = Literal[
    "configuration", "name", "connection", "encryption", "credentials", "server", "model", "memory", "call"
]
"""In the order in which they are passed."""

HopStatus = Literal["ok", "warning", "failed", "skipped"]


class Hop(msgspec.Struct, frozen=True, omit_defaults=True):
    """One station: what was found (``told``, a sentence), what to do about it (``hint``), and how long it took.

    ``late``: it did not answer in time.
    """

    name: HopName
    status: HopStatus
    told: str
    hint: str | None = None
    seconds: float | None = None
    late: bool = False

    @property
    def failed(self) -> bool:
        """Whether nothing gets past it."""
        return self.status == "failed"


def failed_hop(name: HopName, error: GatewayError) -> Hop:
    """The hop at which ``error`` ended the way; that nothing was reached at all is one of the connection."""
    station: HopName = "connection" if isinstance(error, Unreachable) and name == "server" else name
    return Hop(station, "failed", error.message, error.hint, late=isinstance(error, TimedOut))


def first_failure(hops: tuple[Hop, ...]) -> Hop | None:
    """The hop that nothing gets past, if there is one."""
    return next((hop for hop in hops if hop.failed), None)
