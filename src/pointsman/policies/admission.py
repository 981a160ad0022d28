"""The order in which a request is let in, and the grant that holds what it reserved until it is settled.

Order, each with its reason: expiry and blocking (a dead key learns nothing more) ▸ model access ▸ budget
(money before rates, as LiteLLM) ▸ rates and concurrency, last, because only they are taken and not only checked.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.accounting.expected import OUTPUT_TOKENS_ASSUMED, cost_bound
from pointsman.core.errors import LimitReached
from pointsman.core.upstream import Ask, Deployment
from pointsman.policies.budgets import demand_budget
from pointsman.policies.principal import Principal
from pointsman.policies.rates import take_rate

__all__ = ["Admission", "AdmissionSettings", "Grant"]

_OUTPUT_SHARE_OF_LIMIT: Final = 4


class AdmissionSettings(msgspec.Struct, frozen=True):
    """The operator's general limits."""

    parallel_per_key: int | None = None
    parallel_overall: int | None = None
    budget_exceeded_status: int = 422


class Grant(msgspec.Struct, eq=False):
    """What an admitted request holds, since ``second``. Settled or released exactly once."""

    admission: Admission
    principal: Principal
    cost_reserved: int
    tokens_reserved: int
    second: int
    prompt_estimate: int = 0
    open: bool = True

    def grow(self, ask: Ask, deployment: Deployment) -> None:
        """Reserve for a prompt that turned out longer than it looked: what it continues was stored here.

        The call has been let in and stays so, as every call whose size shows only when it is under way; what others
        may still take is less from now on.
        """
        more = ask.prompt_estimate - self.prompt_estimate
        if more <= 0 or not self.open:
            return
        self.prompt_estimate = ask.prompt_estimate
        principal, price = self.principal, deployment.price
        if self.cost_reserved and price is not None:
            cost = price.bound(more, 0)
            self.cost_reserved += cost
            principal.reserved += cost
        if principal.tpm is not None:
            self.tokens_reserved += more
            principal.tokens.add(more, self.second)

    def move(self, ask: Ask, deployment: Deployment) -> None:
        """Reserve for another deployment instead, whose price may differ.

        Raises:
            BudgetExceeded: there is not enough left for it; what was reserved stays so.
        """
        principal, admission = self.principal, self.admission
        cost = 0 if principal.record.max_budget is None else _reservation(ask, deployment)
        principal.reserved -= self.cost_reserved
        try:
            demand_budget(principal, cost, admission.settings.budget_exceeded_status)
            self.cost_reserved = cost
            self.prompt_estimate = ask.prompt_estimate
        finally:
            principal.reserved += self.cost_reserved

    def settle(self, cost: int, tokens: int, second: int) -> None:
        """Replace what was reserved by what was used. A second call does nothing."""
        if not self.open:
            return
        self.open = False
        principal = self.principal
        self.admission.in_flight -= 1
        principal.in_flight -= 1
        principal.reserved -= self.cost_reserved
        if cost:
            principal.settle(cost)
        if principal.tpm is not None or self.tokens_reserved:
            principal.tokens.replace(self.tokens_reserved, self.second, tokens, second)


class Admission:
    """Lets requests in; ``draining`` lets in no more.

    ``in_flight`` counts those under way in this process, ``admitted`` all since its start.
    """

    def __init__(self, settings: AdmissionSettings) -> None:
        self.settings = settings
        self.in_flight = self.admitted = 0
        self.draining = False

    def admit(self, principal: Principal, ask: Ask, deployment: Deployment, second: int) -> Grant:
        """Check every limit, then take what the request needs. ``second`` is monotonic.

        Raises:
            BudgetExceeded, LimitReached: nothing has been taken.
        """
        if self.draining:
            raise LimitReached(
                "The gateway is shutting down.",
                hint="Try again in 1 s.",
                status=503,
                code="shutting_down",
                retry_after=1.0,
            )
        settings = self.settings
        overall = settings.parallel_overall
        if overall is not None and self.in_flight >= overall:
            raise LimitReached(
                f"The gateway is at its limit of {overall} requests at once.", hint="Try again in 1 s.", retry_after=1.0
            )
        reserve = tokens = 0
        if principal.record.max_budget is not None:
            reserve = _reservation(ask, deployment)
            demand_budget(principal, reserve, settings.budget_exceeded_status)
        tpm = principal.tpm
        if tpm is not None:
            if ask.output_limit is None:
                output = min(OUTPUT_TOKENS_ASSUMED, tpm // _OUTPUT_SHARE_OF_LIMIT)
            else:
                output = ask.output_limit * ask.choices
            tokens = ask.prompt_estimate + output
        take_rate(principal, tokens, second, settings.parallel_per_key)
        self.in_flight += 1
        self.admitted += 1
        principal.in_flight += 1
        principal.reserved += reserve
        return Grant(self, principal, reserve, tokens, second, ask.prompt_estimate)

    def try_out(self, principal: Principal, ask: Ask, deployment: Deployment, second: int) -> None:
        """Whether :meth:`admit` would let the request in; what that takes is given back at once, before anybody looks.

        Raises:
            BudgetExceeded, LimitReached: it would not.
        """
        self.admit(principal, ask, deployment, second).settle(0, 0, second)
        self.admitted -= 1
        if principal.rpm is not None:
            principal.requests.replace(1, second, 0, second)


def _reservation(ask: Ask, deployment: Deployment) -> int:
    """What is reserved of a budget for the request, in picodollars: what it can cost at most, or probably."""
    bound = cost_bound(deployment, ask.prompt_estimate, ask.output_limit, ask.choices) if deployment.charges else None
    # Its tokens may be free and its energy not; of that nobody knows before how much it will be.
    return 0 if bound is None else max(1, bound)
