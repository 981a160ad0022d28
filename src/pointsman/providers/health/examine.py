"""Examines a deployment as far as that costs nothing: no model is made to load or work."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Deployment
from pointsman.providers.health.credentials import Admittance
from pointsman.providers.health.hops import Hop, failed_hop, first_failure
from pointsman.providers.health.questions import question_for
from pointsman.providers.transport import Fetcher

__all__ = ["examine"]

_ONLY_A_CALL: Final = "It is reached through LiteLLM's library, so only a call can tell."
_MOCKED: Final = "mock_response is answered, and no upstream is asked."


async def examine(
    deployment: Deployment, fetcher: Fetcher, admittance: Admittance, timeout_seconds: float
) -> tuple[Hop, ...]:
    """From the credentials to the model, as far as the way goes; at most ``timeout_seconds`` for the question."""
    if deployment.handling.mock_response is not None:
        return (Hop("server", "ok", _MOCKED),)
    try:
        question = question_for(deployment)
        if question is None:
            return (Hop("server", "skipped", _ONLY_A_CALL),)
        headers = await admittance.headers(deployment)
    except GatewayError as error:
        return (failed_hop("credentials", error),)
    try:
        reply = await fetcher.fetch("GET", question.url, headers=headers, timeout_seconds=timeout_seconds)
    except GatewayError as error:
        return (failed_hop("server", error),)
    hops = question.read(reply, deployment)
    if first_failure(hops) is None and deployment.access is not None and hops[0].name != "credentials":
        # Of a cloud's keys nothing more is known without a signed request than that they are there.
        hops = (Hop("credentials", "ok", "There are credentials; what they may do only a call can tell."), *hops)
    return hops
