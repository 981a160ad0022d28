"""Opens the service that a configuration names, and keeps it open through reloads, so that it remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.config.secret_sources import SecretSource
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.stores.secret_sources.hashicorp_vault import VaultSource, vault_settings

__all__ = ["SecretSources"]


class SecretSources:
    """An :data:`~pointsman.config.secret_sources.OpenSource`: the same service for the same settings."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._open: tuple[object, SecretSource] | None = None

    def __call__(self, system: str, environment: Mapping[str, str]) -> SecretSource | None:
        """The service of that name; None: it is not supported.

        Raises:
            Misconfigured: the environment does not say all that is needed to reach it.
        """
        maker = _MAKERS.get(system)
        if maker is None:
            return None
        settings, make = maker(environment)
        if self._open is None or self._open[0] != settings:
            self._open = settings, make(self._clock)
        return self._open[1]


_Maker = Callable[[Mapping[str, str]], tuple[object, Callable[[Clock], SecretSource]]]


def _vault(environment: Mapping[str, str]) -> tuple[object, Callable[[Clock], SecretSource]]:
    settings = vault_settings(environment)
    return settings, lambda clock: VaultSource(settings, clock)


_MAKERS: Final[Mapping[str, _Maker]] = MappingProxyType({"hashicorp_vault": _vault})
