"""What a request says of its turn at a local server: how important it is, how long it waits, whose it is."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Unauthenticated
from pointsman.core.upstream import Ask
from pointsman.lifecycle.patience import gives_up_at
from pointsman.lifecycle.settle import Settlement
from pointsman.policies.labels import is_yes
from pointsman.policies.principal import Principal
from pointsman.routing.hosts import Host
from pointsman.routing.queue import PRIORITY_MAX, Ticket

__all__ = ["OWN_QUEUES", "ticket_of"]

OWN_QUEUES: Final = frozenset({"vllm", "sglang"})
"""Servers with an order of their own, which understand ``priority`` in the same way."""
_WEIGHT_MIN: Final = 0.01
_WEIGHT_MAX: Final = 100.0
_NOTHING: Final = msgspec.Raw(b"{}")


class _KeyManners(msgspec.Struct, frozen=True):
    """What a key's metadata say of its requests' turn. ``default_priority`` is also the best that they can have."""

    default_priority: int | None = None
    batch: bool | str | None = None
    queue_weight: float | None = None


_USUAL: Final = _KeyManners()
_key_manners: Final = msgspec.json.Decoder(_KeyManners).decode
_number: Final = msgspec.json.Decoder(float).decode
_text: Final = msgspec.json.Decoder(str).decode


def ticket_of(ask: Ask, settlement: Settlement, host: Host, model: str, group: str, began_at: float = 0.0) -> Ticket:
    """The request's ticket; what the body says of its turn is taken out, unless the server understands it.

    ``model`` is the name at the server, ``group`` the one that clients know; ``began_at`` is the attempt's beginning,
    0: that of the request.
    """
    principal = settlement.principal
    if principal is None:
        raise Unauthenticated("Nobody asks.")
    record = principal.record
    now = settlement.house.clock.monotonic()
    ticket = Ticket(model, group, record.token, now, record.key_alias)
    manners = _USUAL if record.metadata == _NOTHING else _manners_of(principal)
    fields = ask.fields
    usual = settlement.house.router.fleet.queue_rules.default_priority
    given = fields.get("priority") if host.kind in OWN_QUEUES else fields.pop("priority", None)
    priority = usual if given is None else _whole(given, usual)
    if manners.default_priority is not None:
        priority = max(priority, manners.default_priority) if given is not None else manners.default_priority
    ticket.priority = min(max(priority, 0), PRIORITY_MAX)
    ticket.batch = is_yes(manners.batch) or _is_batch(ask)
    if manners.queue_weight:
        ticket.weight = min(max(manners.queue_weight, _WEIGHT_MIN), _WEIGHT_MAX)
    ticket.expires_at = gives_up_at(ask, settlement.inbound, began_at)
    return ticket


def _manners_of(principal: Principal) -> _KeyManners:
    try:
        return _key_manners(principal.record.metadata)
    except msgspec.MsgspecError:
        return _USUAL


def _is_batch(ask: Ask) -> bool:
    """Whether the request itself says that it can wait: OpenAI's ``service_tier: flex``, or ``metadata.batch``."""
    tier = ask.fields.get("service_tier")
    try:
        is_flexible = tier is not None and _text(tier) == "flex"
    except msgspec.MsgspecError:
        is_flexible = False
    return is_flexible or (ask.routing is not None and ask.routing.waits)


def _whole(said: msgspec.Raw, usual: int) -> int:
    try:
        return int(_number(said))
    except (msgspec.MsgspecError, OverflowError, ValueError):
        return usual
