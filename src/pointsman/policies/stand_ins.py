"""Models that stand in for one whose budget of a key is gone (LiteLLM's ``budget_fallbacks``).

Whoever asks under which name a key's request is to be served asks its aliases, so that is where this is decided; keys
without stand-ins have a plain dictionary there, and pay nothing for it.

Source: LiteLLM 1.109.1, ``_check_key_model_budget_with_fallback``: the first of the chain that is within its own
budget, or else the model itself, which then is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, overload

from pointsman.policies.accounts import SYSTEM_CALENDAR, Account, Calendar

__all__ = ["BudgetedNames", "StandIn"]

Default = TypeVar("Default")


class StandIn(str):
    """The name of a model that is asked in the place of another (``of``): who asks must be let through to it, too."""

    __slots__ = ("of",)
    of: str


class BudgetedNames(dict[str, str]):
    """A key's names for models, where models whose budget is gone lead to others. ``models`` are the key's accounts."""

    __slots__ = ("_chains", "_models", "calendar")

    def __init__(
        self, aliases: Mapping[str, str], chains: Mapping[str, tuple[str, ...]], models: Mapping[str, Account]
    ) -> None:
        super().__init__(aliases)
        self._chains = chains
        self._models = models
        self.calendar: Calendar = SYSTEM_CALENDAR

    def __bool__(self) -> bool:
        return True

    @overload
    def get(self, name: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str, /) -> str: ...
    @overload
    def get(self, name: str, default: Default, /) -> str | Default: ...
    def get(self, name: str, default: object = None, /) -> object:
        """What the key calls so, or what stands in for that just now; ``default`` where that is the name itself."""
        meant = super().get(name)
        chain = self._chains.get(name) or (None if meant is None else self._chains.get(meant))
        model = name if meant is None else meant
        if chain and self._is_gone(model):
            for other in chain:
                if not self._is_gone(other):
                    stand_in = StandIn(other)
                    stand_in.of = model
                    return stand_in
        return default if meant is None else meant

    def _is_gone(self, model: str) -> bool:
        account = self._models.get(model)
        return account is not None and account.is_gone(self.calendar)
