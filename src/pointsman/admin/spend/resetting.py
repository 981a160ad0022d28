"""``POST /global/spend/reset``: every key and team begins at nothing. The ledger keeps what was spent."""

from __future__ import annotations

from typing import Final

from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.ports import DirectoryQuery, Meter
from pointsman.stores.ports import KeyChanges, KeyQuery

__all__ = ["reset_spend"]

_PAGE: Final = 500


async def reset_spend(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """Set what keys and teams spent in their present period to nothing."""
    await flushed(office)
    await _reset_keys(office)
    await _reset_teams(office)
    return Answer({"message": "Spend for all API Keys and Teams reset successfully", "status": "success"})


async def _reset_keys(office: Office) -> None:
    """The dearest first, so that those who spend meanwhile are not gone through without end."""
    now = office.clock.wall()
    seen: set[str] = set()
    while True:
        page = await office.keys.find(KeyQuery(size=_PAGE, sort_by="spend", counted=False))
        spenders = [record for record in page.records if record.spend and record.token not in seen]
        if not spenders:
            return
        for record in spenders:
            seen.add(record.token)
            office.on_key_change(
                record.token, await office.keys.update(record.token, KeyChanges(updated_at=now, spend=0))
            )


async def _reset_teams(office: Office) -> None:
    number = 1
    while True:
        page = await office.directory.find(TEAMS, DirectoryQuery(page=number, size=_PAGE, sort_by="id"))
        for team in page.records:
            await office.spend.set_amount(Meter("team", team.team_id), 0)
        if number * _PAGE >= page.total:
            return
        number += 1
