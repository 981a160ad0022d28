"""What the variables mean; whose name wins; and that a mistake in one of ours is told."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.environment import VARIABLES, EnvironmentSettings, process_environment
from pointsman.config.findings import ConfigRefused


def told(environment: dict[str, str]) -> list[str]:
    return [str(finding) for finding in EnvironmentSettings.read(environment).warnings]


def test_an_empty_environment_says_nothing() -> None:
    assert EnvironmentSettings.read({}) == EnvironmentSettings()
    assert EnvironmentSettings.read(dict.fromkeys(VARIABLES, " ")) == EnvironmentSettings()


def test_every_variable_is_read() -> None:
    settings = EnvironmentSettings.read(
        {
            "POINTSMAN_HOST": "0.0.0.0",
            "POINTSMAN_PORT": "4001",
            "POINTSMAN_WORKERS": "3",
            "POINTSMAN_CONFIG": "/etc/p.yaml",
            "POINTSMAN_DATA_DIR": "/var/p",
            "POINTSMAN_MASTER_KEY": "sk-ours",
            "POINTSMAN_OLLAMA": "a, http://b:1 ,",
            "OLLAMA_HOST": "0.0.0.0",
            "OLLAMA_API_BASE": "http://o:11434",
            "OLLAMA_API_KEY": "ok",
            "POINTSMAN_LOG_LEVEL": "warn",
            "NO_DOCS": "True",
            "DATABASE_URL": "postgresql://u:pw@h/d",
            "REDIS_URL": "redis://h",
        }
    )
    assert (settings.host, settings.port, settings.workers) == ("0.0.0.0", 4001, 3)
    assert (settings.config_path, settings.data_directory) == (Path("/etc/p.yaml"), Path("/var/p"))
    assert settings.ollama == ("http://a:11434", "http://b:1")
    assert settings.ollama_host == "http://127.0.0.1:11434"
    assert settings.ollama_api_base == "http://o:11434"
    assert (settings.log_level, settings.docs) == ("WARNING", False)
    secrets = (settings.master_key, settings.ollama_api_key, settings.database_url, settings.redis_url)
    assert [secret and secret.reveal() for secret in secrets] == ["sk-ours", "ok", "postgresql://u:pw@h/d", "redis://h"]
    assert "pw" not in repr(settings)
    assert [finding.path for finding in settings.warnings] == []


def test_redis_may_be_told_in_parts() -> None:
    settings = EnvironmentSettings.read(
        {
            "REDIS_HOST": "r",
            "REDIS_PORT": "6380",
            "REDIS_USERNAME": "u",
            "REDIS_PASSWORD": "hunter2",
            "REDIS_SSL": "True",
        }
    )
    assert (settings.redis_host, settings.redis_port, settings.redis_username) == ("r", 6380, "u")
    assert settings.redis_password is not None and settings.redis_password.reveal() == "hunter2"
    assert settings.redis_ssl
    assert "hunter2" not in repr(settings)


def test_our_names_win_over_litellms() -> None:
    theirs = {
        "LITELLM_MASTER_KEY": "sk-theirs",
        "CONFIG_FILE_PATH": "t.yaml",
        "LOG_LEVEL": "ERROR",
        "LITELLM_LOG": "INFO",
    }
    settings = EnvironmentSettings.read(theirs)
    assert settings.master_key is not None
    assert settings.master_key.matches("sk-theirs")
    assert (settings.config_path, settings.log_level) == (Path("t.yaml"), "INFO")
    ours = {"POINTSMAN_MASTER_KEY": "sk-ours", "POINTSMAN_CONFIG": "o.yaml", "POINTSMAN_LOG_LEVEL": "DEBUG"}
    settings = EnvironmentSettings.read({**theirs, **ours})
    assert settings.master_key is not None
    assert settings.master_key.matches("sk-ours")
    assert (settings.config_path, settings.log_level) == (Path("o.yaml"), "DEBUG")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POINTSMAN_PORT", "65536"),
        ("POINTSMAN_PORT", "-1"),
        ("POINTSMAN_PORT", "٤٠٠٠"),
        ("POINTSMAN_PORT", "9" * 5000),
        ("POINTSMAN_WORKERS", "0"),
        ("POINTSMAN_WORKERS", "many"),
        ("POINTSMAN_OLLAMA", "a,ftp://b"),
        ("POINTSMAN_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_of_ours_is_refused_by_name_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        EnvironmentSettings.read({name: value})
    (error,) = caught.value.errors
    assert error.path == name
    assert str(error).startswith(f"environment: {name}: ")
    assert value not in error.message or len(value) < 3


def test_a_wrong_value_of_others_is_told_and_ignored() -> None:
    assert told({"LOG_LEVEL": "verbose"}) == [
        "environment: LOG_LEVEL: is ignored: it is none of CRITICAL, DEBUG, ERROR, INFO, WARNING."
    ]
    assert "OLLAMA_HOST: is ignored" in told({"OLLAMA_HOST": "ftp://x"})[0]


def test_an_unknown_variable_with_our_name_is_told_with_the_nearest() -> None:
    assert told({"POINTSMAN_PROT": "1", "OTHER": "x"}) == [
        "environment: POINTSMAN_PROT: is not a known variable and has no effect. Did you mean POINTSMAN_PORT?"
    ]


def test_the_process_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_HOST", "a")
    environment = process_environment()
    os.environ["POINTSMAN_HOST"] = "b"
    assert environment["POINTSMAN_HOST"] == "a"


@given(st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text(max_size=30)))
def test_any_values_are_read_or_refused(environment: dict[str, str]) -> None:
    with contextlib.suppress(ConfigRefused):
        settings = EnvironmentSettings.read(environment)
        assert settings.port is None or 0 <= settings.port <= 65535


def test_a_database_may_be_told_in_parts() -> None:
    parts = {
        "DATABASE_HOST": "db:5433",
        "DATABASE_USERNAME": "me@home",
        "DATABASE_PASSWORD": "p/w?",
        "DATABASE_NAME": "main",
        "DATABASE_SCHEMA": "gate",
    }
    read = EnvironmentSettings.read(parts).database_url
    assert read is not None
    assert read.reveal() == "postgresql://me%40home:p%2Fw%3F@db:5433/main?schema=gate"
    whole = EnvironmentSettings.read({**parts, "DATABASE_URL": "postgresql://u@h/d"}).database_url
    assert whole is not None
    assert whole.reveal() == "postgresql://u@h/d"
    assert EnvironmentSettings.read({"DATABASE_HOST": "db"}).database_url is None
