"""``pointsman users``: the people of a gateway that runs."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from pointsman.cli.remote.client import asked
from pointsman.cli.remote.options import LIMITS, Call, Field, asks_gateway, confirms, examples, takes_fields
from pointsman.cli.remote.tables import Column, amount, plain, print_json, print_row, print_rows

__all__ = ["users"]

_ROLES: Final = click.Choice(["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"])

_FIELDS: Final = (
    Field("--email", "user_email", click.STRING, "E-mail address."),
    Field("--alias", "user_alias", click.STRING, "Name."),
    Field("--role", "user_role", _ROLES, "What they may do."),
    Field("--model", "models", click.STRING, "A model that they may use; several times.", multiple=True),
    *LIMITS,
)  # fmt: skip

_COLUMNS: Final = (
    Column("USER", "user_id"),
    Column("E-MAIL", "user_email"),
    Column("ALIAS", "user_alias"),
    Column("ROLE", "user_role"),
    Column("TEAMS", "teams", lambda value: plain(value) if value else "-"),
    Column("SPENT USD", "spend", amount, right=True),
    Column("BUDGET USD", "max_budget", amount, right=True),
)


class _Page(msgspec.Struct):
    users: list[dict[str, object]]
    total: int = 0
    page: int = 1
    total_pages: int = 1


class _Shown(msgspec.Struct):
    user_info: dict[str, object] | None = None


class _Changed(msgspec.Struct):
    data: dict[str, object]


@click.group(short_help="Make, show, change and delete users.")
@examples(
    "pointsman users create ann --email ann@example.org --max-budget 20 --budget-duration 1mo",
    "pointsman users list --role proxy_admin",
)
def users() -> None:
    """The people of a gateway that runs."""


@users.command("list", short_help="List users.")
@click.option("--role", type=_ROLES, help="Only those with this role.")
@click.option("--email", help="Only those in whose address this occurs.")
@click.option("--team", help="Only those in this team.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@click.option("--size", type=click.IntRange(1, 100), default=25, show_default=True, help="Users on a page.")
@asks_gateway
def _list_users(call: Call, role: str | None, email: str | None, team: str | None, page: int, size: int) -> None:
    """List users."""
    body = asked(call.client, "GET", "/user/list", role=role, user_email=email, team=team, page=page, page_size=size)
    if call.as_json:
        print_json(body)
        return
    found = msgspec.json.decode(body, type=_Page)
    print_rows(_COLUMNS, found.users, "such users")
    if found.total_pages > 1:
        click.echo(f"Page {found.page} of {found.total_pages}, {found.total} users.", err=True)


@users.command("show", short_help="Show a user.")
@click.argument("user")
@asks_gateway
def _show(call: Call, user: str) -> None:
    """Show a USER by their id."""
    body = asked(call.client, "GET", "/user/info", user_id=user)
    if call.as_json:
        print_json(body)
    else:
        print_row(msgspec.json.decode(body, type=_Shown).user_info or {})


@users.command("create", short_help="Make a user.")
@click.argument("user", required=False)
@click.option("--with-key", is_flag=True, help="Also make a key for them, and print it.")
@takes_fields(_FIELDS)
@asks_gateway
@examples("pointsman users create ann --email ann@example.org --role internal_user --with-key")
def _create(call: Call, user: str | None, *, with_key: bool, body: dict[str, object]) -> None:
    """Make a USER; without an id they get one."""
    wanted = {"auto_create_key": with_key, **body}
    answer = asked(call.client, "POST", "/user/new", wanted if user is None else {**wanted, "user_id": user})
    if call.as_json:
        print_json(answer)
        return
    row = msgspec.json.decode(answer, type=dict[str, object])
    print_rows(_COLUMNS, [row], "users")
    if with_key:
        click.echo("Keep this key; it is not shown again.", err=True)
        click.echo(row.get("key"))


@users.command("update", short_help="Change a user.")
@click.argument("user")
@takes_fields(_FIELDS)
@asks_gateway
def _update(call: Call, user: str, body: dict[str, object]) -> None:
    """Change what is named of a USER, and leave the rest; none takes a limit away."""
    if not body:
        raise click.UsageError("Say what to change, for example --max-budget 10.")
    _change(call, user, body)


@users.command("block", short_help="Refuse a user's requests.")
@click.argument("user")
@asks_gateway
def _block(call: Call, user: str) -> None:
    """Refuse the requests of every key of a USER."""
    _change(call, user, {"blocked": True})


@users.command("unblock", short_help="Take a user's requests again.")
@click.argument("user")
@asks_gateway
def _unblock(call: Call, user: str) -> None:
    """Take the requests of a blocked USER again."""
    _change(call, user, {"blocked": False})


@users.command("delete", short_help="Delete users.")
@click.argument("users", nargs=-1, required=True)
@confirms
@asks_gateway
def _delete(call: Call, users: tuple[str, ...]) -> None:
    """Delete USERS by their ids, and with them their keys."""
    body = asked(call.client, "POST", "/user/delete", {"user_ids": list(users)})
    if call.as_json:
        print_json(body)
    else:
        click.echo(f"Deleted: {', '.join(users)}.")


def _change(call: Call, user: str, body: dict[str, object]) -> None:
    answer = asked(call.client, "POST", "/user/update", {**body, "user_id": user})
    if call.as_json:
        print_json(answer)
    else:
        print_rows(_COLUMNS, [msgspec.json.decode(answer, type=_Changed).data], "users")
