"""``docs/people.md`` says of every route what the tests hold it to."""

from __future__ import annotations

import runpy
from pathlib import Path

from pointsman.stores.directory.records import Role

ROOT = Path(__file__).resolve().parents[3]


def test_the_document_is_current() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_people_docs.py"))
    text = script["TARGET"].read_text(encoding="utf-8")
    assert text == script["rendered"]()
    assert all(f"| `{role.value}` |" in text for role in Role)
