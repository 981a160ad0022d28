"""Spending limits of accounts: reserve before, settle after, so that a budget holds however many calls run at once."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import BudgetExceeded
from pointsman.core.price import dollars
from pointsman.policies.accounts import SYSTEM_CALENDAR, Account, Calendar

__all__ = ["demand_budget", "exceeded"]

_NAMES: Final = {
    "team": "Team",
    "user": "User",
    "member": "Team member",
    "organization": "Organization",
    "organization_member": "Organization member",
    "customer": "End user",
    "key_customer": "End user",
    "tag": "Tag",
    "project": "Project",
    "model_group": "Model access group",
    "model": "Model",
    "deployment": "Deployment",
    "provider": "Provider",
    "global": "All keys together",
}


def demand_budget(account: Account, amount: int, status: int, calendar: Calendar = SYSTEM_CALENDAR) -> None:
    """Raise if the money is gone; ``amount`` is what this call may cost, 0 for a free model.

    A call is let in while what is spent and reserved is under the budget, so the budget is never passed by
    more than the one reservation that was let in last.

    Raises:
        BudgetExceeded: with ``status`` (422, or what ``budget_exceeded_status_code`` says).
    """
    if amount == 0:
        return
    budget = account.budget
    if budget is not None and (
        account.spent + account.reserved >= budget or account.share > 1 or account.increase_until is not None
    ):
        _demand_main(account, status, calendar)
    if account.windows:
        _demand_windows(account, status, calendar)


def _demand_main(account: Account, status: int, calendar: Calendar) -> None:
    if account.is_gone(calendar):
        raise exceeded(account, account.held, account.budget or 0, account.spent, status, account.reset_at)


def _demand_windows(account: Account, status: int, calendar: Calendar) -> None:
    gone = account.window_gone(calendar)
    if gone is not None:
        held = account.held_of(gone)
        raise exceeded(account, held, gone.budget, gone.spent, status, gone.reset_at, f" per {gone.duration}")


def exceeded(
    account: Account, held: int, budget: int, spent: int, status: int, reset_at: float | None, period: str = ""
) -> BudgetExceeded:
    """The refusal of a request whose account has ``held`` so much of its budget, of which ``spent`` is settled."""
    whose = "" if account.scope == "key" else f" {_NAMES[account.scope]}={account.name}"
    model = f" Model={account.model}" if account.model else ""
    return BudgetExceeded(
        f"Budget has been exceeded!{whose}{model} Current cost: {dollars(held)}, Max budget: {dollars(budget)}{period}",
        hint=_hint(account, spent, budget, reset_at),
        status=status,
    )


def _hint(account: Account, spent: int, budget: int, reset_at: float | None) -> str:
    whose = account.scope.replace("global", "gateway").replace("key_customer", "customer")
    if account.reserved and spent < budget:
        return f"Other calls of this {whose} hold the rest in reserve; try again when they are done."
    if reset_at is not None:
        return f"It resets by itself at the end of the {whose}'s budget_duration."
    return f"Raise the {whose}'s max_budget, or use a model that costs nothing."
