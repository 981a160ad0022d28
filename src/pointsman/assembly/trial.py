"""The smallest request that makes a model of each kind answer, and the record of having sent it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.core.clock import call_id
from pointsman.core.errors import Unsupported
from pointsman.core.exchange import Inbound, InferenceRoute, RequestHead
from pointsman.core.identity import Owner
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.lifecycle.house import House
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.trial import Trial, try_call
from pointsman.policies.principal import Principal

__all__ = ["TRIAL_SECONDS", "trial_ask", "try_model"]

TRIAL_SECONDS: Final = 120.0
"""A model of a common size loads from disk in this time."""

_TOKENS_MAX: Final = 16
"""The least that OpenAI's Responses API accepts."""

_WORDS: Final = "Say OK."
_MESSAGES: Final = [{"role": "user", "content": _WORDS}]
_BODIES: Final[Mapping[str, tuple[Operation, Mapping[str, object]]]] = {
    "chat": (Operation.CHAT, {"messages": _MESSAGES, "max_tokens": _TOKENS_MAX, "stream": True}),
    "completion": (Operation.COMPLETION, {"prompt": _WORDS, "max_tokens": _TOKENS_MAX, "stream": True}),
    "responses": (
        Operation.RESPONSES,
        {"input": _WORDS, "max_output_tokens": _TOKENS_MAX, "stream": True, "store": False},
    ),
    "embedding": (Operation.EMBEDDING, {"input": _WORDS}),
    "moderation": (Operation.MODERATION, {"input": _WORDS}),
    "rerank": (Operation.RERANK, {"query": _WORDS, "documents": ["OK", "No"], "top_n": 1}),
}
_ROUTE: Final = "/health/test_connection"


def trial_ask(deployment: Deployment, mode: str | None = None, owner: Owner | None = None) -> Ask:
    """The request for a deployment, by what its model is for, or by ``mode`` (LiteLLM's words).

    Raises:
        Unsupported: the smallest request for such a model is none: pictures and speech are paid for by the piece.
    """
    wanted = mode or deployment.mode
    if wanted not in _BODIES:
        raise Unsupported(
            f"Models for {wanted!r} are not called for a test.",
            hint=f"A test call is made for {', '.join(_BODIES)}.",
            param="mode",
        )
    operation, body = _BODIES[wanted]
    dialect = CLIENT_DIALECTS[operation]
    ask = dialect.read_ask(msgspec.json.encode({"model": deployment.group, **body}), operation, None)
    ask.owner = owner
    ask.prompt_estimate = _TOKENS_MAX
    return ask


async def try_model(house: House, deployment: Deployment, mode: str | None, caller: Principal) -> Trial:
    """Call a deployment once, and record that.

    Raises:
        Unsupported: see :func:`trial_ask`; or the provider cannot do this.
    """
    ask = trial_ask(deployment, mode, caller.owner)
    lane = house.lanes.lane(ask.operation, deployment)
    began_at, at = house.clock.monotonic(), house.clock.wall()
    trial = await try_call(ask, deployment, lane, house.sender, house.clock, seconds_max=TRIAL_SECONDS)
    route = InferenceRoute(ask.operation, CLIENT_DIALECTS[ask.operation], _ROUTE)
    settlement = Settlement(
        house,
        Inbound(RequestHead(route, b"", ()), b"", began_at, at),
        call_id(),
        caller,
        ask,
        deployment,
        usage=trial.usage,
        sent_at=trial.sent_at,
        heard_at=trial.heard_at,
        attempts=1 if trial.sent_at else 0,
    )
    if trial.error is None:
        settlement.stream_ended()
    else:
        settlement.refused(trial.error)
    house.outbox.gathered()
    return trial
