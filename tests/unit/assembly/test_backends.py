"""Which database is used, and what is said where that cannot be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pointsman.assembly.backends import PostgresBackend, SqliteBackend, backend_of
from pointsman.config.load import Loaded, load
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import Misconfigured


def loaded(tmp_path: Path, config: str = "", env: Mapping[str, str] | None = None) -> Loaded:
    file = tmp_path / "config.yaml"
    file.write_text(config or "model_list: []")
    return load(file, env or {})


def test_without_a_url_it_is_a_file_in_the_data_directory(tmp_path: Path) -> None:
    backend = backend_of(loaded(tmp_path), tmp_path, SYSTEM_CLOCK)
    assert isinstance(backend, SqliteBackend)
    assert backend._database.path == tmp_path / "pointsman.db"


def test_a_file_may_be_named_by_a_url(tmp_path: Path) -> None:
    said = loaded(tmp_path, env={"DATABASE_URL": f"sqlite://{tmp_path}/elsewhere.db"})
    backend = backend_of(said, tmp_path, SYSTEM_CLOCK)
    assert isinstance(backend, SqliteBackend)
    assert backend._database.path == tmp_path / "elsewhere.db"


def test_the_file_s_url_comes_before_the_environment_s(tmp_path: Path) -> None:
    config = "general_settings: {database_url: 'postgresql://me@file/d', database_connection_pool_limit: 3}"
    said = loaded(tmp_path, config, {"DATABASE_URL": "postgresql://me@environment/d"})
    backend = backend_of(said, tmp_path, SYSTEM_CLOCK)
    assert isinstance(backend, PostgresBackend)
    assert backend._database.address.host == "file"
    assert 1 + len(backend._database._side.lines) == 3


@pytest.mark.parametrize(
    ("config", "url", "seconds"),
    [
        ("", "postgresql://me@h/d", 10.0),
        ("", "postgresql://me@h/d?pool_timeout=7", 7.0),
        ("general_settings: {database_connection_timeout: 4.5}", "postgresql://me@h/d?pool_timeout=7", 4.5),
        ("general_settings: {database_connection_pool_timeout: 3}", "postgresql://me@h/d", 3.0),
    ],
)
def test_how_long_it_may_take_can_be_said(tmp_path: Path, config: str, url: str, seconds: float) -> None:
    backend = backend_of(loaded(tmp_path, config, {"DATABASE_URL": url}), tmp_path, SYSTEM_CLOCK)
    assert isinstance(backend, PostgresBackend)
    assert backend._database.timeout_seconds == seconds


def test_a_pool_between_can_be_said(tmp_path: Path) -> None:
    config = "general_settings: {database_disable_prepared_statements: true}"
    backend = backend_of(loaded(tmp_path, config, {"DATABASE_URL": "postgresql://me@h/d"}), tmp_path, SYSTEM_CLOCK)
    assert isinstance(backend, PostgresBackend)
    assert backend._database.address.pooled


@pytest.mark.parametrize("config", ["", "general_settings: {database_url: 'mysql://me:hunter2@h/d'}"])
def test_a_wrong_url_is_refused_by_the_name_of_its_setting(tmp_path: Path, config: str) -> None:
    said = loaded(tmp_path, config, {"DATABASE_URL": "mysql://me:hunter2@h/d"})
    with pytest.raises(Misconfigured, match="general_settings.database_url" if config else "^DATABASE_URL") as refused:
        backend_of(said, tmp_path, SYSTEM_CLOCK)
    assert "hunter2" not in refused.value.told()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["asyncpg"] = None
from pathlib import Path
from pointsman.assembly.backends import backend_of
from pointsman.config.load import load
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import Misconfigured
try:
    backend_of(load(None, {{"DATABASE_URL": "postgresql://me:hunter2@h/d"}}), Path({str(tmp_path)!r}), SYSTEM_CLOCK)
except Misconfigured as refused:
    print(refused.told())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'pointsman[postgres]'" in done.stdout
    assert "hunter2" not in done.stdout


def test_with_sqlite_the_library_for_postgresql_is_not_loaded() -> None:
    code = "import sys, pointsman.cli.main; print('asyncpg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
