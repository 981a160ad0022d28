"""Spending limits of a key: reserve before, settle after, so that a budget holds however many calls run at once."""

from __future__ import annotations

from pointsman.core.errors import BudgetExceeded
from pointsman.core.price import dollars
from pointsman.policies.principal import Principal

__all__ = ["demand_budget"]


def demand_budget(principal: Principal, amount: int, status: int) -> None:
    """Raise if the money is gone; ``amount`` is what this call may cost, 0 for a free model.

    A call is let in while what is spent and reserved is under the budget, so the budget is never passed by
    more than the one reservation that was let in last.

    Raises:
        BudgetExceeded: with ``status`` (422, or what ``budget_exceeded_status_code`` says).
    """
    budget = principal.record.max_budget
    if budget is None or amount == 0:
        return
    held = principal.spent + principal.reserved * principal.share
    if held >= budget:
        raise BudgetExceeded(
            f"Budget has been exceeded! Current cost: {dollars(held)}, Max budget: {dollars(budget)}",
            hint=_hint(principal),
            status=status,
        )


def _hint(principal: Principal) -> str:
    if principal.reserved and principal.spent < (principal.record.max_budget or 0):
        return "Other calls of this key hold the rest in reserve; try again when they are done."
    if principal.record.budget_reset_at is not None:
        return "It resets by itself at the end of the key's budget_duration."
    return "Raise the key's max_budget, or use a model that costs nothing."
