"""What a client is told when no deployment of a model may or can take its request."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from pointsman.core.errors import Forbidden, LimitReached, Malformed, Refused
from pointsman.routing.candidates import Dropped
from pointsman.routing.pool import Member, Pool
from pointsman.routing.tags import tags_of
from pointsman.routing.wish import Wish

__all__ = ["NONE_AVAILABLE", "refusal", "resting"]

NONE_AVAILABLE: Final = "no_deployments_available"
"""The code, LiteLLM's, of a refusal since nobody who serves the model is to be had for now."""

_PASSING: Final = frozenset({"itpm", "otpm", "parallel", "resting", "rpd", "rpm", "tpd", "tpm"})
_LIMITS: Final = {
    "itpm": "input tokens a minute",
    "otpm": "output tokens a minute",
    "rpd": "requests a day",
    "rpm": "requests a minute",
    "tpd": "tokens a day",
    "tpm": "tokens a minute",
}
_PARALLEL_SECONDS: Final = 1.0
_BUDGET_RETRY_SECONDS: Final = 60.0


def refusal(pool: Pool, wish: Wish, now: float, dropped: Sequence[Dropped]) -> Refused:
    """The error for a request whose candidates were all ``dropped``.

    What passes by itself counts first: whoever is told of a limit may come back, whatever else is wrong elsewhere.
    """
    words = {member.live.id: reason.partition(" ")[0] for member, reason in dropped}
    passing = [(member, words[member.live.id]) for member, _ in dropped if words[member.live.id] in _PASSING]
    if passing:
        return _later(pool, wish, now, passing)
    kinds = set(words.values())
    if "context" in kinds:
        return _too_long(pool, wish)
    if "tags" in kinds:
        tags = list(tags_of(wish, pool.screens.tag_prefix))
        return Forbidden(
            f"Not allowed to access model due to tags configuration. Passed model={pool.name} and tags={tags}",
            hint="Ask for a tag that a deployment of it has.",
            status=401,
            code="tag_routing_denied",
            kind="auth_error",
        )
    if "budget" in kinds:
        return LimitReached(
            f"No deployments available for {pool.name!r}: the budgets of what serves it are used up.",
            hint="They reset by themselves at the end of their periods; another model may still have money.",
            retry_after=_BUDGET_RETRY_SECONDS,
            code=NONE_AVAILABLE,
        )
    if "unpriced" in kinds:
        return Forbidden(
            f"The model {pool.name!r} has no price, and models without one are blocked here"
            " (litellm_settings: block_requests_for_models_without_pricing).",
            hint="An administrator can give it input_cost_per_token and output_cost_per_token; 0 says that it is free.",
            code="model_cost_map_missing",
            kind="model_cost_map_missing",
            param="model",
        )
    if kinds <= {"team", "access"} and kinds:
        return Forbidden(
            f"This key may not use the model {pool.name!r}: what serves it is for others.",
            hint="Use a key of the team that it belongs to.",
            code="model_access_denied",
            kind="key_model_access_denied",
            param="model",
        )
    for word, tell in _AWAY.items():
        if word in kinds:
            return tell(pool, next(reason for _, reason in dropped if reason.startswith(f"{word} ")))
    modes = sorted({member.deployment.mode for member in pool.members})
    return Malformed(
        f"The model {pool.name!r} cannot do this: it is for {' and '.join(modes)}.",
        hint="GET /v1/models lists the models; choose one of the right kind.",
        code="model_mode_mismatch",
        param="model",
    )


def _reserved(pool: Pool, reason: str) -> Malformed:
    return Malformed(
        f"The model {pool.name!r} is {reason} for the teams of its access window.",
        hint="Ask then, or use another model.",
        code="model_reserved",
        param="model",
    )


def _no_endpoint(pool: Pool, reason: str) -> Malformed:
    return Malformed(
        f"The model {pool.name!r} is not for conversations. Supported endpoints: {reason.partition(' ')[2]}.",
        hint="GET /v1/models lists the models; choose one of the right kind.",
        code="endpoint_not_supported",
        param="model",
    )


def _batch_too_large(pool: Pool, reason: str) -> Malformed:
    count, _, most = reason.partition(" ")[2].partition("/")
    return Malformed(
        f"The request has {count} inputs, and {pool.name!r} takes {most} at once.",
        hint="Split the input into smaller batches.",
        code="embedding_batch_too_large",
        param="input",
    )


_AWAY: Final = {"reserved": _reserved, "endpoints": _no_endpoint, "batch": _batch_too_large}
"""What keeps a request from all that serve a model, and how that is told."""


def _too_long(pool: Pool, wish: Wish) -> Malformed:
    window = max(member.deployment.context_tokens or 0 for member in pool.members)
    return Malformed(
        f"This model's maximum context length is {window} tokens, but the prompt has about {wish.prompt_tokens}.",
        hint=f"Shorten the prompt, or use a model with more context than {pool.name!r}.",
        code="context_length_exceeded",
        param="messages",
    )


def _later(pool: Pool, wish: Wish, now: float, passing: Sequence[tuple[Member, str]]) -> LimitReached:
    seconds = max(min(_seconds(member, word, wish, now) for member, word in passing), 1.0)
    words = {word for _, word in passing}
    if words == {"resting"}:
        return resting(pool.name, seconds)
    if "resting" in words:
        why = "they rest after failures or are at their limits"
    else:
        why = f"all of them are at their limit of {' and '.join(sorted(map(_of, words)))}"
    return _unavailable(pool.name, why, seconds)


def resting(group: str, seconds: float) -> LimitReached:
    """The error where all that serve a model failed, and the first may be tried again in so many seconds."""
    return _unavailable(group, "all of them failed lately and rest", max(1.0, seconds))


def _unavailable(group: str, why: str, seconds: float) -> LimitReached:
    return LimitReached(
        f"No deployment of {group!r} is available: {why}.",
        hint=f"Try again in {ceil(seconds)} s.",
        retry_after=seconds,
        code=NONE_AVAILABLE,
    )


def _of(word: str) -> str:
    return _LIMITS.get(word, "requests at once")


def _seconds(member: Member, word: str, wish: Wish, now: float) -> float:
    """How long until what stands against a member may have passed."""
    if word == "resting":
        return member.rests_until - now
    meter, deployment, second = member.live.meter, member.deployment, int(now)
    if word == "rpm" and meter is not None and meter.requests is not None and deployment.rpm is not None:
        return float(meter.requests.seconds_until(1, deployment.rpm - meter.elsewhere[0], second))
    if word == "tpm" and meter is not None and meter.tokens is not None and deployment.tpm is not None:
        return float(meter.tokens.seconds_until(wish.prompt_tokens, deployment.tpm - meter.elsewhere[1], second))
    if word in _LIMITS and meter is not None and meter.tallies is not None:
        return meter.tallies.seconds_until(word, wish, second)
    return _PARALLEL_SECONDS
