"""Keys whose rates are guaranteed: together the keys of a team are promised no more than the team has.

Source: LiteLLM 1.109.1, ``rpm_limit_type`` and ``tpm_limit_type`` of ``/key/generate``, which refuse with
``guaranteed_throughput`` what ``best_effort_throughput`` allows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Literal

from pointsman.admin.office import Office
from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.policies.key_terms import terms_of
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.records import Limits
from pointsman.stores.ports import KeyQuery

__all__ = ["demand_throughput"]

_GUARANTEED: Final = "guaranteed_throughput"
_PAGE: Final = 1_000
_What = Literal["rpm", "tpm"]


async def demand_throughput(office: Office, record: KeyRecord, in_place_of: str | None = None) -> None:
    """Raise if the key would be guaranteed what the keys of its team leave nothing of.

    ``in_place_of`` is the hash of the key that it replaces, which is promised nothing beside it.

    Raises:
        Malformed: all together were promised more than the team has.
    """
    limits = terms_of(record).limits
    guaranteed: list[_What] = []
    if limits.rpm_limit_type == _GUARANTEED:
        guaranteed.append("rpm")
    if limits.tpm_limit_type == _GUARANTEED:
        guaranteed.append("tpm")
    if not guaranteed or record.team_id is None:
        return
    team = await office.directory.get(TEAMS, record.team_id)
    if team is None:
        return
    ours = {record.token, in_place_of}
    others = [terms_of(one).limits async for one in _team_keys(office, record.team_id) if one.token not in ours]
    for what in guaranteed:
        _demand(what, "", _rate(limits, what), _rate(team.limits, what), [_rate(one, what) for one in others])
        for model, own in _by_model(limits, what).items():
            most = _by_model(team.limits, what).get(model)
            _demand(what, f" for {model}", own, most, [_by_model(one, what).get(model) for one in others])


def _demand(what: str, of: str, own: int | None, most: int | None, others: list[int | None]) -> None:
    allocated = sum(one for one in others if one is not None)
    if own is None or most is None or allocated + own <= most:
        return
    raise Malformed(
        f"Allocated {what.upper()} limit{of}={allocated} + Key {what.upper()} limit={own} is greater than"
        f" team {what.upper()} limit={most}",
        hint=f"Lower it, or leave {what}_limit_type out to promise nothing.",
        param=f"{what}_limit",
    )


def _rate(limits: Limits, what: _What) -> int | None:
    return limits.rpm_limit if what == "rpm" else limits.tpm_limit


def _by_model(limits: Limits, what: _What) -> dict[str, int]:
    return limits.model_rpm_limit if what == "rpm" else limits.model_tpm_limit


async def _team_keys(office: Office, team_id: str) -> AsyncIterator[KeyRecord]:
    page = 1
    while True:
        found = await office.keys.find(KeyQuery(team_id=team_id, page=page, size=_PAGE))
        for record in found.records:
            yield record
        if page * _PAGE >= found.total:
            return
        page += 1
