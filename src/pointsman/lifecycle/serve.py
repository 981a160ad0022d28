"""The story of one request, on one screen.

Admit it (key, model, budget, limits), send it, relay the answer, settle it: exactly once, whatever happens. An attempt
that fails before the client has any of the answer is followed by another, as long as there is a way.
"""

from __future__ import annotations

from pointsman.core.clock import call_id
from pointsman.core.errors import GatewayError, Refused
from pointsman.core.exchange import Client, Inbound
from pointsman.lifecycle.attempt import attempt
from pointsman.lifecycle.choose import choose
from pointsman.lifecycle.homes import take_home
from pointsman.lifecycle.house import House
from pointsman.lifecycle.parties import meet_parties
from pointsman.lifecycle.reading import read_ask
from pointsman.lifecycle.recover import recover, rehearse, stand_in
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.share import share
from pointsman.lifecycle.turn import attempt_in_turn
from pointsman.policies.request_terms import apply_terms

__all__ = ["serve"]


async def serve(inbound: Inbound, client: Client, house: House) -> None:
    """Answer one request. Never raises: a failure is an answer, too."""
    settlement = Settlement(house, inbound, call_id())
    try:
        head = inbound.head
        if not head.token:
            head.token = house.keyring.identify(head.key, head.headers)
        principal = house.keyring.recall(head.token)
        settlement.principal = principal = principal or await house.keyring.look_up(head.token, head.key)
        settlement.ask = ask = read_ask(inbound)
        if principal.guard is not None or house.manners.terms is not None:
            apply_terms(inbound, ask, principal, house.manners.terms)
        try:
            course = choose(ask, principal, house, head)
            if ask.routing is not None:
                rehearse(ask)
        except Refused as refused:
            course = stand_in(refused, ask, principal, settlement)
            settlement.ask = ask = course.ask
        settlement.deployment = deployment = course.member.deployment
        if course.trail is not None:
            settlement.trail = course.trail
        if ask.end_user is not None or ask.routing is not None:
            await meet_parties(ask, principal, house)
            course = take_home(course, settlement)
            ask, deployment = course.ask, course.member.deployment
        settlement.grant = grant = house.admission.admit(principal, ask, deployment, int(inbound.received))
        if house.admission.shared is not None:
            await share(grant, house)
        if house.traffic is not None:
            client = await house.traffic.meet(course, settlement, client)
        goes_on = True
        while goes_on:
            try:
                await (attempt if course.member.host is None else attempt_in_turn)(course, settlement, client)
                goes_on = False
            except GatewayError as error:
                goes_on = await recover(error, course, settlement, client)
    except Exception as outcome:  # noqa: BLE001 - the outermost handler: whatever broke, the client gets an answer
        settlement.ended_by(outcome, client)
    finally:
        settlement.close(client)
