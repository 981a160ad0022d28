"""``check`` tells everything and raises nothing."""

from __future__ import annotations

from pathlib import Path

from pointsman.config.check import check
from pointsman.config.findings import Severity

EXAMPLE = Path(__file__).with_name("litellm_example.yaml")


def test_a_good_file_is_usable_with_warnings() -> None:
    report = check(EXAMPLE, {"UPSTREAM_KEY": "k", "AZURE_API_KEY": "k", "STREAM_TIMEOUT": "5"})
    assert report.usable
    assert report.models == ("gpt-4o", "openai/*", "llama", "bedrock-claude", "shared")
    assert report.files == (EXAMPLE,)
    assert report.findings == report.warnings != ()


def test_a_broken_file_is_reported_errors_first(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("nonsense: 1\nmodel_list: 5\n")
    report = check(path, {})
    assert not report.usable
    assert [(finding.severity, finding.place.line) for finding in report.findings] == [
        (Severity.ERROR, 2),
        (Severity.WARNING, 1),
    ]
    assert report.findings[0].place.column == 13
    assert report.files == (path,)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    report = check(tmp_path / "no.yaml", {})
    assert [str(error) for error in report.errors] == [
        f"{tmp_path / 'no.yaml'}: the file does not exist. Check the path."
    ]
