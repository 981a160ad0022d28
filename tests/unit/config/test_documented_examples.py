"""Every configuration that the documents show is one, and nothing in it is warned of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pointsman.config.load import load

ROOT = Path(__file__).resolve().parents[3]
SECTIONS = (
    "credential_list|environment_variables|general_settings|include|litellm_settings|model_list|pointsman"
    "|router_settings"
)
BLOCK = re.compile(rf"```yaml\n((?:#[^\n]*\n)*(?:{SECTIONS}):.*?)```", re.DOTALL)
REFERENCE = re.compile(r"os\.environ/(\w+)")
ELSEWHERE = "general_settings.key_management_system"
"""Who keeps the secrets is only looked at by who can reach it."""


def examples() -> dict[str, str]:
    found = {}
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, block in enumerate(BLOCK.findall(document.read_text(encoding="utf-8"))):
            found[f"{document.relative_to(ROOT)}-{number}"] = block
    assert len(found) > 20, "the examples are not where they are looked for"
    return found


@pytest.mark.parametrize("name", examples())
def test_an_example_is_as_it_should_be(name: str, tmp_path: Path) -> None:
    text = examples()[name]
    file = tmp_path / "config.yaml"
    file.write_text(text)
    loaded = load(file, dict.fromkeys(REFERENCE.findall(text), "sk-of-the-environment"))
    assert [str(finding) for finding in loaded.warnings if finding.path != ELSEWHERE] == []
