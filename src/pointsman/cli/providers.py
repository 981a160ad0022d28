"""``pointsman providers``: who can be asked, what each can do, and which variables it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import click
import msgspec

from pointsman.catalog.suggest import nearest
from pointsman.config.environment import process_environment
from pointsman.core.errors import Misconfigured
from pointsman.providers.overview import ProviderOverview, Variable, overviews, told_habits
from pointsman.providers.registry import find_provider

__all__ = ["providers"]

_LABEL_CHARACTERS: Final = 18


@click.command(short_help="List the providers and the variables they need.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def providers(name: str | None, *, as_json: bool) -> None:
    """List every provider: its prefix, its key's variable and whether that is set, and what it can do.

    With a NAME (the prefix, as groq in groq/llama-3.3-70b), tell everything about one. No value of a variable is shown.
    """
    known = overviews(process_environment())
    if name is not None:
        one = _find(known, name)
        click.echo(_json(one) if as_json else "\n".join(_described(one)))
    elif as_json:
        click.echo(_json(known))
    else:
        click.echo("\n".join(_listed(known)))


def _find(known: Iterable[ProviderOverview], name: str) -> ProviderOverview:
    """The provider with this prefix.

    Raises:
        Misconfigured: there is none.
    """
    by_prefix = {prefix: one for one in known for prefix in one.prefixes}
    wanted = name.strip().rstrip("/")
    if wanted in by_prefix:
        return by_prefix[wanted]
    if find_provider(wanted) is not None:
        raise Misconfigured(
            f"{wanted!r} is reached through LiteLLM's library; there is nothing of its own here.",
            hint="pip install '.[litellm]' serves its models, with LiteLLM's names of credentials and variables.",
        )
    close = nearest(wanted, sorted(by_prefix), count=1)
    hint = f"Did you mean {close[0]!r}?" if close else "pointsman providers lists them."
    raise Misconfigured(f"No provider is called {wanted[:80]!r}.", hint=hint)


def _listed(known: tuple[ProviderOverview, ...]) -> Iterator[str]:
    """The table, with a mark for who is ready, and how to know more."""
    rows = [("PROVIDER", "KEY", "CAN DO")]
    rows += [(", ".join(one.prefixes), _key(one), ", ".join(one.serves)) for one in known]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    marks = ["  ", *("✓ " if one.ready else "  " for one in known)]
    for mark, (prefix, key, services) in zip(marks, rows, strict=True):
        yield f"{mark}{prefix:{widths[0]}}  {key:{widths[1]}}  {services}".rstrip()
    yield ""
    yield f"✓ ready: {sum(one.ready for one in known)} of {len(known)}. More about one: pointsman providers NAME"


def _key(one: ProviderOverview) -> str:
    """The variable that has the key, or the first one that could."""
    missing = [variable.name for variable in one.needed_variables if not variable.is_set]
    found = next((variable for variable in one.key_variables if variable.is_set), None)
    if found is None and one.local:
        return "not needed"
    if found is None:
        missing = [*(variable.name for variable in one.key_variables[:1]), *missing]
    return " + ".join(missing) + " (not set)" if missing else f"{found.name} (set)" if found else "none"


def _described(one: ProviderOverview) -> Iterator[str]:
    """Everything about one, a line each."""
    yield one.title
    lines = [
        ("model", " or ".join(f"{prefix}/MODEL" for prefix in one.prefixes)),
        ("can do", ", ".join(one.serves)),
        ("address", one.address or ("" if one.reached else "none of its own: set api_base")),
        ("reached by", one.reached.replace("`", "")),
        ("address needs", _variables(one.needed_variables)),
        ("address from", _variables(one.address_variables)),
        ("key from", _variables(one.key_variables) or "litellm_params.api_key only"),
        ("spoken to in", f"its own dialect ({one.native})" if one.native else "OpenAI's dialect"),
        ("runs", "on your own machine" if one.local else ""),
        *(("chat", habit) for habit in told_habits(one.habits)),
        ("chat", "" if one.habits.developer_role else "developer messages are sent as system messages"),
        *(("embeddings", habit) for habit in told_habits(one.embedding_habits)),
        ("ready", _ready(one)),
        ("described at", one.docs),
    ]
    for label, text in lines:
        if text:
            yield f"  {label:{_LABEL_CHARACTERS}}{text}"


def _ready(one: ProviderOverview) -> str:
    if one.reached:
        return "only a request can tell"
    return "yes" if one.ready else "no: a key or an address is missing, here or in config.yaml"


def _variables(variables: Iterable[Variable]) -> str:
    return ", ".join(f"{variable.name} ({'set' if variable.is_set else 'not set'})" for variable in variables)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
