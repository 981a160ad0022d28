"""What ``pointsman serve`` shows: the models found, where they are served, the key, and a line to try it with."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

import msgspec
from rich.console import Console
from rich.table import Table

from pointsman import __version__
from pointsman.assembly.gateway import Gateway
from pointsman.core.upstream import Deployment

__all__ = ["show_banner"]

_ROWS_MAX = 40


def show_banner(gateway: Gateway, console: Console) -> None:
    """Print it. The key is printed in full only when it has just been made."""
    plan = gateway.plan
    host = "127.0.0.1" if plan.host in ("0.0.0.0", "::") else plan.host  # noqa: S104 - compared, not bound
    url = f"http://{host}:{plan.port}"
    console.print(f"\n[bold]Pointsman {__version__}[/] serves the OpenAI API\n")
    for skipped in gateway.skipped:
        console.print(f"[yellow]left out[/] {skipped}", soft_wrap=True)
    deployments = gateway.house.table.deployments
    if deployments:
        console.print(_table(deployments))
        if len(deployments) > _ROWS_MAX:
            console.print(f"… and {len(deployments) - _ROWS_MAX} more: GET {url}/v1/models")
    elif gateway.house.table.patterns:
        console.print(f"Wildcard models: {', '.join(gateway.house.table.patterns)}")
    else:
        _tell_none(console)
    console.print(f"\nBase URL   {url}/v1")
    console.print(f"Key        {_key(gateway)}", soft_wrap=True)
    console.print(f"Docs       {url}/docs")
    console.print("\nTry it:\n")
    console.print(_curl(gateway, url, deployments), soft_wrap=True, markup=False)
    if plan.demo is not None:
        console.print("\n[yellow]The demo's model has 135 million parameters: a toy. It shows that things work.[/]")
    console.print("")


def _table(deployments: Iterable[Deployment]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Model", "Context", "Can", "Served by"):
        table.add_column(heading, overflow="fold")
    for deployment in list(deployments)[:_ROWS_MAX]:
        context = f"{deployment.context_tokens:,}" if deployment.context_tokens else "?"
        abilities = ", ".join(sorted(deployment.capabilities)) or deployment.mode
        table.add_row(deployment.group, context, abilities, f"{deployment.provider} {deployment.api_base}")
    return table


def _tell_none(console: Console) -> None:
    console.print("No model server was found on this machine. Any of these will be picked up within 10 seconds:\n")
    console.print("  Ollama     ollama serve, then: ollama pull llama3.2")
    console.print("  LM Studio, llama.cpp, vLLM, SGLang on their usual ports")
    console.print("\nOr name a server with --ollama URL, write a config.yaml, or try it all with --demo.")


def _key(gateway: Gateway) -> str:
    if gateway.master_key is None:
        return "none is asked for (--no-auth)"
    if gateway.master_key_made:
        path = gateway.plan.data_directory / "master.key"
        return f"{gateway.master_key.reveal()}   (made just now, shown once; kept in {path})"
    return "the master key you configured, or the one in " + str(gateway.plan.data_directory / "master.key")


def _curl(gateway: Gateway, url: str, deployments: tuple[Deployment, ...]) -> str:
    """A line that works when pasted, without the key standing in it longer than it has to."""
    chat = next((entry.group for entry in deployments if entry.mode == "chat"), None)
    header = ""
    if gateway.master_key is not None:
        header = f"-H {quote('Authorization: Bearer ' + gateway.master_key.reveal())} "
        if not gateway.master_key_made:
            header = _key_from_file(gateway)
    if chat is None:
        return f"  curl {header}{url}/v1/models"
    body = {"model": chat, "messages": [{"role": "user", "content": "Why do trains need points?"}]}
    return f"  curl {header}{url}/v1/chat/completions -d {quote(msgspec.json.encode(body).decode())}"


def _key_from_file(gateway: Gateway) -> str:
    path = gateway.plan.data_directory / "master.key"
    if gateway.loaded.master_key is None:
        return f'-H "Authorization: Bearer $(cat {quote(str(path.resolve()))})" '
    return '-H "Authorization: Bearer $POINTSMAN_MASTER_KEY" '
