"""The story of one request, on one screen.

Admit it (key, model, budget, limits), send it, relay the answer, settle it: exactly once, whatever happens.
"""

from __future__ import annotations

import logging
from typing import Final

from pointsman.accounting.estimate import estimate_body
from pointsman.core.clock import call_id
from pointsman.core.errors import GatewayError
from pointsman.core.exchange import Client, ClientGone, Inbound
from pointsman.core.upstream import AnsweredHere
from pointsman.lifecycle.choose import choose
from pointsman.lifecycle.house import House
from pointsman.lifecycle.relay import relay_stream, relay_whole
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.versions import versions_of

__all__ = ["serve"]

_log: Final = logging.getLogger("pointsman.serve")


async def serve(inbound: Inbound, client: Client, house: House) -> None:
    """Answer one request. Never raises: a failure is an answer, too."""
    settlement = Settlement(house, inbound, call_id())
    try:
        head = inbound.head
        if not head.token:
            head.token = house.keyring.identify(head.key, head.headers)
        principal = house.keyring.recall(head.token)
        settlement.principal = principal = principal or await house.keyring.look_up(head.token)
        route = head.route
        settlement.ask = ask = route.dialect.read_ask(inbound.body, route.operation, head.path_model)
        ask.versions = versions_of(head) if head.versions is None else head.versions
        ask.prompt_estimate = ask.prompt_estimate or estimate_body(inbound.body)
        settlement.deployment = deployment = choose(ask, principal, house)
        lane = house.lanes.lane(ask.operation, deployment)
        settlement.grant = grant = house.admission.admit(principal, ask, deployment, int(inbound.received))
        if lane.prepares:
            ask.owner = principal.owner
            await lane.prepare(ask)
            grant.grow(ask, deployment)
        outbound = lane.write(ask)
        settlement.answer = answer = lane.answer(ask)
        settlement.sent_at = house.clock.monotonic()
        settlement.flight = flight = house.sender.send(deployment, outbound, stream=ask.stream)
        client.attach(flight)
        await (relay_stream if ask.stream else relay_whole)(flight, answer, client, settlement)
    except AnsweredHere as here:
        settlement.answered_here(here.body, client)
    except ClientGone:
        settlement.cancelled()
    except GatewayError as error:
        settlement.failed(error, client)
    except Exception:  # noqa: BLE001 - the outermost handler: whatever broke, the client gets an answer
        _log.exception("call %s broke", settlement.call_id)
        settlement.failed(GatewayError("The gateway made a mistake; it has been logged."), client)
    finally:
        settlement.close(client)
