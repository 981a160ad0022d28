"""``pointsman teams``: teams of a gateway that runs, and who is in them."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from pointsman.cli.remote.client import asked
from pointsman.cli.remote.naming import team_meant
from pointsman.cli.remote.options import LIMITS, Call, Field, asks_gateway, confirms, examples, takes_fields
from pointsman.cli.remote.tables import Column, amount, count, plain, print_json, print_row, print_rows, rows_of

__all__ = ["teams"]

_FIELDS: Final = (
    Field("--alias", "team_alias", click.STRING, "Name of the team."),
    Field("--organization", "organization_id", click.STRING, "The organisation that it belongs to."),
    Field("--model", "models", click.STRING, "A model that it may use; several times.", multiple=True),
    *LIMITS,
    Field("--tpd", "tpd_limit", click.INT, "Tokens a day."),
)  # fmt: skip

_COLUMNS: Final = (
    Column("TEAM", "team_id"),
    Column("ALIAS", "team_alias"),
    Column("ORGANISATION", "organization_id"),
    Column("MEMBERS", "members_with_roles", count, right=True),
    Column("MODELS", "models", lambda value: plain(value) if value else "all"),
    Column("SPENT USD", "spend", amount, right=True),
    Column("BUDGET USD", "max_budget", amount, right=True),
    Column("BLOCKED", "blocked"),
)  # fmt: skip


class _Shown(msgspec.Struct):
    team_info: dict[str, object]


class _Changed(msgspec.Struct):
    data: dict[str, object]


@click.group(short_help="Make, show, change and delete teams.")
@examples(
    "pointsman teams create --alias core --max-budget 100 --budget-duration 1mo",
    "pointsman teams add-member core ann --role admin",
)
def teams() -> None:
    """Teams of a gateway that runs. A TEAM is its id or its alias, a USER their id."""


@teams.command("list", short_help="List teams.")
@click.option("--user", help="Only those of this user.")
@click.option("--organization", help="Only those of this organisation.")
@asks_gateway
def _list_teams(call: Call, user: str | None, organization: str | None) -> None:
    """List teams."""
    body = asked(call.client, "GET", "/team/list", user_id=user, organization_id=organization)
    if call.as_json:
        print_json(body)
    else:
        print_rows(_COLUMNS, rows_of(body), "such teams")


@teams.command("show", short_help="Show a team.")
@click.argument("team")
@asks_gateway
def _show(call: Call, team: str) -> None:
    """Show a TEAM."""
    body = asked(call.client, "GET", "/team/info", team_id=team_meant(call, team))
    if call.as_json:
        print_json(body)
    else:
        print_row(msgspec.json.decode(body, type=_Shown).team_info)


@teams.command("create", short_help="Make a team.")
@click.option("--id", "team_id", help="Its id.  [default: made by the gateway]")
@takes_fields(_FIELDS)
@asks_gateway
@examples("pointsman teams create --alias core --model llama3 --rpm 600")
def _create(call: Call, team_id: str | None, body: dict[str, object]) -> None:
    """Make a team."""
    wanted = body if team_id is None else {**body, "team_id": team_id}
    _tell(call, asked(call.client, "POST", "/team/new", wanted))


@teams.command("update", short_help="Change a team.")
@click.argument("team")
@takes_fields(_FIELDS)
@asks_gateway
def _update(call: Call, team: str, body: dict[str, object]) -> None:
    """Change what is named of a TEAM, and leave the rest; none takes a limit away."""
    if not body:
        raise click.UsageError("Say what to change, for example --max-budget 10.")
    answer = asked(call.client, "POST", "/team/update", {**body, "team_id": team_meant(call, team)})
    if call.as_json:
        print_json(answer)
    else:
        print_rows(_COLUMNS, [msgspec.json.decode(answer, type=_Changed).data], "teams")


@teams.command("block", short_help="Refuse a team's requests.")
@click.argument("team")
@asks_gateway
def _block(call: Call, team: str) -> None:
    """Refuse the requests of every key of a TEAM."""
    _tell(call, asked(call.client, "POST", "/team/block", {"team_id": team_meant(call, team)}))


@teams.command("unblock", short_help="Take a team's requests again.")
@click.argument("team")
@asks_gateway
def _unblock(call: Call, team: str) -> None:
    """Take the requests of a blocked TEAM again."""
    _tell(call, asked(call.client, "POST", "/team/unblock", {"team_id": team_meant(call, team)}))


@teams.command("add-member", short_help="Put a user into a team.")
@click.argument("team")
@click.argument("user")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@asks_gateway
def _add_member(call: Call, team: str, user: str, role: str) -> None:
    """Put a USER into a TEAM."""
    body = {"team_id": team_meant(call, team), "member": {"user_id": user, "role": role}}
    _tell(call, asked(call.client, "POST", "/team/member_add", body))


@teams.command("remove-member", short_help="Take a user out of a team.")
@click.argument("team")
@click.argument("user")
@asks_gateway
def _remove_member(call: Call, team: str, user: str) -> None:
    """Take a USER out of a TEAM."""
    _tell(call, asked(call.client, "POST", "/team/member_delete", {"team_id": team_meant(call, team), "user_id": user}))


@teams.command("delete", short_help="Delete teams.")
@click.argument("teams", nargs=-1, required=True)
@confirms
@asks_gateway
def _delete(call: Call, teams: tuple[str, ...]) -> None:
    """Delete TEAMS, and with them their keys."""
    body = asked(call.client, "POST", "/team/delete", {"team_ids": [team_meant(call, team) for team in teams]})
    if call.as_json:
        print_json(body)
    else:
        click.echo(f"Deleted: {', '.join(teams)}.")


def _tell(call: Call, body: bytes) -> None:
    if call.as_json:
        print_json(body)
    else:
        print_rows(_COLUMNS, [msgspec.json.decode(body, type=dict[str, object])], "teams")
