"""The budget that a key brings for the customers it serves who have none (``end_user_budget_id``): it must be there."""

from __future__ import annotations

from pointsman.admin.office import Office
from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.policies.key_terms import terms_of
from pointsman.stores.directory.kinds import BUDGETS

__all__ = ["demand_customer_budget"]


async def demand_customer_budget(office: Office, record: KeyRecord, before: KeyRecord | None = None) -> None:
    """Raise where the key, new or changed, would bring a budget that does not exist.

    Raises:
        Malformed: it would.
    """
    wanted = terms_of(record).customer_budget_id
    if wanted is None or (before is not None and terms_of(before).customer_budget_id == wanted):
        return
    if await office.directory.get(BUDGETS, wanted) is None:
        raise Malformed(
            f"end_user_budget_id={wanted} does not match any budget.",
            hint="POST /budget/new makes one.",
            param="end_user_budget_id",
        )
