"""What only few deployments have said about them, beyond :class:`~pointsman.core.upstream.Deployment`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, tzinfo

import msgspec

__all__ = ["AccessWindow", "Terms"]


class AccessWindow(msgspec.Struct, frozen=True):
    """Hours of each day, by the clocks of ``zone``, in which a deployment is for those teams alone."""

    start: time
    end: time
    zone: tzinfo
    team_ids: frozenset[str]


class Terms(msgspec.Struct, frozen=True):
    """In LiteLLM's names. Limits are of a minute, or of a day that begins ``day_begins`` seconds after midnight, UTC.

    ``key_rpm`` and ``key_tpm`` are of each key that has none of its own for the model. By ``service_tier``: seconds
    that a call may take, and a stream until it begins. ``session_header`` tells the upstream the session. ``endpoints``
    empty: any; else what is none of them is not served. ``embedding_inputs_max`` is how many texts one request may
    bring. ``silent_models`` get a copy of each request.
    """

    itpm: int | None = None
    otpm: int | None = None
    rpd: int | None = None
    tpd: int | None = None
    key_rpm: int | None = None
    key_tpm: int | None = None
    day_begins: int = 0
    windows: tuple[AccessWindow, ...] = ()
    endpoints: tuple[str, ...] = ()
    embedding_inputs_max: int | None = None
    tier_timeouts: Mapping[str, float] = {}
    tier_stream_timeouts: Mapping[str, float] = {}
    session_header: str = ""
    silent_models: tuple[str, ...] = ()

    @property
    def has_limits(self) -> bool:
        """Whether requests or tokens are counted for it."""
        return not (self.itpm is None and self.otpm is None and self.rpd is None and self.tpd is None)

    @property
    def narrows(self) -> bool:
        """Whether it keeps some requests away."""
        return bool(self.windows or self.endpoints) or self.embedding_inputs_max is not None
