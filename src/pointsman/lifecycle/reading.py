"""As much of a request as the story needs, read from its bytes."""

from __future__ import annotations

from pointsman.accounting.estimate import estimate_body
from pointsman.core.exchange import Inbound
from pointsman.core.upstream import Ask
from pointsman.lifecycle.versions import versions_of

__all__ = ["read_ask"]


def read_ask(inbound: Inbound) -> Ask:
    """A fresh one each time: an attempt changes it, so the next attempt reads the request anew.

    Raises:
        Malformed: the body is not of the client's dialect; the message names the field.
    """
    head = inbound.head
    route = head.route
    ask = route.dialect.read_ask(inbound.body, route.operation, head.path_model)
    ask.versions = versions_of(head) if head.versions is None else head.versions
    ask.routing = head.routing
    ask.prompt_estimate = ask.prompt_estimate or estimate_body(inbound.body)
    return ask
