"""The ``pointsman serve`` command: from options to a plan, and from the plan to running workers."""

from __future__ import annotations

import ipaddress
import os
import stat
from pathlib import Path
from shlex import quote
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from pointsman.assembly.configuration import read_configuration
from pointsman.assembly.master_key import kept_master_key
from pointsman.assembly.plan import DemoModel, ServePlan
from pointsman.cli.banner import show_banner
from pointsman.cli.supervisor import supervise
from pointsman.cli.worker import listening_socket, run_worker
from pointsman.config.data_directory import default_data_directory, in_container
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.core.errors import Misconfigured
from pointsman.telemetry.logs import set_up_logs

__all__ = ["serve"]

_DEFAULT_HOST: Final = "127.0.0.1"
_DEFAULT_PORT: Final = 4000
_DIRECTORY_MODE: Final = 0o700
_DATA_HELP: Final = (
    "Folder for everything that is written.  [default: $POINTSMAN_DATA_DIR, else the platform's folder for data of"
    " programs; ./data in a container]"
)


@click.command()
@click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(path_type=Path),
    help="LiteLLM's config.yaml.  [default: $POINTSMAN_CONFIG]",
)
@click.option("--host", help=f"Address to listen on.  [default: $POINTSMAN_HOST, else {_DEFAULT_HOST}]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port to listen on.  [default: $POINTSMAN_PORT, else {_DEFAULT_PORT}]",
)
@click.option(
    "--ollama",
    multiple=True,
    metavar="URL",
    help="An Ollama server; may be given several times.  [default: $OLLAMA_HOST, else the usual port]",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help=_DATA_HELP)
@click.option(
    "--workers", type=click.IntRange(1, 512), help="Number of processes.  [default: $POINTSMAN_WORKERS, else 1]"
)
@click.option("--demo", is_flag=True, help="Fetch and run a small real model (a toy), to try it all at once.")
@click.option("--no-auth", is_flag=True, help="Ask for no key. Only on a loopback address.")
def serve(
    config_path: Path | None,
    host: str | None,
    port: int | None,
    ollama: tuple[str, ...],
    data_dir: Path | None,
    workers: int | None,
    *,
    demo: bool,
    no_auth: bool,
) -> None:
    """Serve models over the OpenAI API.

    Without a configuration it looks for model servers on this machine (Ollama, LM Studio, llama.cpp, vLLM, SGLang)
    and serves what they have.
    """
    environment = process_environment()
    said = EnvironmentSettings.read(environment)
    plan = ServePlan(
        host=host or said.host or _DEFAULT_HOST,
        port=next(number for number in (port, said.port, _DEFAULT_PORT) if number is not None),
        data_directory=data_dir
        or said.data_directory
        or default_data_directory(environment, container=in_container(environment)),
        config_path=config_path or said.config_path,
        ollama=ollama,
        authenticate=not no_auth,
        workers=workers or said.workers or 1,
    )
    _demand_safety(plan)
    _make_directory(plan.data_directory)
    _serve(plan, demo=demo)


def _serve(plan: ServePlan, *, demo: bool) -> None:
    configuration = read_configuration(plan.config_path)
    loaded = configuration.loaded
    set_up_logs(loaded.log_level, json=loaded.settings.litellm_settings.json_logs)
    console = Console(highlight=False)
    for warning in loaded.warnings:
        console.print(f"[yellow]warning[/] {warning}", soft_wrap=True, markup=True)
    _tell_open(plan.data_directory, console)
    child = None
    if demo:
        from pointsman.cli.demo import start_demo  # noqa: PLC0415 - only who asks for the demo pays for it

        child = start_demo(plan.data_directory, console)
        plan = msgspec.structs.replace(plan, demo=DemoModel(child.api_base, child.key))
    try:
        if plan.workers > 1:
            key_made = plan.authenticate and loaded.master_key is None and kept_master_key(plan.data_directory).made
            grace = loaded.settings.local.shutdown_grace_seconds
            supervise(plan, console, grace, key_made=key_made)
        else:
            sock = listening_socket(plan, shared=False)
            plan = msgspec.structs.replace(plan, port=sock.getsockname()[1])
            run_worker(plan, configuration, sock, lambda gateway: show_banner(gateway, console))
    finally:
        if child is not None:
            child.stop()


def _demand_safety(plan: ServePlan) -> None:
    """Refuse to be open to others without a key.

    Raises:
        Misconfigured: it would be.
    """
    if plan.authenticate or _is_loopback(plan.host):
        return
    message = f"--no-auth on {plan.host} would let anybody who can reach it use your models."
    raise Misconfigured(message, hint="Leave --no-auth out, or listen on 127.0.0.1.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    except OSError as error:
        message = f"The data directory {path} cannot be made: {error.strerror}."
        raise Misconfigured(message, hint="Name another one with --data-dir.") from None


def _tell_open(path: Path, console: Console) -> None:
    """Warn where everybody on this machine could put another key or ledger in the place of ours."""
    if os.name == "posix" and path.stat().st_mode & stat.S_IWOTH:
        warning = (
            f"Everybody on this machine can write to the data directory {path}, where the keys and the ledger are."
        )
        console.print(
            f"[bold red]WARNING[/] {escape(warning)} Run: chmod 700 {escape(quote(str(path)))}", soft_wrap=True
        )
