"""As much of a request as the story needs, read from its bytes."""

from __future__ import annotations

import msgspec

from pointsman.accounting.estimate import estimate_body
from pointsman.core.exchange import Inbound
from pointsman.core.rules import Target
from pointsman.core.upstream import Ask
from pointsman.lifecycle.versions import versions_of
from pointsman.wire.json_fields import read_fields

__all__ = ["read_again", "read_ask"]


def read_ask(inbound: Inbound) -> Ask:
    """A fresh one each time: an attempt changes it, so the next attempt reads the request anew.

    Raises:
        Malformed: the body is not of the client's dialect; the message names the field.
    """
    head = inbound.head
    route = head.route
    ask = route.dialect.read_ask(inbound.body, route.operation, head.path_model)
    versions = versions_of(head) if head.versions is None else head.versions
    if versions:
        ask.versions = versions
    if head.routing is not None:
        ask.routing = head.routing
    whom = inbound.end_user or head.end_user
    if whom is not None:
        ask.end_user = whom
    ask.prompt_estimate = ask.prompt_estimate or estimate_body(inbound.body)
    return ask


def read_again(inbound: Inbound, target: Target | None) -> Ask:
    """As :func:`read_ask`, with the fields of ``target`` in place of the request's own.

    Raises:
        Malformed: as there; or the body is no JSON, so that there are no fields to replace.
    """
    if target is None or not target.fields:
        return read_ask(inbound)
    fields = {**read_fields(inbound.body), **target.fields}
    return read_ask(msgspec.structs.replace(inbound, body=msgspec.json.encode(fields)))
