"""Data goes where the platform keeps data of programs, and in a container to ``./data``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.config.data_directory import default_data_directory, in_container


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"HOME": "/h"}, "linux", "/h/.local/share/pointsman"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "linux", "/x/pointsman"),
        ({"HOME": "/h", "XDG_DATA_HOME": "x"}, "linux", "/h/.local/share/pointsman"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Application Support/pointsman"),
        ({"LOCALAPPDATA": "/l"}, "win32", "/l/pointsman"),
        ({}, "win32", "data"),
    ],
)
def test_each_platform_has_its_folder(environment: dict[str, str], platform: str, expected: str) -> None:
    assert default_data_directory(environment, container=False, platform=platform) == Path(expected)


def test_without_a_home_it_is_below_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert default_data_directory({"HOME": "/"}, container=False, platform="linux") == Path("data")


def test_in_a_container_it_is_below_the_working_directory() -> None:
    assert default_data_directory({"HOME": "/h"}, container=True) == Path("data")


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_a_container_is_known_by_its_mark(tmp_path: Path, mark: str) -> None:
    assert not in_container({}, tmp_path)
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    assert in_container({}, tmp_path)


def test_kubernetes_is_known_by_its_variable(tmp_path: Path) -> None:
    assert in_container({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path)
