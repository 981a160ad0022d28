"""``pointsman projects``: projects of teams of a gateway that runs."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from pointsman.cli.remote.client import asked
from pointsman.cli.remote.naming import team_meant
from pointsman.cli.remote.options import LIMITS, Call, Field, asks_gateway, confirms, examples, takes_fields
from pointsman.cli.remote.tables import Column, amount, plain, print_json, print_row, print_rows, rows_of

__all__ = ["projects"]

_FIELDS: Final = (
    Field("--alias", "project_alias", click.STRING, "Name of the project."),
    Field("--description", "description", click.STRING, "What it is for."),
    Field("--model", "models", click.STRING, "A model that it may use; several times.", multiple=True),
    Field("--tag", "tags", click.STRING, "A tag of its calls; several times.", multiple=True),
    *LIMITS,
    Field("--tpd", "tpd_limit", click.INT, "Tokens a day."),
)  # fmt: skip

_COLUMNS: Final = (
    Column("PROJECT", "project_id"),
    Column("ALIAS", "project_alias"),
    Column("TEAM", "team_id"),
    Column("MODELS", "models", lambda value: plain(value) if value else "all"),
    Column("SPENT USD", "spend", amount, right=True),
    Column("BLOCKED", "blocked"),
)  # fmt: skip


@click.group(short_help="Make, show, change and delete projects of teams.")
@examples(
    "pointsman projects create core --alias search --max-budget 100 --budget-duration 1mo",
    "pointsman projects update search --max-budget 200",
)
def projects() -> None:
    """Projects of a gateway that runs. A PROJECT is its id, a TEAM its id or its alias."""


@projects.command("list", short_help="List projects.")
@asks_gateway
def _list_projects(call: Call) -> None:
    """List projects."""
    body = asked(call.client, "GET", "/project/list")
    if call.as_json:
        print_json(body)
    else:
        print_rows(_COLUMNS, rows_of(body), "projects")


@projects.command("show", short_help="Show a project.")
@click.argument("project")
@asks_gateway
def _show(call: Call, project: str) -> None:
    """Show a PROJECT."""
    body = asked(call.client, "GET", "/project/info", project_id=project)
    if call.as_json:
        print_json(body)
    else:
        print_row(msgspec.json.decode(body, type=dict[str, object]))


@projects.command("create", short_help="Make a project of a team.")
@click.argument("team")
@click.option("--id", "project_id", help="Its id.  [default: made by the gateway]")
@takes_fields(_FIELDS)
@asks_gateway
@examples("pointsman projects create core --alias search --model llama3 --rpm 600")
def _create(call: Call, team: str, project_id: str | None, body: dict[str, object]) -> None:
    """Make a project of a TEAM."""
    wanted = body if project_id is None else {**body, "project_id": project_id}
    _tell(call, asked(call.client, "POST", "/project/new", {**wanted, "team_id": team_meant(call, team)}))


@projects.command("update", short_help="Change a project.")
@click.argument("project")
@takes_fields(_FIELDS)
@asks_gateway
def _update(call: Call, project: str, body: dict[str, object]) -> None:
    """Change what is named of a PROJECT, and leave the rest; none takes a limit away."""
    if not body:
        raise click.UsageError("Say what to change, for example --max-budget 10.")
    _tell(call, asked(call.client, "POST", "/project/update", {**body, "project_id": project}))


@projects.command("block", short_help="Refuse a project's requests.")
@click.argument("project")
@asks_gateway
def _block(call: Call, project: str) -> None:
    """Refuse the requests of every key of a PROJECT."""
    _tell(call, asked(call.client, "POST", "/project/update", {"project_id": project, "blocked": True}))


@projects.command("unblock", short_help="Take a project's requests again.")
@click.argument("project")
@asks_gateway
def _unblock(call: Call, project: str) -> None:
    """Take the requests of a blocked PROJECT again."""
    _tell(call, asked(call.client, "POST", "/project/update", {"project_id": project, "blocked": False}))


@projects.command("delete", short_help="Delete projects.")
@click.argument("projects", nargs=-1, required=True)
@confirms
@asks_gateway
def _delete(call: Call, projects: tuple[str, ...]) -> None:
    """Delete PROJECTS, which must have no keys any more."""
    body = asked(call.client, "DELETE", "/project/delete", {"project_ids": list(projects)})
    if call.as_json:
        print_json(body)
    else:
        click.echo(f"Deleted: {', '.join(projects)}.")


def _tell(call: Call, body: bytes) -> None:
    if call.as_json:
        print_json(body)
    else:
        print_rows(_COLUMNS, [msgspec.json.decode(body, type=dict[str, object])], "projects")
