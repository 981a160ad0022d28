"""The smallest request that makes a model of each kind answer, and the record of having sent it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.accounting.price import cost_of
from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.core.clock import Clock, call_id
from pointsman.core.errors import Unsupported
from pointsman.core.identity import KeyRecord, Owner
from pointsman.core.outcome import CallRecord
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.lifecycle.house import House
from pointsman.lifecycle.trial import Trial, try_call
from pointsman.policies.principal import Principal

__all__ = ["TRIAL_SECONDS", "trial_ask", "trial_record", "try_model"]

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
    trial = await try_call(ask, deployment, lane, house.sender, house.clock, seconds_max=TRIAL_SECONDS)
    record = trial_record(trial, ask, deployment, caller.record, house.clock)
    house.outbox.keep(record)
    house.outbox.gathered()
    for listener in house.listeners if trial.error is None else house.failure_listeners:
        listener.call_ended(record)
    return trial


def trial_record(trial: Trial, ask: Ask, deployment: Deployment, caller: KeyRecord, clock: Clock) -> CallRecord:
    """What the ledger keeps of a test call: it costs what any other would."""
    skew = clock.wall() - clock.monotonic()
    error = trial.error
    return CallRecord(
        call_id=call_id(),
        operation=ask.operation.value,
        route=_ROUTE,
        started_at=trial.began_at + skew,
        ended_at=trial.ended_at + skew,
        first_token_at=trial.heard_at + skew if trial.heard_at else None,
        status="success" if error is None else "failure",
        http_status=200 if error is None else error.status,
        error_code=None if error is None else error.code,
        error_message=None if error is None else error.message,
        key_token=caller.token,
        key_alias=caller.key_alias,
        user_id=caller.user_id,
        team_id=caller.team_id,
        model_requested=deployment.group,
        model_group=deployment.group,
        deployment_id=deployment.id,
        model=deployment.model,
        provider=deployment.provider,
        api_base=deployment.api_base,
        usage=trial.usage,
        cost=cost_of(trial.usage, deployment.price) if deployment.charges and trial.sent_at else 0,
        attempts=1 if trial.sent_at else 0,
        stream=ask.stream,
        tags=caller.tags,
    )
