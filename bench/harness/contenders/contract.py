"""What the harness has to know about a gateway in order to run it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Contender", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender runs: its port, the upstream's, and a fresh directory for whatever it writes."""

    port: int
    upstream_port: int
    directory: Path

    @property
    def upstream_url(self) -> str:
        """The base URL an OpenAI client would be given for the upstream."""
        return f"http://127.0.0.1:{self.upstream_port}/v1"


class Contender(ABC):
    """One gateway.

    Attributes:
        name: as on the command line.
        warm_s: seconds of load before it is measured; long where a compiler has to warm up first.
        scale: its windows last this many times longer, because it answers so few requests.
        rate_max: the highest rate of an open loop, per second, that it can be asked to serve.
        uses_upstream_key: whether it must put the configured key and model name into upstream requests.
        translates: whether the scenarios between two dialects are for it.
        ready_path: answers 200 as soon as requests can be served.
        ready_s_max: how long a start may take.
    """

    name: str
    warm_s: float = 2
    scale: float = 1
    rate_max: float = 200
    uses_upstream_key: bool = False
    translates: bool = False
    ready_path: str = "/health/readiness"
    ready_s_max: float = 30

    @abstractmethod
    def install(self) -> None:
        """Makes it available; raises :class:`harness.surroundings.BenchError` when that cannot be done."""

    @abstractmethod
    def version(self) -> str:
        """What is installed."""

    @abstractmethod
    def command(self, place: Place) -> list[str]:
        """The command that serves at the place; writes configuration into its directory if there must be any."""

    def environment(self, place: Place) -> dict[str, str]:
        """Additional environment variables."""
        return {}

    def client_headers(self, place: Place) -> tuple[str, ...]:
        """Header lines the load generator sends; called once the contender is ready, may create a key."""
        return ("Authorization: Bearer sk-up",)

    def notes(self) -> list[str]:
        """What a reader of the numbers has to know about how this contender was set up."""
        return []
