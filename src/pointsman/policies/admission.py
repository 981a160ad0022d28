"""The order in which a request is let in, and the grant that holds what it reserved until it is settled.

Order, each with its reason: expiry and blocking (a dead key learns nothing more) ▸ model access ▸ budgets
(money before rates, as LiteLLM) ▸ rates and concurrency, last, because only they are taken and not only checked. Of
each kind all accounts of the call are checked before anything is taken, so that a refusal burns nothing anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from pointsman.accounting.expected import OUTPUT_TOKENS_ASSUMED, cost_bound
from pointsman.core.errors import LimitReached, Refused
from pointsman.core.upstream import Ask, Deployment
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.policies.accounts import Account
from pointsman.policies.bound import Bound
from pointsman.policies.budgets import demand_budget
from pointsman.policies.key_accounts import KeyAccounts
from pointsman.policies.principal import Principal
from pointsman.policies.rates import demand_rate, give_back, take, take_rate
from pointsman.policies.token_kinds import (
    NO_TOKENS,
    KindTokens,
    demand_kinds,
    expected_kinds,
    replace_kinds,
    take_kinds,
    used_kinds,
)

if TYPE_CHECKING:
    from pointsman.policies.sharing import SharedAccounts

__all__ = ["Admission", "AdmissionSettings", "Elsewhere", "Grant"]

_OUTPUT_SHARE_OF_LIMIT: Final = 4
_DYNAMIC: Final = "dynamic"


class AdmissionSettings(msgspec.Struct, frozen=True):
    """The operator's general limits. ``counted_tokens`` are those that count for limits; None: all of them."""

    parallel_per_key: int | None = None
    parallel_overall: int | None = None
    budget_exceeded_status: int = 422
    counted_tokens: Callable[[Usage], int] | None = None


class Elsewhere(Protocol):
    """What a request has taken of limits that are kept together with other replicas."""

    def settle(self, cost: int, tokens: int, usage: Usage) -> None:
        """Replace what was taken by what was used; ``tokens`` are those that count for limits of all kinds."""
        ...

    def grow(self, cost: int, tokens: int) -> None:
        """Take more, whether or not there is enough."""
        ...

    def move(self, grant: Grant) -> None:
        """Take what the grant now needs instead, whether or not there is enough."""
        ...

    def withdraw(self) -> None:
        """Give everything back."""
        ...


class Grant(msgspec.Struct, eq=False):
    """What an admitted request holds, since ``second``. Settled or released exactly once.

    ``bound`` are the accounts that hold it; None: only the key, and only by what is checked of every key. What other
    replicas must not use meanwhile is held ``elsewhere``. ``kinds`` is what those hold who bound one kind of tokens.
    """

    admission: Admission
    principal: Principal
    cost_reserved: int
    tokens_reserved: int
    second: int
    prompt_estimate: int = 0
    bound: Bound | None = None
    open: bool = True
    elsewhere: Elsewhere | None = None
    kinds: KindTokens = NO_TOKENS

    def grow(self, ask: Ask, deployment: Deployment) -> None:
        """Reserve for a prompt that turned out longer than it looked: what it continues was stored here.

        The call has been let in and stays so, as every call whose size shows only when it is under way; what others
        may still take is less from now on.
        """
        more = ask.prompt_estimate - self.prompt_estimate
        if more <= 0 or not self.open:
            return
        self.prompt_estimate = ask.prompt_estimate
        principal, price, bound = self.principal, deployment.price, self.bound
        cost = 0
        if self.cost_reserved and price is not None:
            cost = price.bound(more, 0)
            self.cost_reserved += cost
            for purse in (principal,) if bound is None else bound.purses:
                purse.reserved += cost
        if bound is not None:
            self._count_tokens(bound, more, KindTokens(input=more))
            self.tokens_reserved += more
            self.kinds = KindTokens(self.kinds.input + more, self.kinds.output)
        elif principal.tpm is not None:
            self.tokens_reserved += more
            principal.tokens.add(more, self.second)
        if self.elsewhere is not None:
            self.elsewhere.grow(cost, more)

    def move(self, ask: Ask, deployment: Deployment) -> None:
        """Reserve for another deployment instead, whose price may differ, and who else is bound there.

        Raises:
            BudgetExceeded, LimitReached: there is not enough left for it; what was reserved stays so.
        """
        principal, admission = self.principal, self.admission
        bound = admission.bound(principal, ask, deployment)
        if bound is not None or self.bound is not None:
            self._move_bound(ask, deployment, bound)
            if self.elsewhere is not None:
                self.elsewhere.move(self)
            return
        cost = 0 if principal.budget is None else _reservation(ask, deployment)
        principal.reserved -= self.cost_reserved
        try:
            demand_budget(principal, cost, admission.settings.budget_exceeded_status, admission.accounts.calendar)
            self.cost_reserved = cost
            self.prompt_estimate = ask.prompt_estimate
        finally:
            principal.reserved += self.cost_reserved
        if self.elsewhere is not None:
            self.elsewhere.move(self)

    def settle(self, cost: int, usage: Usage, second: int) -> None:
        """Replace what was reserved by what was used. A second call does nothing."""
        if not self.open:
            return
        self.open = False
        principal, bound, admission = self.principal, self.bound, self.admission
        counted = admission.settings.counted_tokens
        tokens = usage.prompt + usage.completion if counted is None else counted(usage)
        admission.in_flight -= 1
        if bound is not None:
            self._settle_bound(bound, cost, tokens, second)
            if bound.kinds:
                replace_kinds(bound.kinds, self.kinds, self.second, used_kinds(usage), second)
            if self.elsewhere is not None:
                self.elsewhere.settle(cost, tokens, usage)
            return
        principal.in_flight -= 1
        principal.reserved -= self.cost_reserved
        if cost:
            principal.settle(cost)
        if principal.tpm is not None or self.tokens_reserved:
            principal.tokens.replace(self.tokens_reserved, self.second, tokens, second)
        if self.elsewhere is not None:
            self.elsewhere.settle(cost, tokens, usage)

    def withdraw(self, second: int) -> None:
        """As if the request had never been let in."""
        if not self.open:
            return
        elsewhere, self.elsewhere = self.elsewhere, None
        if elsewhere is not None:
            elsewhere.withdraw()
        self.settle(0, NO_USAGE, second)
        self.admission.admitted -= 1
        for account in (self.principal,) if self.bound is None else self.bound.rated:
            if account.rpm is not None:
                account.requests.replace(1, self.second, 0, second)

    def _settle_bound(self, bound: Bound, cost: int, tokens: int, second: int) -> None:
        principal, reserved = self.principal, self.cost_reserved
        for account in bound.rated:
            account.in_flight -= 1
        for account in bound.purses:
            account.reserved -= reserved
        if cost:
            principal.settle(cost)
            for account in bound.purses:
                if account is not principal:
                    account.settle(cost)
            for account in bound.payers:
                account.settle(cost)
        for account in bound.minutes:
            account.tokens.replace(self.tokens_reserved, self.second, tokens, second)
        for account in bound.days:
            if account.day is not None:
                account.day.replace(self.tokens_reserved, self.second, tokens, second)

    def _move_bound(self, ask: Ask, deployment: Deployment, bound: Bound | None) -> None:
        """Leave the accounts of one deployment for those of another.

        Raises:
            BudgetExceeded, LimitReached: nothing has changed.
        """
        admission, before = self.admission, self.bound or self.admission.key_alone(self.principal)
        after = bound or admission.key_alone(self.principal)
        cost = _reservation(ask, deployment) if after.purses else 0
        kinds = self.kinds if before.kinds else expected_kinds(ask, after.kinds)
        for account in before.purses:
            account.reserved -= self.cost_reserved
        try:
            admission.demand_budgets(after, cost)
            for account in after.rated:
                if account not in before.rated:
                    demand_rate(account, self.tokens_reserved, self.second)
            demand_kinds(_besides(after.kinds, before.kinds), kinds, self.second)
        except Refused:
            for account in before.purses:
                account.reserved += self.cost_reserved
            raise
        _leave(before, after, self.tokens_reserved, self.second)
        replace_kinds(_besides(before.kinds, after.kinds), self.kinds, self.second, NO_TOKENS, self.second)
        for account in after.rated:
            if account not in before.rated:
                take(account, self.second)
        self._count_tokens(after, self.tokens_reserved, kinds, besides=before)
        for account in after.purses:
            account.reserved += cost
        self.bound, self.cost_reserved, self.prompt_estimate, self.kinds = after, cost, ask.prompt_estimate, kinds

    def _count_tokens(self, bound: Bound, tokens: int, kinds: KindTokens, besides: Bound | None = None) -> None:
        new = bound.kinds if besides is None else _besides(bound.kinds, besides.kinds)
        replace_kinds(new, NO_TOKENS, self.second, kinds, self.second)
        for account in bound.minutes:
            if besides is None or account not in besides.minutes:
                account.tokens.add(tokens, self.second)
        for account in bound.days:
            if account.day is not None and (besides is None or account not in besides.days):
                account.day.add(tokens, self.second)


class Admission:
    """Lets requests in; ``draining`` lets in no more.

    ``in_flight`` counts those under way in this process, ``admitted`` all since its start. ``accounts`` are those that
    calls are made for beside their key. ``shared`` counts together with other replicas; None: this process is alone.
    """

    def __init__(self, settings: AdmissionSettings, accounts: KeyAccounts | None = None) -> None:
        self.settings = settings
        self.accounts = KeyAccounts() if accounts is None else accounts
        self.in_flight = self.admitted = 0
        self.draining = False
        self.shared: SharedAccounts | None = None

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
        bound = None
        if not principal.is_plain or ask.end_user is not None or ask.routing is not None:
            bound = self.bound(principal, ask, deployment)
        if bound is not None:
            return self._admit_bound(principal, bound, ask, deployment, second)
        reserve = tokens = 0
        if principal.budget is not None:
            reserve = _reservation(ask, deployment)
            demand_budget(principal, reserve, settings.budget_exceeded_status, self.accounts.calendar)
        tpm = principal.tpm
        if tpm is not None:
            tokens = _tokens(ask, tpm, settings.counted_tokens)
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
        self.admit(principal, ask, deployment, second).withdraw(second)

    def bound(self, principal: Principal, ask: Ask, deployment: Deployment) -> Bound | None:
        """All accounts that the call is bound by; None: by the key alone, and by nothing special of it."""
        bound = None
        if not principal.is_plain:
            try:
                bound = principal.bounds[deployment.id]
            except KeyError:
                bound = self.accounts.bind_call(principal, deployment)
        if ask.end_user is not None or ask.routing is not None:
            more = self.accounts.of_request(principal, ask, deployment)
            if more is not None:
                return (bound or self.key_alone(principal)).plus(more)
        return bound

    def key_alone(self, principal: Principal) -> Bound:
        """What binds a call of the key that has nothing special, in the form of what binds others."""
        return self.accounts.alone(principal)

    def demand_budgets(self, bound: Bound, cost: int) -> None:
        """Raise if the money of one of the accounts is gone.

        Raises:
            BudgetExceeded: nothing has been taken.
        """
        status, calendar = self.settings.budget_exceeded_status, self.accounts.calendar
        for account in bound.purses:
            demand_budget(account, cost, status, calendar)

    def _eased(self, account: Account, deployment: Deployment) -> str:
        """Which of its rates do not bind, since they are to do so only while the model fails."""
        limits = account.limits
        eased = ("r" if limits.rpm_limit_type == _DYNAMIC else "") + ("t" if limits.tpm_limit_type == _DYNAMIC else "")
        return eased if eased and not self.accounts.is_failing(deployment.group) else ""

    def _admit_bound(self, principal: Principal, bound: Bound, ask: Ask, deployment: Deployment, second: int) -> Grant:
        reserve = tokens = 0
        if bound.purses:
            reserve = _reservation(ask, deployment)
            if reserve:
                self.demand_budgets(bound, reserve)
        if bound.tpm is not None:
            tokens = _tokens(ask, bound.tpm, self.settings.counted_tokens)
        elif bound.days:
            tokens = _tokens(ask, None, self.settings.counted_tokens)
        if bound.is_dynamic:
            self._demand_rates(principal, bound, tokens, second, deployment)
        else:
            parallel = self.settings.parallel_per_key
            if parallel is not None:
                demand_rate(principal, tokens, second, parallel)
            for account in bound.rated:
                demand_rate(account, tokens, second)
        kinds = take_kinds(bound.kinds, ask, second) if bound.kinds else NO_TOKENS
        for account in bound.rated:
            account.in_flight += 1
            if account.rpm is not None:
                account.requests.add(1, second)
        for account in bound.purses:
            account.reserved += reserve
        for account in bound.minutes:
            account.tokens.add(tokens, second)
        for account in bound.days:
            if account.day is not None:
                account.day.add(tokens, second)
        self.in_flight += 1
        self.admitted += 1
        return Grant(self, principal, reserve, tokens, second, ask.prompt_estimate, bound, kinds=kinds)

    def _demand_rates(
        self, principal: Principal, bound: Bound, tokens: int, second: int, deployment: Deployment
    ) -> None:
        """As where no limit is dynamic, those that are eased as long as the model does not fail."""
        for account in bound.rated:
            parallel = self.settings.parallel_per_key if account is principal else None
            demand_rate(account, tokens, second, parallel, self._eased(account, deployment))


def _leave(before: Bound, after: Bound, tokens: int, second: int) -> None:
    """Give back what accounts hold that have no more to do with a call."""
    for account in before.rated:
        if account not in after.rated:
            give_back(account, second, second)
    for account in before.minutes:
        if account not in after.minutes:
            account.tokens.replace(tokens, second, 0, second)
    for account in before.days:
        if account.day is not None and account not in after.days:
            account.day.replace(tokens, second, 0, second)


def _besides(accounts: Iterable[Account], others: Collection[Account]) -> tuple[Account, ...]:
    return tuple(account for account in accounts if account not in others)


def _tokens(ask: Ask, tpm: int | None, counted: Callable[[Usage], int] | None) -> int:
    """What the request probably uses; ``tpm`` is the smallest limit of a minute."""
    if ask.output_limit is None:
        output = OUTPUT_TOKENS_ASSUMED if tpm is None else min(OUTPUT_TOKENS_ASSUMED, tpm // _OUTPUT_SHARE_OF_LIMIT)
    else:
        output = ask.output_limit * ask.choices
    return ask.prompt_estimate + output if counted is None else counted(Usage(ask.prompt_estimate, output))


def _reservation(ask: Ask, deployment: Deployment) -> int:
    """What is reserved of a budget for the request, in picodollars: what it can cost at most, or probably."""
    bound = cost_bound(deployment, ask.prompt_estimate, ask.output_limit, ask.choices) if deployment.charges else None
    # Its tokens may be free and its energy not; of that nobody knows before how much it will be.
    return 0 if bound is None else max(1, bound)
