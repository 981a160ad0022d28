"""Options that several commands have: which gateway, how to print, and the fields of what is made or changed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import msgspec

from pointsman.cli.remote.client import DEFAULT_URL, GatewayClient, found_gateway

__all__ = ["LIMITS", "Call", "Field", "OrNone", "asks_gateway", "confirms", "examples", "takes_fields"]

_NOTHING: Final = "none"

_Command = Callable[..., Any]


class Call(NamedTuple):
    """What a command works with: the gateway, and whether to print JSON."""

    client: GatewayClient
    as_json: bool


class OrNone(click.ParamType[Any]):
    """A value, or the word ``none``, which takes a field away."""

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self.name = f"{kind.name}|none"
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's
        """The value; :data:`NOTHING` for none."""
        if value == _NOTHING:
            return _Nothing
        return self._kind.convert(value, param, ctx)


class _Nothing:
    """Stands for null, which click takes for "not given"."""


class Field(NamedTuple):
    """A field of the management API, and the option that fills it."""

    option: str
    name: str
    kind: click.ParamType[Any]
    help: str
    multiple: bool = False


LIMITS: Final = (
    Field("--max-budget", "max_budget", click.FLOAT, "US dollars that may be spent."),
    Field("--soft-budget", "soft_budget", click.FLOAT, "US dollars after which an alert is sent."),
    Field("--budget-duration", "budget_duration", click.STRING, "When spending begins at nought again: 1d, 7d, 1mo."),
    Field("--rpm", "rpm_limit", click.INT, "Requests a minute."),
    Field("--tpm", "tpm_limit", click.INT, "Tokens a minute."),
    Field("--itpm", "itpm_limit", click.INT, "Tokens a minute that go in."),
    Field("--otpm", "otpm_limit", click.INT, "Tokens a minute that come out."),
    Field("--parallel", "max_parallel_requests", click.INT, "Requests under way at once."),
)


def asks_gateway(command: _Command) -> _Command:
    """Give the command the options that say which gateway, and a :class:`Call` as its first argument."""

    @click.option("--url", metavar="URL", help=f"Address of the gateway.  [default: $POINTSMAN_URL, {DEFAULT_URL}]")
    @click.option(
        "--key",
        "api_key",
        metavar="KEY",
        help="Key to ask with.  [default: $POINTSMAN_API_KEY, else the one kept on this machine]",
    )
    @click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of a gateway here, for its master key.")
    @click.option("--json", "as_json", is_flag=True, help="Print what the gateway answers as JSON.")
    @functools.wraps(command)
    def wrapped(
        *args: object, url: str | None, api_key: str | None, data_dir: Path | None, as_json: bool, **options: object
    ) -> object:
        client = found_gateway(url, api_key, data_dir)
        try:
            return command(Call(client, as_json), *args, **options)
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            raise client.not_understood() from None

    return wrapped


def takes_fields(fields: Sequence[Field]) -> Callable[[_Command], _Command]:
    """Give the command an option for each field, and ``body`` with those that were given."""

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def wrapped(*args: object, more: Sequence[str], **options: Any) -> object:  # noqa: ANN401 - click's
            body: dict[str, object] = {}
            for field in fields:
                value = options.pop(f"field_{field.name}")
                if value is _Nothing:
                    body[field.name] = None
                elif value is not None and value != ():
                    body[field.name] = list(value) if field.multiple else value
            return command(*args, body={**body, **_more(more)}, **options)

        made: _Command = wrapped
        made = click.option(
            "--set", "more", multiple=True, metavar="FIELD=JSON", help="Any other field of the management API."
        )(made)
        for field in reversed(fields):
            kind = field.kind if field.multiple else OrNone(field.kind)
            made = click.option(
                field.option, f"field_{field.name}", type=kind, multiple=field.multiple, help=field.help
            )(made)
        return made

    return decorate


def examples(*lines: str) -> Callable[[_Command], _Command]:
    """Add lines to the command's help, as they are to be typed."""

    def decorate(command: _Command) -> _Command:
        # Click wraps every paragraph that does not begin with this character.
        command.__doc__ = "\n\n".join((inspect.cleandoc(command.__doc__ or ""), "\b\n" + "\n".join(lines)))
        return command

    return decorate


def confirms(command: _Command) -> _Command:
    """Have the command ask first, unless ``--yes``."""

    @click.option("--yes", is_flag=True, help="Do it without asking.")
    @functools.wraps(command)
    def wrapped(*args: object, yes: bool, **options: object) -> object:
        named = ", ".join(str(one) for value in options.values() if isinstance(value, tuple) for one in value)
        if not yes:
            click.confirm(f"Delete {named}?", abort=True, err=True)
        return command(*args, **options)

    return wrapped


def _more(given: Sequence[str]) -> dict[str, object]:
    """``FIELD=JSON``; what is no JSON is a text."""
    found: dict[str, object] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set {one!r} must be FIELD=JSON.")
        try:
            found[name] = msgspec.json.decode(text.encode())
        except (msgspec.MsgspecError, UnicodeEncodeError):
            found[name] = text
    return found
