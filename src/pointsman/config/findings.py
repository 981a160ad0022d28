"""What is wrong or doubtful in a configuration, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

import msgspec

from pointsman.core.errors import Misconfigured

__all__ = ["ConfigRefused", "Finding", "Findings", "Place", "Severity", "SourceFile", "nearest"]


class Severity(Enum):
    """Whether the configuration can be used in spite of the finding."""

    ERROR = "error"
    WARNING = "warning"


class Place(msgspec.Struct, frozen=True, order=True):
    """A position in a file as editors count: the first line is 1, the first column is 1.

    Line 0 means the file as a whole, or a source that has no lines, such as the environment.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class SourceFile(msgspec.Struct, frozen=True):
    """A file as it was read: a ``digest`` of its bytes, or None if it could not be read."""

    path: Path
    digest: bytes | None


class Finding(msgspec.Struct, frozen=True):
    """One remark. ``path`` names the key (``model_list[0].litellm_params.rpm``) and may be empty.

    Never holds a configured value, since any of them may be a secret.
    """

    severity: Severity
    place: Place
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        about = f"{self.path}: " if self.path else ""
        stop = "" if self.message.endswith((".", "!", "?", ":")) else "."
        hint = f"{stop} {self.hint}" if self.hint else ""
        return f"{self.place}: {about}{self.message}{hint}"


class Findings:
    """Collects remarks while a configuration is read, so that all of them are told at once."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def error(self, place: Place, path: str, message: str, hint: str | None = None) -> None:
        """Note something that keeps the configuration from being used."""
        self._found.append(Finding(Severity.ERROR, place, path, message, hint))

    def warn(self, place: Place, path: str, message: str, hint: str | None = None) -> None:
        """Note something that is not as the operator may think."""
        self._found.append(Finding(Severity.WARNING, place, path, message, hint))

    def add(self, findings: Iterable[Finding]) -> None:
        """Take over what was found elsewhere."""
        self._found.extend(findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What keeps the configuration from being used, in the order of the file."""
        return self._ordered(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What the operator should know, in the order of the file."""
        return self._ordered(Severity.WARNING)

    def _ordered(self, severity: Severity) -> tuple[Finding, ...]:
        # What an alias repeats stands in one place and is told once, by its first path.
        chosen: dict[tuple[Place, str], Finding] = {}
        for finding in self._found:
            if finding.severity is severity:
                once = finding.message if finding.place.line else f"{finding.path} {finding.message}"
                chosen.setdefault((finding.place, once), finding)
        return tuple(sorted(chosen.values(), key=lambda finding: finding.place))


class ConfigRefused(Misconfigured):
    """The configuration cannot be used; the message has a line for each error, with file, line and column.

    Attributes:
        errors: At least one finding.
        warnings: What else was noticed up to there.
        sources: The files that were read or looked for, so that a watcher can wait for them to change.
    """

    def __init__(
        self,
        errors: Sequence[Finding],
        warnings: Sequence[Finding] = (),
        sources: Sequence[SourceFile] = (),
    ) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)
        self.sources = tuple(sources)

    @classmethod
    def at(cls, place: Place, message: str, hint: str | None = None, path: str = "") -> ConfigRefused:
        """A refusal for one reason."""
        return cls([Finding(Severity.ERROR, place, path, message, hint)])

    @property
    def files(self) -> tuple[Path, ...]:
        """The paths of :attr:`sources`."""
        return tuple(source.path for source in self.sources)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None if nothing is like it. Names over 64 characters are like nothing."""
    if len(name) > 64:  # no key is that long, and the comparison is quadratic
        return None
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.75)
    return close[0] if close else None
