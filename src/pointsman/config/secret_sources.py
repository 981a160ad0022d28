"""Where references are looked up beside the environment: in files, and in a service that keeps secrets.

A reference is looked up when a configuration is loaded, and never during a request. ``os.environ/NAME`` is what LiteLLM
has: the service is asked first, if there is one, then the environment, then the file that ``NAME_FILE`` names, as
Docker's images have it. ``file:///run/secrets/name`` names a file itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec

from pointsman.config.findings import ConfigRefused, SourceFile
from pointsman.config.source_file import read_source

__all__ = [
    "FILE_ENDING",
    "FILE_PREFIX",
    "Hosted",
    "OpenSource",
    "SecretFiles",
    "SecretSource",
    "SecretsUnavailable",
    "no_source",
]

FILE_PREFIX: Final = "file://"
FILE_ENDING: Final = "_FILE"
_FILES_MAX: Final = 1000


class SecretsUnavailable(Exception):
    """A service that keeps secrets cannot be asked; the text says why and holds no secret."""


class SecretSource(Protocol):
    """A service that keeps secrets. It remembers what it told, so that an outage does no harm to who runs.

    It may be used from several threads.
    """

    @property
    def refresh_seconds(self) -> float:
        """How long what it told counts as fresh, and after how long it is asked again."""
        ...

    def find(self, name: str) -> str | None:
        """The secret with this name; None: there is none. Blocks, for a bounded time.

        Raises:
            SecretsUnavailable: it cannot be asked, and never told of this name.
        """
        ...

    def where(self, name: str) -> str:
        """Where a name is looked for, in words for the operator."""
        ...

    def refresh(self) -> bool:
        """Ask again for everything that was asked for; whether anything is different now. Blocks.

        In an outage what is known stays.
        """
        ...

    @property
    def trouble(self) -> str | None:
        """Why it could not be asked the last time; None: it could."""
        ...


OpenSource = Callable[[str, Mapping[str, str]], SecretSource | None]
"""Opens the service of a name of LiteLLM's (``key_management_system``), whose address and the like stand in the
environment; None: it is none that is known. Raises ``Misconfigured`` where something is missing there."""


def no_source(_system: str, _environment: Mapping[str, str]) -> SecretSource | None:
    """Knows no service."""
    return None


class Hosted(msgspec.Struct, frozen=True):
    """A service, and the names that are looked for there; None: all."""

    source: SecretSource
    names: frozenset[str] | None = None

    def has(self, name: str) -> bool:
        """Whether this name is looked for there."""
        return self.names is None or name in self.names


class SecretFiles:
    """Reads files with one secret each, and remembers which, so that they can be watched."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, SourceFile]] = {}

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        """Every file that was looked for, those that could not be read included."""
        return tuple(source for _, source in self._known.values())

    def read(self, name: str) -> str:
        """The text of a file, without the line break at its end; ``name`` is a path.

        Raises:
            ConfigRefused: there is no such file, it cannot be read, or is no text.
        """
        path = Path(name)
        known = self._known.get(path)
        if known is None:
            try:
                known = read_source(path)
            except ConfigRefused:
                self._known[path] = "", SourceFile(path, None)
                raise
            if len(self._known) < _FILES_MAX:
                self._known[path] = known
        return known[0].rstrip("\r\n")
