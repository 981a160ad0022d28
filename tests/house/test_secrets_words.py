"""Words that must not be in the repository: keys, private paths, and the language of paid tiers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.code_base import ROOT, expect_none, sources

SKIPPED_FOLDERS = frozenset({
    ".git", ".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv",
    "__pycache__", "build", "data", "dist", "node_modules",
})  # fmt: skip
TEXT_BYTES_MAX = 4_000_000

# Written so that this file does not match itself.
KEYS = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk-(?:proj|ant)-[A-Za-z0-9_-]{24,}|xox[bp]-[0-9]{8,}"
    r"|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\n[A-Za-z0-9+/]{40}"
)
PRIVATE_PATHS = re.compile(r"(?<![\w.~-])[/]work/|(?<!\w)/(?:home|Users)/(?!you|user|me\b)[a-z]\w*/|[/]\.library/")
PAID_TIERS = re.compile(r"\bpremium|licen[sc]e_key|enterprise[_ ]only", re.IGNORECASE)
OTHERS_WORDS = {("providers/extras/bedrock_pictures.py", "premium")}
"""Wire words of others that look like a paid tier's, by file: Amazon calls the better quality of its pictures so."""


def texts() -> Iterator[tuple[str, str]]:
    """Every text file of the checkout, with its place."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS and not name.endswith(".egg-info")]
        for name in files:
            path = Path(folder, name)
            # In a second worktree .git is a file that names the first one.
            if name == ".git" or path.is_symlink() or path.stat().st_size > TEXT_BYTES_MAX:
                continue
            raw = path.read_bytes()
            if b"\0" not in raw:
                yield path.relative_to(ROOT).as_posix(), raw.decode("utf-8", "replace")


@pytest.mark.parametrize("pattern", [KEYS, PRIVATE_PATHS], ids=["keys", "private paths"])
def test_no_file_holds(pattern: re.Pattern[str]) -> None:
    places = list(texts())
    assert len(places) > 40
    found = [f"{place}: {match[0][:12]}…" for place, text in places for match in pattern.finditer(text)]
    expect_none(found)


def test_no_feature_asks_whether_somebody_paid() -> None:
    words = [(source.place, match[0]) for source in sources() for match in PAID_TIERS.finditer(source.text)]
    expect_none([f"{place}: {word}" for place, word in words if (place, word) not in OTHERS_WORDS])
    assert set(words) >= OTHERS_WORDS


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (KEYS, "AKIA" + "A" * 16),
        (KEYS, "sk-" + "ant-" + "a" * 30),
        (PRIVATE_PATHS, "see /" + "work/main"),
        (PRIVATE_PATHS, "/" + "home/alice/x"),
        (PAID_TIERS, "if premium" + "_user"),
    ],
)
def test_each_such_word_is_noticed(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)
