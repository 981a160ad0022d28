"""The story of a request for a provider's own API: as :mod:`pointsman.lifecycle.serve`, with nothing translated."""

from __future__ import annotations

from typing import Final

from pointsman.accounting.estimate import estimate_body
from pointsman.core.clock import call_id
from pointsman.core.exchange import Client, Inbound
from pointsman.core.flight import Flight
from pointsman.core.passage import Passages
from pointsman.core.upstream import Answer
from pointsman.lifecycle.house import House
from pointsman.lifecycle.parties import meet_parties
from pointsman.lifecycle.relay import retry_after
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.share import share
from pointsman.lifecycle.visit import Visit
from pointsman.policies.access import demand_access
from pointsman.policies.labels import end_user_in
from pointsman.policies.pass_through import demand_passage, demand_undenied
from pointsman.policies.request_terms import name_customer

__all__ = ["pass_through"]


_FIRST_ERROR_STATUS: Final = 400
_LAST_STATUS: Final = 599
_BAD_GATEWAY: Final = 502
_WITHOUT_BODY: Final = frozenset({204, 205, 304})


async def pass_through(inbound: Inbound, client: Client, house: House) -> None:
    """Answer one request. Never raises: a failure is an answer, too."""
    settlement = Settlement(house, inbound, call_id())
    visit = Visit(settlement)
    try:
        head = inbound.head
        if not head.token:
            head.token = house.keyring.identify(head.key, head.headers)
        settlement.principal = principal = await house.keyring.find(head.token, head.key)
        if principal.guard is not None:
            principal.guard.meet(head)
        passages = house.passages
        path = "/" + (head.path_model or "").partition("?")[0]
        open_to_all, manages = house.manners.pass_through_for_all_keys, house.manners.manages_ollama
        demand_passage(principal, path, for_all_keys=open_to_all, manages_ollama=manages)
        passage = passages.passage(inbound)
        demand_undenied(principal, passage.spellings)
        settlement.ask = ask = passage.ask
        settlement.deployment = deployment = passage.deployment
        if ask.model and not principal.unrestricted:
            demand_access(principal, ask.model, deployment.group, deployment.access_groups)
        name_customer(inbound, ask, principal, house.manners.terms)
        if ask.end_user is None:
            ask.end_user = end_user_in(ask.fields)
        if ask.end_user is not None:
            await meet_parties(ask, principal, house)
        ask.prompt_estimate = estimate_body(inbound.body) if ask.fields else 0
        settlement.grant = grant = house.admission.admit(principal, ask, deployment, int(inbound.received))
        await share(grant, house)
        if deployment.local and passage.works:
            await visit.begin(ask, deployment)
        settlement.answer = answer = passage.answer
        outbound = passage.outbound if passage.signed is None else await passage.signed()
        settlement.sent_at = house.clock.monotonic()
        settlement.flight = flight = house.sender.send(deployment, outbound, stream=True)
        client.attach(flight)
        await _relay(flight, answer, client, settlement, passages)
    except Exception as outcome:  # noqa: BLE001 - the outermost handler: whatever broke, the client gets an answer
        visit.failed(outcome)
        settlement.ended_by(outcome, client)
    finally:
        visit.end()
        settlement.close(client)


async def _relay(flight: Flight, answer: Answer, client: Client, settlement: Settlement, passages: Passages) -> None:
    """Relay status, headers and body as they come; it is in the ledger before the last bytes are sent.

    Raises:
        UpstreamFailed: no answer, or one that was cut off.
    """
    inbox = flight.inbox
    while True:
        data = await inbox
        if data is None:
            continue
        settlement.heard()
        if flight.status >= _FIRST_ERROR_STATUS:
            settlement.refused(answer.rejected(flight.status, data, retry_after(flight, settlement.house.clock.wall())))
            # Beyond these there is no status that HTTP knows (RFC 9110, section 15).
            status = flight.status if flight.status <= _LAST_STATUS else _BAD_GATEWAY
            client.reply(status, settlement.passed_head(passages.returned(flight.headers)), answer.whole(data))
            return
        flight.spoken = True
        block = answer.feed(data)
        is_last = flight.complete and not inbox.items
        if is_last:
            block += answer.end()
            settlement.stream_ended()
        if settlement.begun:
            (client.end if is_last else client.send)(block)
            if is_last:
                return
            continue
        head = settlement.passed_head(passages.returned(flight.headers))
        if is_last:
            client.reply(flight.status, head, b"" if flight.status in _WITHOUT_BODY else block)
            return
        settlement.begun = True
        client.begin(flight.status, head)
        client.send(block)
