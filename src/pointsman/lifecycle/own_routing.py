"""What a key or its team has of the router's settings, laid under what a request says itself."""

from __future__ import annotations

from pointsman.core.upstream import Ask
from pointsman.policies.own_routing import OwnRouting, with_own

__all__ = ["take_own"]


def take_own(ask: Ask, own: OwnRouting) -> None:
    """Let it hold for the request.

    An alias is as if the client had written the model's own name, which therefore has to be one that it may use; the
    answer names what it wrote.
    """
    model = own.aliases.get(ask.model)
    if model is not None and model != ask.model:
        ask.answers_as, ask.model = ask.model, model
    ask.routing = with_own(ask.routing, own.rules)
