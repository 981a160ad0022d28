"""Examines a configuration without using it: what ``pointsman check FILE`` prints, as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from pointsman.config.findings import ConfigRefused, Finding
from pointsman.config.load import load
from pointsman.config.secret_sources import OpenSource, no_source

__all__ = ["Report", "check"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found. ``models`` are the names that would be served; empty if there are errors."""

    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    files: tuple[Path, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the gateway would start with this configuration."""
        return not self.errors

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Errors first, then warnings, each in the order of the file."""
        return (*self.errors, *self.warnings)


def check(path: Path, environment: Mapping[str, str], open_source: OpenSource = no_source) -> Report:
    """Load the configuration at ``path`` and tell all that is wrong or doubtful; raises nothing."""
    try:
        loaded = load(path, environment, open_source)
    except ConfigRefused as refusal:
        return Report(errors=refusal.errors, warnings=refusal.warnings, files=refusal.files)
    return Report(
        warnings=loaded.warnings,
        files=tuple(source.path for source in loaded.sources),
        models=tuple(dict.fromkeys(entry.model_name for entry in loaded.settings.model_list)),
    )
