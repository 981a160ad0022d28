"""What of a request decides where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules
from pointsman.core.upstream import Deployment, Operation
from pointsman.routing.rules.ruling import Demands

__all__ = ["Wish"]


class Wish(msgspec.Struct, frozen=True):
    """``key`` is the digest of the caller's key; ``output_limit`` None: the client set none.

    ``fields`` are those of the body, which is looked into only where deployments differ in what it asks for. ``tags``
    are the key's own; ``admits`` tells which deployments the key may use, None: all of the pool. ``demands`` are those
    of the operator's rules, and of the request itself; None, as with most: there are none. ``headers`` are looked into
    only where what a client calls itself counts.
    """

    operation: Operation
    prompt_tokens: int = 0
    output_limit: int | None = None
    stream: bool = False
    key: str = ""
    team_id: str | None = None
    end_user: str | None = None
    rules: RoutingRules = NO_ROUTING_RULES
    fields: Mapping[str, msgspec.Raw] = {}
    tags: tuple[str, ...] = ()
    admits: Callable[[Deployment], bool] | None = None
    choices: int = 1
    demands: Demands | None = None
    headers: Sequence[tuple[bytes, bytes]] = ()
