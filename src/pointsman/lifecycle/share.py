"""What a request needs of limits that replicas share, asked for where it is not at hand."""

from __future__ import annotations

from pointsman.core.eager import become_task
from pointsman.lifecycle.house import House
from pointsman.policies.admission import Grant

__all__ = ["share"]


async def share(grant: Grant, house: House) -> None:
    """Count an admitted request together with those of other replicas.

    Raises:
        BudgetExceeded, LimitReached: all together they have had enough; the grant is withdrawn.
    """
    shared = house.admission.shared
    if shared is not None and not shared.enter(grant):
        await become_task()
        await shared.ask(grant, int(house.clock.monotonic()))
