"""Local model servers, as far as routing has to know them: what is loaded, what is under way, what waits.

Whoever watches them (see :mod:`pointsman.providers.discovery`) writes here; strategies and queues read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment

__all__ = ["Fleet", "Host", "LoadedModel"]

_HOSTS_MAX: Final = 16_384


class LoadedModel(msgspec.Struct, frozen=True):
    """A model in a host's memory. Bytes; ``expires_at`` is monotonic seconds, 0: it stays or nobody told."""

    name: str
    size_bytes: int = 0
    vram_bytes: int = 0
    context_tokens: int | None = None
    expires_at: float = 0.0

    @property
    def is_spilled(self) -> bool:
        """Whether a part of it lies outside the GPU's memory, so that it is slow."""
        return 0 < self.vram_bytes < self.size_bytes


class Host(msgspec.Struct, eq=False):
    """One local server now. ``url`` is what its deployments have as ``api_base``, without path.

    ``slots`` is how many requests it is sent at once, None: as many as come; ``queue_max`` how many more may wait.
    ``loaded`` is by the model's name there. ``in_flight`` and ``waiting`` are ours, by model.
    """

    url: str
    kind: str = ""
    online: bool = True
    loaded: Mapping[str, LoadedModel] = {}
    vram_total_bytes: int | None = None
    slots: int | None = None
    queue_max: int = 512
    weight: float = 1.0
    in_flight: dict[str, int] = {}
    waiting: dict[str, int] = {}

    @property
    def busy(self) -> int:
        """Requests of ours under way there."""
        return sum(self.in_flight.values())

    @property
    def queued(self) -> int:
        """Requests of ours that wait for it."""
        return sum(self.waiting.values())


class Fleet:
    """Every local host, by its address. A host that goes and comes back is the same one."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All of them."""
        return tuple(self._hosts.values())

    def of(self, deployment: Deployment) -> Host | None:
        """The host of a deployment; None where it is not a local one."""
        return self.at(deployment.api_base) if deployment.local else None

    def at(self, address: str) -> Host:
        """The host at an address, which may have a path; a new one if nobody knows it."""
        scheme, _, rest = address.partition("://")
        url = f"{scheme}://{rest.partition('/')[0].partition('?')[0]}".lower()
        host = self._hosts.get(url)
        if host is None:
            if len(self._hosts) >= _HOSTS_MAX:
                self._hosts = {key: kept for key, kept in self._hosts.items() if kept.in_flight or kept.waiting}
            host = self._hosts[url] = Host(url)
        return host
