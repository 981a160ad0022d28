"""What is told of a request that was only imagined: who asks, what would be decided, and why. Seconds and USD."""

from __future__ import annotations

import msgspec

__all__ = [
    "ArmState", "Asker", "Candidate", "Cost", "Experiment", "Explanation", "FallbackChain", "LimitState", "Refusal",
    "RuleState", "Step", "WaitTold",
]  # fmt: skip


class Asker(msgspec.Struct, frozen=True):
    """Whose request it is: the digest of the key and its names."""

    key: str
    key_alias: str | None
    user_id: str | None
    team_id: str | None
    models: tuple[str, ...]
    tags: tuple[str, ...]
    is_operator: bool


class LimitState(msgspec.Struct, frozen=True):
    """One limit that applies, and whose it is; money in USD, rates within the last minute, in this process."""

    name: str
    limit: float
    used: float
    left: float
    of: str = "key"


class Refusal(msgspec.Struct, frozen=True):
    """The error that the request would be answered with, by us."""

    status: int
    code: str
    message: str
    hint: str | None
    retry_after: float | None


class Step(msgspec.Struct, frozen=True):
    """How one name led to the next.

    By ``rule``, ``own_alias`` (of the key's or team's settings), ``key_alias``, ``alias``, ``overflow``, ``variant``,
    ``fallback``.

    The last step says whether the model is spelt out in the configuration (``exact``) or fits a ``wildcard``.
    """

    by: str
    name: str
    to: str


class RuleState(msgspec.Struct, frozen=True):
    """A rule of the operator; ``unmet`` is the condition that does not hold, None where the rule matches."""

    name: str
    unmet: str | None


class Cost(msgspec.Struct, frozen=True):
    """USD, None where nobody told the price. ``bound``: what a budget reserves; ``likely``: as answers were lately."""

    bound: float | None
    likely: float | None


class WaitTold(msgspec.Struct, frozen=True):
    """Seconds until it works on the request; None: there is no telling. ``answer`` is how long answers took lately."""

    rest: float | None
    queue: float
    load: float
    total: float | None
    answer: float | None


class Candidate(msgspec.Struct, frozen=True):
    """A deployment of the model; ``reason`` is why it was dropped, or what was taken for, or None.

    ``api_base`` is for the operator alone.
    """

    deployment: str
    provider: str
    model: str
    kept: bool
    chosen: bool
    reason: str | None
    local: bool
    api_base: str | None
    in_flight: int
    cost: Cost
    wait: WaitTold


class ArmState(msgspec.Struct, frozen=True):
    """An arm of an experiment: its ``percent`` of the callers get the ``model``, ``deployment`` or ``tag``, if any."""

    name: str
    percent: float
    model: str | None = None
    deployment: str | None = None
    tag: str | None = None


class Experiment(msgspec.Struct, frozen=True):
    """The canary or A/B test of the model, and the ``arm`` that the request is in.

    ``stays_by`` is what keeps the caller there: ``key``, ``user`` or ``session``; ``request``: nothing, so that the
    next request is drawn for anew. Not ``served``: nobody of the arm can take the request, so the model itself does.
    """

    arm: str
    stays_by: str
    served: bool
    arms: tuple[ArmState, ...]


class FallbackChain(msgspec.Struct, frozen=True):
    """The models that would be turned to, in order, after a failure of each kind."""

    general: tuple[str, ...] = ()
    context_window: tuple[str, ...] = ()
    content_policy: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Nothing was taken from any limit, and no upstream was asked.

    ``admitted`` tells whether the request would be sent to ``deployment``; if not, ``refusal`` is the answer.
    ``settings`` are the names of those that its key or team has of the router's.
    ``strategy`` chooses where more than one candidate is kept; where it does so by chance, another request may go
    elsewhere.
    """

    asker: Asker
    model: str
    admitted: bool
    refusal: Refusal | None = None
    limits: tuple[LimitState, ...] = ()
    prompt_tokens: int = 0
    output_limit: int | None = None
    rules: tuple[RuleState, ...] = ()
    settings: tuple[str, ...] = ()
    resolved: tuple[Step, ...] = ()
    experiment: Experiment | None = None
    group: str | None = None
    strategy: str | None = None
    candidates: tuple[Candidate, ...] = ()
    deployment: str | None = None
    reason: str | None = None
    fallbacks: FallbackChain = FallbackChain()
    cost: Cost | None = None
    wait: WaitTold | None = None
