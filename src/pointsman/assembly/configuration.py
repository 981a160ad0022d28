"""The configuration that a process starts with, read once and handed on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pointsman.config.environment import process_environment
from pointsman.config.load import Loaded, load
from pointsman.stores.secret_sources import SecretSources

__all__ = ["Configuration", "read_configuration"]


class Configuration(msgspec.Struct, frozen=True):
    """What was read, and the services its secrets came from, which stay open for when it is read again."""

    loaded: Loaded
    secret_sources: SecretSources


def read_configuration(path: Path | None) -> Configuration:
    """The configuration of a file (None: of the environment alone).

    Raises:
        Misconfigured: it cannot be read, or says what cannot be.
    """
    sources = SecretSources()
    return Configuration(load(path, process_environment(), sources), sources)
