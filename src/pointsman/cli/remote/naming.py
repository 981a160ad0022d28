"""Teams as people name them: by id, or by alias where that is one team's only."""

from __future__ import annotations

import msgspec

from pointsman.cli.remote.client import asked
from pointsman.cli.remote.options import Call
from pointsman.core.errors import Malformed, NotFound

__all__ = ["team_meant"]


class _Team(msgspec.Struct):
    team_id: str
    team_alias: str | None = None


class _Teams(msgspec.Struct):
    teams: list[_Team]


def team_meant(call: Call, name: str) -> str:
    """The id of a team.

    Raises:
        NotFound: no team has this id or this alias.
        Malformed: several have this alias.
    """
    try:
        asked(call.client, "GET", "/team/info", team_id=name)
    except NotFound:
        body = asked(call.client, "GET", "/v2/team/list", team_alias=name, page_size=100)
        ids = [team.team_id for team in msgspec.json.decode(body, type=_Teams).teams if team.team_alias == name]
        if not ids:
            raise NotFound(f"No team is called {name!r}.", hint="pointsman teams list shows all.") from None
        if len(ids) > 1:
            raise Malformed(f"Several teams are called {name!r}.", hint=f"Say which: {', '.join(ids)}.") from None
        return ids[0]
    return name
