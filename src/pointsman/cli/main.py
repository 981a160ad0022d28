"""``pointsman``: the commands and what they share."""

from __future__ import annotations

import errno
import gc
import importlib
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

from pointsman import __version__
from pointsman.cli.streams import show_what_can_be_shown
from pointsman.core.errors import GatewayError

__all__ = ["cli", "main"]

_COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "budgets": "pointsman.cli.budgets",
        "check": "pointsman.cli.check",
        "config": "pointsman.cli.check",
        "db": "pointsman.cli.db.command",
        "doctor": "pointsman.cli.doctor.command",
        "explain": "pointsman.cli.explain",
        "grammar": "pointsman.cli.grammar",
        "keys": "pointsman.cli.keys",
        "mapping": "pointsman.cli.mapping",
        "migrate": "pointsman.cli.migrate.command",
        "projects": "pointsman.cli.projects",
        "providers": "pointsman.cli.providers",
        "secrets": "pointsman.cli.secrets",
        "serve": "pointsman.cli.serve",
        "spend": "pointsman.cli.spend",
        "teams": "pointsman.cli.teams",
        "users": "pointsman.cli.users",
    }
)
"""The module of each command, in which it has its own name."""

_GARBAGE_THRESHOLD: Final = 50_000
"""Modules that are loaded leave little garbage; the default would look through all of them dozens of times."""


class _Commands(click.Group):
    """The commands, each loaded when it is wanted: who lists keys does not wait for a whole gateway."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(_COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pointsman")
def cli() -> None:
    """Pointsman puts local models and cloud providers behind one fast, safe, OpenAI-compatible API.

    Begin with: pointsman serve
    """


def main() -> None:
    """Run the command line; an error of ours is told in a sentence, never as a stack trace."""
    gc.set_threshold(_GARBAGE_THRESHOLD)
    show_what_can_be_shown()
    try:
        cli.main(prog_name="pointsman")
    except GatewayError as error:
        click.echo(f"pointsman: {error.message}", err=True)
        if error.hint:
            click.echo(f"           {error.hint}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        click.echo("pointsman: There is no room where this is written to.", err=True)
        sys.exit(2)
