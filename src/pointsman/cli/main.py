"""``pointsman``: the commands and what they share."""

from __future__ import annotations

import errno
import sys

import click

from pointsman import __version__
from pointsman.cli.budgets import budgets
from pointsman.cli.check import check, config
from pointsman.cli.db.command import db
from pointsman.cli.doctor.command import doctor
from pointsman.cli.explain import explain
from pointsman.cli.keys import keys
from pointsman.cli.mapping import mapping
from pointsman.cli.migrate.command import migrate
from pointsman.cli.providers import providers
from pointsman.cli.secrets import secrets
from pointsman.cli.serve import serve
from pointsman.cli.spend import spend
from pointsman.cli.teams import teams
from pointsman.cli.users import users
from pointsman.core.errors import GatewayError

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pointsman")
def cli() -> None:
    """Pointsman puts local models and cloud providers behind one fast, safe, OpenAI-compatible API.

    Begin with: pointsman serve
    """


cli.add_command(serve)
cli.add_command(budgets)
cli.add_command(check)
cli.add_command(config)
cli.add_command(db)
cli.add_command(doctor)
cli.add_command(explain)
cli.add_command(keys)
cli.add_command(mapping)
cli.add_command(migrate)
cli.add_command(providers)
cli.add_command(secrets)
cli.add_command(spend)
cli.add_command(teams)
cli.add_command(users)


def main() -> None:
    """Run the command line; an error of ours is told in a sentence, never as a stack trace."""
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
