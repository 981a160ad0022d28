"""Every provider once, with all its prefixes, what it can do and which variables it needs: for people and programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from pointsman.providers.registry import Habits, Provider, Service, providers

__all__ = ["ProviderOverview", "Variable", "overviews", "told_habits"]

_THINKING_WORDS: Final = {
    "effort": "reasoning_effort",
    "thinking": "thinking.type",
    "thinking_and_effort": "thinking.type and reasoning_effort",
    "enable_thinking": "enable_thinking and thinking_budget",
    "reasoning": "reasoning",
}


class Variable(msgspec.Struct, frozen=True):
    """A variable of the environment, and whether it is set; never what to."""

    name: str
    is_set: bool


class ProviderOverview(msgspec.Struct, frozen=True):
    """One provider.

    ``prefixes`` are what a ``litellm_params.model`` begins with. ``key_variables`` and ``address_variables`` are tried
    in their order; of ``needed_variables`` the usual ``address`` is made. ``ready``: nothing is missing that only the
    environment could bring. ``native`` is the dialect it is spoken to in where that is not OpenAI's. ``reached`` says
    in words what else leads to it; then only a request can tell whether it is ready.
    """

    prefixes: tuple[str, ...]
    title: str
    serves: tuple[Service, ...]
    address: str | None
    local: bool
    native: str | None
    key_variables: tuple[Variable, ...]
    address_variables: tuple[Variable, ...]
    needed_variables: tuple[Variable, ...]
    ready: bool
    habits: Habits
    embedding_habits: Habits
    docs: str
    reached: str


def overviews(environment: Mapping[str, str]) -> tuple[ProviderOverview, ...]:
    """All providers in the order of their prefixes, as they are in this environment."""
    prefixes: dict[int, list[str]] = {}
    for prefix, provider in sorted(providers().items()):
        prefixes.setdefault(id(provider), []).append(prefix)
    return tuple(
        _overview(providers()[names[0]], tuple(names), environment)
        for names in sorted(prefixes.values(), key=lambda names: names[0])
    )


def told_habits(habits: Habits) -> Iterator[str]:
    """What is changed about requests for a service, in words, save what becomes of the developer's role."""
    for name, other in habits.renames.items():
        yield f"{name} is sent as {other}"
    if habits.drops:
        yield f"never sent: {', '.join(habits.drops)}"
    if habits.refuses:
        yield f"refused, or dropped with drop_params: {', '.join(habits.refuses)}"
    for pattern, names in habits.refuses_by_model.items():
        yield f"the same for {pattern}: {', '.join(names)}"
    if habits.reasoning == "none":
        yield "reasoning of earlier turns is not sent back"
    elif habits.reasoning != "reasoning_content":
        yield f"reasoning of earlier turns is sent back as {habits.reasoning}"
    if habits.thinking:
        yield f"asked how hard to think with {_THINKING_WORDS[habits.thinking]}"
    if habits.reasoning_required:
        yield "a turn that called tools is sent back with its reasoning, or a blank one"


def _overview(provider: Provider, prefixes: tuple[str, ...], environment: Mapping[str, str]) -> ProviderOverview:
    def variables(names: tuple[str, ...]) -> tuple[Variable, ...]:
        return tuple(Variable(name, bool(environment.get(name))) for name in names)

    has_key = provider.local or not provider.keys or provider.key_in(environment) is not None
    return ProviderOverview(
        prefixes=prefixes,
        title=provider.title,
        serves=provider.serves,
        address=provider.api_base,
        local=provider.local,
        native=provider.native,
        key_variables=variables(provider.keys),
        address_variables=variables(provider.bases),
        needed_variables=variables(provider.needs),
        ready=not provider.reached and has_key and provider.base_in(environment) is not None,
        habits=provider.chat,
        embedding_habits=provider.embedding,
        docs=provider.docs,
        reached=provider.reached,
    )
