"""``POST /routing/explain``: where a request would go, and why. A virtual key asks for itself and no other."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pointsman.admin.keys.lookup import existing_key, token_meant, tokens_of_aliases
from pointsman.admin.keys.showing import demand_sight
from pointsman.admin.models.transforming import operation_of
from pointsman.admin.office import Office, Question
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Forbidden, Malformed, Unauthenticated
from pointsman.lifecycle.explain import refused_at_the_door
from pointsman.policies.principal import Principal

__all__ = ["ExplainRequest", "explain_routing"]

_HeaderText = Annotated[str, msgspec.Meta(max_length=4096)]


class ExplainRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a client would send it, or only the ``model`` that it would ask for.

    ``call_type`` is LiteLLM's word for its route (``completion``, ``embedding``, …); left out, what the model is for.
    ``headers`` are those that the client would send. ``key`` is the key that would ask: itself, its hash or its alias;
    left out, the one that sends this.
    """

    model: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    request_body: dict[str, msgspec.Raw] | None = None
    call_type: str | None = None
    headers: Annotated[dict[str, _HeaderText], msgspec.Meta(max_length=64)] = {}
    key: Annotated[str, msgspec.Meta(min_length=1)] | None = None


async def explain_routing(office: Office, visit: Visit[Nothing, ExplainRequest]) -> Answer:
    """Everything that would be decided."""
    body = visit.body
    if body.model is None and body.request_body is None:
        raise Malformed("model or request_body is required.", param="model")
    operation = None if body.call_type is None else operation_of(body.call_type)
    question = Question(
        None if body.request_body is None else msgspec.json.encode(body.request_body),
        body.model,
        operation,
        tuple((name.lower(), value) for name, value in body.headers.items()),
    )
    asker = visit.caller
    if body.key is not None:
        token = token_meant(body.key)
        if visit.caller.admin and await office.keys.get(token) is None:
            token = (await tokens_of_aliases(office, (body.key,))).get(body.key, token)
        await demand_sight(office, visit, token)
        if token != visit.caller.record.token:
            record = await existing_key(office, token)
            try:
                asker = await office.keyring.find(token)
            except (Forbidden, Unauthenticated) as error:
                return Answer(refused_at_the_door(body.model or "", Principal(record), error))
    return Answer(office.explain(asker, question, for_operator=visit.caller.admin))
