"""Lists of models narrowed to what a team may use, as ``team_id`` and ``teamId`` of LiteLLM's lists do."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.admin.governance.entries import every
from pointsman.admin.office import Office
from pointsman.admin.rights import demand, rights_of
from pointsman.core.errors import NotFound
from pointsman.core.upstream import Deployment
from pointsman.policies.gates import gate_of, groups_by_name
from pointsman.policies.principal import Principal
from pointsman.stores.directory.kinds import ACCESS_GROUPS, TEAMS

__all__ = ["Lets", "let_by"]

Lets = Callable[[str, Deployment], bool]
"""Whether a call for a name may be served by a deployment."""


async def let_by(office: Office, caller: Principal, team_id: str | None, param: str) -> Lets:
    """What the team lets through, beyond what the caller may; None: no team narrows it.

    Raises:
        Forbidden: the caller sees nothing of the team; alike whether it exists or not.
        NotFound: there is none, and the caller sees every team.
    """
    if team_id is None:
        return _all
    rights = await rights_of(office, caller)
    team = await office.directory.get(TEAMS, team_id)
    demand(rights.sees_all or (team is not None and rights.sees_team(team)), "see the models of this team")
    if team is None:
        raise NotFound(f"Team not found, passed team_id={team_id}", param=param, code="team_not_found")
    groups = groups_by_name(await every(office, ACCESS_GROUPS))
    gate = gate_of("team", team.alias or team_id, team.models, groups, team.access_group_ids)

    def lets(asked: str, deployment: Deployment) -> bool:
        own = deployment.team_id in {None, team_id}
        return own and (gate is None or gate.lets_through(asked, deployment.group, deployment.access_groups))

    return lets


def _all(_asked: str, _deployment: Deployment) -> bool:
    return True
