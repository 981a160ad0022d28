"""``pointsman keys``: virtual keys of a gateway that runs."""

from __future__ import annotations

import re
from typing import Final

import click
import msgspec

from pointsman.cli.remote.client import asked
from pointsman.cli.remote.naming import team_meant
from pointsman.cli.remote.options import LIMITS, Call, Field, asks_gateway, confirms, examples, takes_fields
from pointsman.cli.remote.tables import Column, amount, plain, print_json, print_row, print_rows
from pointsman.core.errors import NotFound

__all__ = ["keys"]

_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASH_SHOWN: Final = 12
_SHORT_HASH: Final = re.compile(r"[0-9a-f]{6,63}", re.ASCII)
_ALL: Final = "pointsman keys list shows all."
_WHOLE: Final = "A hash has to be whole, as pointsman keys list --json has it."

_FIELDS: Final = (
    Field("--alias", "key_alias", click.STRING, "Name of the key."),
    Field("--model", "models", click.STRING, "A model that it may use; several times.", multiple=True),
    *LIMITS,
    Field("--budget-id", "budget_id", click.STRING, "A budget that it has."),
    Field("--duration", "duration", click.STRING, "How long it works: 30d, 12h."),
    Field("--user", "user_id", click.STRING, "Whose it is."),
    Field("--team", "team_id", click.STRING, "The team that it belongs to."),
    Field("--project", "project_id", click.STRING, "The project of that team that it is for."),
    Field("--tag", "tags", click.STRING, "A tag of its calls; give it several times.", multiple=True),
)  # fmt: skip

_COLUMNS: Final = (
    Column("KEY", "key_name"),
    Column("ALIAS", "key_alias"),
    Column("HASH", "token", lambda value: plain(value)[:_HASH_SHOWN]),
    Column("USER", "user_id"),
    Column("TEAM", "team_id"),
    Column("MODELS", "models", lambda value: plain(value) if value else "all"),
    Column("SPENT USD", "spend", amount, right=True),
    Column("BUDGET USD", "max_budget", amount, right=True),
    Column("EXPIRES", "expires", lambda value: plain(value)[:10]),
    Column("BLOCKED", "blocked"),
)


class _Page(msgspec.Struct):
    keys: list[dict[str, object]]
    total_count: int = 0
    current_page: int = 1
    total_pages: int = 1


@click.group(short_help="Make, show, change, rotate and delete keys.")
@examples(
    "pointsman keys create --alias ann --model llama3 --max-budget 5 --budget-duration 1mo",
    "pointsman keys list --team core",
    "pointsman keys rotate ann --grace 24h",
)
def keys() -> None:
    """Virtual keys of a gateway that runs. A KEY is the key itself, its hash, or its alias."""


@keys.command("list", short_help="List keys.")
@click.option("--user", help="Only those of this user.")
@click.option("--team", help="Only those of this team.")
@click.option("--alias", help="Only those in whose alias this occurs.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@click.option("--size", type=click.IntRange(1, 100), default=50, show_default=True, help="Keys on a page.")
@asks_gateway
@examples("pointsman keys list --user ann", "pointsman keys list --json | jq -r '.keys[].token'")
def _list_keys(call: Call, user: str | None, team: str | None, alias: str | None, page: int, size: int) -> None:
    """List keys, the newest first."""
    body = asked(
        call.client, "GET", "/key/list", user_id=user, team_id=team and team_meant(call, team), key_alias=alias,
        substring_matching="true" if alias else None, page=page, size=size, return_full_object="true",
    )  # fmt: skip
    if call.as_json:
        print_json(body)
        return
    found = msgspec.json.decode(body, type=_Page)
    print_rows(_COLUMNS, found.keys, "such keys")
    if found.total_pages > 1:
        click.echo(f"Page {found.current_page} of {found.total_pages}, {found.total_count} keys.", err=True)


@keys.command("show", short_help="Show a key.")
@click.argument("key")
@asks_gateway
def _show(call: Call, key: str) -> None:
    """Show all that is known of a KEY, what it has spent among it."""
    body = asked(call.client, "GET", "/key/info", key=_meant(call, key))
    if call.as_json:
        print_json(body)
    else:
        told = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        print_row(msgspec.json.decode(told["info"], type=dict[str, object]))


@keys.command("create", short_help="Make a key.")
@takes_fields(_FIELDS)
@asks_gateway
@examples(
    "pointsman keys create --alias ci --team core --rpm 60 --duration 90d",
    'pointsman keys create --set \'metadata={"owner": "ann"}\'',
)
def _create(call: Call, body: dict[str, object]) -> None:
    """Make a key and print it, this once."""
    _tell_key(call, asked(call.client, "POST", "/key/generate", _of_team(call, body)))


@keys.command("update", short_help="Change a key.")
@click.argument("key")
@takes_fields(_FIELDS)
@asks_gateway
@examples("pointsman keys update ann --max-budget 10 --rpm none")
def _update(call: Call, key: str, body: dict[str, object]) -> None:
    """Change what is named of a KEY, and leave the rest; none takes a limit away."""
    if not body:
        raise click.UsageError("Say what to change, for example --max-budget 10.")
    _tell(call, asked(call.client, "POST", "/key/update", {**_of_team(call, body), "key": _meant(call, key)}))


@keys.command("block", short_help="Let nobody use a key.")
@click.argument("key")
@asks_gateway
def _block(call: Call, key: str) -> None:
    """Let nobody use a KEY until it is unblocked."""
    _tell(call, asked(call.client, "POST", "/key/block", {"key": _meant(call, key)}))


@keys.command("unblock", short_help="Let a key be used again.")
@click.argument("key")
@asks_gateway
def _unblock(call: Call, key: str) -> None:
    """Let a blocked KEY be used again."""
    _tell(call, asked(call.client, "POST", "/key/unblock", {"key": _meant(call, key)}))


@keys.command("delete", short_help="Delete keys.")
@click.argument("keys", nargs=-1, required=True)
@confirms
@asks_gateway
@examples("pointsman keys delete ann bob --yes")
def _delete(call: Call, keys: tuple[str, ...]) -> None:
    """Delete KEYS; they stop working at once."""
    body = asked(call.client, "POST", "/key/delete", {"keys": [_meant(call, key) for key in keys]})
    if call.as_json:
        print_json(body)
    else:
        click.echo(f"Deleted: {', '.join(keys)}.")


@keys.command("rotate", short_help="Put a new key in the place of another.")
@click.argument("key")
@click.option("--grace", "grace_period", metavar="DURATION", help="How long the old one still works: 24h.")
@click.option("--new-key", help="The new key, where the gateway lets one choose.  [default: made by the gateway]")
@asks_gateway
@examples("pointsman keys rotate ann --grace 24h")
def _rotate(call: Call, key: str, grace_period: str | None, new_key: str | None) -> None:
    """Put a new key in the place of a KEY, with its limits and what it has spent, and print it, this once."""
    wanted = {"key": _meant(call, key), "grace_period": grace_period, "new_key": new_key}
    body = {name: value for name, value in wanted.items() if value is not None}
    _tell_key(call, asked(call.client, "POST", "/key/regenerate", body))


def _meant(call: Call, key: str) -> str:
    """The key itself or its hash; an alias is looked up.

    Raises:
        NotFound: no key has this alias.
    """
    if key.startswith("sk-") or _HASH.fullmatch(key):
        return key
    body = asked(call.client, "GET", "/key/list", key_alias=key, size=1, return_full_object="true")
    found = msgspec.json.decode(body, type=_Page).keys
    if not found:
        raise NotFound(f"No key is called {key!r}.", hint=_WHOLE if _SHORT_HASH.fullmatch(key) else _ALL)
    return str(found[0]["token"])


def _of_team(call: Call, body: dict[str, object]) -> dict[str, object]:
    """The same with the id of the team that is named: a key of a team that is not there would have no limits."""
    team = body.get("team_id")
    return {**body, "team_id": team_meant(call, team)} if isinstance(team, str) else body


def _tell(call: Call, body: bytes) -> None:
    if call.as_json:
        print_json(body)
    else:
        print_rows(_COLUMNS, [msgspec.json.decode(body, type=dict[str, object])], "keys")


def _tell_key(call: Call, body: bytes) -> None:
    """A new key: itself on standard output, so that it can be piped on; the rest beside it."""
    if call.as_json:
        print_json(body)
        return
    row = msgspec.json.decode(body, type=dict[str, object])
    click.echo("Keep this key; it is not shown again.", err=True)
    click.echo(row["key"])
