"""The profiles of ``~/.aws/credentials`` and ``~/.aws/config``.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html. In the former a section is called ``[name]``,
in the latter ``[profile name]`` or ``[default]``; of a field in both, the former's counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from configparser import Error as FormatError
from configparser import RawConfigParser
from pathlib import Path
from typing import Final

from pointsman.core.errors import Unreachable
from pointsman.providers.bedrock.surroundings import AwsSurroundings

__all__ = ["profile_region", "read_profile", "read_small_file"]

_FILE_BYTES_MAX: Final = 1024 * 1024
_PREFIX: Final = "profile "


def read_small_file(path: Path) -> str | None:
    """The text of a file; None where there is none. Waits for the disk, so it belongs in a thread.

    Raises:
        Unreachable: it is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES_MAX).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as problem:
        raise Unreachable(
            f"A file with AWS credentials cannot be read ({type(problem).__name__}).", code="aws_credentials_missing"
        ) from None


def read_profile(name: str, surroundings: AwsSurroundings) -> Mapping[str, str] | None:
    """The fields of a profile, or None where there is no such one. Waits for the disk.

    Raises:
        Unreachable: a file is there and cannot be read.
    """
    found: dict[str, str] | None = None
    for path, is_config in ((surroundings.config_file, True), (surroundings.credentials_file, False)):
        fields = _sections(path, is_config=is_config).get(name)
        if fields is not None:
            found = {**(found or {}), **fields}
    return found


def profile_region(name: str | None, surroundings: AwsSurroundings) -> str | None:
    """The region that a profile names. Waits for the disk; a file that cannot be read names none."""
    try:
        fields = read_profile(name or surroundings.profile, surroundings)
    except Unreachable:
        return None
    return None if fields is None else fields.get("region") or None


def _sections(path: Path, *, is_config: bool) -> dict[str, dict[str, str]]:
    text = read_small_file(path)
    if text is None:
        return {}
    # "default" is a section like any other here, whose fields others do not inherit.
    parser = RawConfigParser(strict=False, default_section="\0", inline_comment_prefixes=(" #", " ;"))
    try:
        parser.read_string(text)
    except FormatError:
        raise Unreachable(
            "A file with AWS profiles is not in the format that AWS's tools read.", code="aws_credentials_missing"
        ) from None
    sections: dict[str, dict[str, str]] = {}
    for section in parser.sections():
        name = section.strip()
        if is_config and name != "default":
            if not name.startswith(_PREFIX):
                continue
            name = name.removeprefix(_PREFIX).strip().strip("\"'")
        sections[name] = dict(parser.items(section))
    return sections
