"""What ``pointsman serve`` shows: the models found, where they are served, the key, and a line to try it with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pointsman import __version__
from pointsman.assembly.gateway import Gateway
from pointsman.cli.first_call import KeyPlace, base_url, curl_line, key_place
from pointsman.core.upstream import Deployment
from pointsman.providers.discovery import FoundHost

__all__ = ["show_banner"]

_ROWS_MAX: Final = 40
_PLAIN_WORDS: Final = {"response_schema": "json schema"}
"""Words of the catalogue that a newcomer would not guess. The rest is told as it is, without its underscores."""
_ALWAYS_SO: Final = frozenset({"native_streaming", "system_messages", "tool_choice", "parallel_tools"})
"""Not worth their place in a narrow column."""


def show_banner(gateway: Gateway, console: Console, *, key_made: bool = False) -> None:
    """Print it, all at once. The key is shown in full only when it was just made: by this process, or ``key_made``."""
    with console:
        _show(gateway, console, key_made=key_made)


def _show(gateway: Gateway, console: Console, *, key_made: bool) -> None:
    plan = gateway.plan
    url = base_url(plan)
    place = key_place(gateway, made=key_made or gateway.master_key_made)
    table = gateway.house.table
    console.print(f"\n[bold]Pointsman {__version__}[/] serves the OpenAI API\n")
    for left_out in gateway.routes.left_out:
        console.print(f"[yellow]left out[/] {escape(str(left_out))}", soft_wrap=True)
    if table.deployments:
        console.print(_table(table.deployments))
    if len(table.deployments) > _ROWS_MAX:
        console.print(f"… and {len(table.deployments) - _ROWS_MAX} more: GET {url}/v1/models")
    if table.patterns:
        console.print(f"Wildcards  {escape(', '.join(table.patterns))}", soft_wrap=True)
    _tell_hosts(gateway.routes.hosts, console)
    if not table.deployments and not table.patterns:
        _tell_none(console)
    _tell_address(gateway, url, place, console)
    if plan.demo is not None:
        console.print("\n[yellow]The demo's model has 135 million parameters: a toy. It shows that things work.[/]")
    console.print("")


def _tell_address(gateway: Gateway, url: str, place: KeyPlace, console: Console) -> None:
    console.print(f"\nBase URL   {url}/v1")
    console.print(f"Key        {escape(place.told)}", soft_wrap=True)
    console.print(f"Docs       {url}/docs")
    if gateway.plan.workers > 1:
        console.print(f"Workers    {gateway.plan.workers}")
    console.print("\nTry it:\n" if place.complete else "\nTry it, with your key in its place:\n")
    console.print(f"  {curl_line(place, url, gateway.house.table.deployments)}", soft_wrap=True, markup=False)


def _table(deployments: Iterable[Deployment]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Model", "Context", "Can", "Served by"):
        table.add_column(heading, overflow="fold")
    for deployment in list(deployments)[:_ROWS_MAX]:
        context = f"{deployment.context_tokens:,}" if deployment.context_tokens else "?"
        mocked = deployment.handling.mock_response is not None
        served_by = "mock_response" if mocked else f"{deployment.provider} {deployment.api_base}"
        table.add_row(escape(deployment.group), context, _abilities(deployment), escape(served_by))
    return table


def _abilities(deployment: Deployment) -> str:
    """What the model is for, and what it can do besides."""
    words = (_PLAIN_WORDS.get(word, word.replace("_", " ")) for word in deployment.capabilities - _ALWAYS_SO)
    return ", ".join([deployment.mode, *sorted(words)])


def _tell_hosts(hosts: Iterable[FoundHost], console: Console) -> None:
    """Say why a server has nothing in the table."""
    for host in hosts:
        if not host.online:
            problem = escape(host.problem or "")
            about = problem if host.url in problem else f"{host.url}: {problem}"
            console.print(f"[yellow]not reached[/] {about}", soft_wrap=True)
        elif not host.models:
            hint = "Pull one with: ollama pull llama3.2" if host.kind == "ollama" else "Load one there."
            console.print(f"[yellow]no models[/] {host.url} answers and has no model yet. {hint}", soft_wrap=True)


def _tell_none(console: Console) -> None:
    console.print("There is no model to serve yet. These are picked up within 10 seconds of appearing:\n")
    console.print("  Ollama     ollama serve, then: ollama pull llama3.2")
    console.print("  LM Studio, llama.cpp, vLLM, SGLang on their usual ports")
    console.print("\nOr name a server with --ollama URL, write a config.yaml, or try it all with --demo.")
