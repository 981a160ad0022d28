"""What the terms of a deployment change of a request that is about to be sent."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.secret import Secret
from pointsman.core.terms import Terms
from pointsman.core.upstream import Ask, Deployment, Outbound

__all__ = ["on_terms"]

_tier: Final = msgspec.json.Decoder(str).decode


def on_terms(deployment: Deployment, terms: Terms, ask: Ask, outbound: Outbound) -> tuple[Deployment, Outbound]:
    """The deployment with the timeouts of the request's tier, and the request with the session that it is of."""
    if terms.tier_timeouts or terms.tier_stream_timeouts:
        deployment = _in_time(deployment, terms, ask)
    session = None if ask.routing is None else ask.routing.session
    if terms.session_header and session and session.isascii() and session.isprintable():
        told = (terms.session_header, Secret(session))
        outbound = msgspec.structs.replace(outbound, headers=(*outbound.headers, told))
    return deployment, outbound


def _in_time(deployment: Deployment, terms: Terms, ask: Ask) -> Deployment:
    """LiteLLM's order: for a stream its own time, else the one for all calls, if the request names such a tier."""
    raw = ask.fields.get("service_tier")
    try:
        tier = "" if raw is None else _tier(raw)
    except msgspec.MsgspecError:
        tier = ""
    timeouts, whole = deployment.timeouts, terms.tier_timeouts.get(tier)
    begins = terms.tier_stream_timeouts.get(tier) if ask.stream else None
    if whole is None and begins is None:
        return deployment
    changed = msgspec.structs.replace(
        timeouts,
        total=timeouts.total if whole is None else whole,
        load=begins or (timeouts.load if whole is None else max(whole, timeouts.load)),
        first_token=begins or timeouts.first_token,
    )
    return msgspec.structs.replace(deployment, timeouts=changed)
