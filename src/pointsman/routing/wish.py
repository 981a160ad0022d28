"""What of a request decides where it goes."""

from __future__ import annotations

import msgspec

from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules
from pointsman.core.upstream import Operation

__all__ = ["Wish"]


class Wish(msgspec.Struct, frozen=True):
    """``key`` is the digest of the caller's key; ``output_limit`` None: the client set none."""

    operation: Operation
    prompt_tokens: int = 0
    output_limit: int | None = None
    stream: bool = False
    key: str = ""
    team_id: str | None = None
    end_user: str | None = None
    rules: RoutingRules = NO_ROUTING_RULES
