"""Encrypting everything anew: entry by entry, resumable, and never over what no key opens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.main import cli
from pointsman.core.errors import GatewayError
from pointsman.core.secret import Secret
from pointsman.stores.directory.kinds import CREDENTIALS, MODELS
from pointsman.stores.directory.ports import DirectoryStore
from pointsman.stores.directory.records import StoredCredential, StoredModel
from pointsman.stores.directory.sealing import open_credential, open_params, seal_credential, seal_params
from pointsman.stores.encryption import KEY_FILE, Sealer, SecretKeys, read_secret_keys
from pointsman.stores.sqlite import SqliteDatabase, SqliteDirectoryStore

CANARY = "sk-canary-0123456789abcdef"


def sealer(directory: Path, given: str | None = None) -> Sealer:
    def read(*, make: bool) -> SecretKeys:
        return read_secret_keys(Secret(given) if given else None, None, directory, make=make)

    return Sealer(read)


def with_directory(path: Path, work: Callable[[DirectoryStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        database = SqliteDatabase(path / "pointsman.db")
        await database.open()
        try:
            return await work(SqliteDirectoryStore(database))
        finally:
            await database.close()

    return asyncio.run(run())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    seal = sealer(tmp_path)

    async def fill(store: DirectoryStore) -> None:
        for number in range(3):
            params = {"model": "openai/m", "api_key": CANARY, "extra_headers": {"X": CANARY}, "rpm": 5}
            record = StoredModel(model_id=f"m{number}", name="m", params=seal_params(seal, f"m{number}", params))
            await store.insert(MODELS, record)
        values = seal_credential(seal, "c", {"api_key": CANARY, "api_base": "https://h"})
        await store.insert(CREDENTIALS, StoredCredential(name="c", values=values))

    with_directory(tmp_path, fill)
    return tmp_path


def run(directory: Path, *arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["secrets", *arguments, "--data-dir", str(directory)], env=environment)


def opened(directory: Path, seal: Sealer) -> list[object]:
    async def read(store: DirectoryStore) -> list[object]:
        models = [await store.get(MODELS, f"m{number}") for number in range(3)]
        credential = await store.get(CREDENTIALS, "c")
        assert credential is not None
        found: list[object] = [open_params(seal, one)["api_key"] for one in models if one is not None]
        return [*found, open_credential(seal, credential)["api_key"]]

    result: list[object] = with_directory(directory, read)
    return result


def test_secrets_are_encrypted_and_the_rest_is_not(directory: Path) -> None:
    async def read(store: DirectoryStore) -> bytes:
        record = await store.get(MODELS, "m0")
        assert record is not None
        return bytes(record.params)

    text = with_directory(directory, read)
    assert CANARY.encode() not in text
    assert b'"model":"openai/m"' in text and b'"rpm":5' in text
    assert CANARY.encode() not in b"".join(one.read_bytes() for one in directory.iterdir() if one.name != KEY_FILE)


def test_a_new_key_takes_over_and_the_old_one_can_go(directory: Path) -> None:
    before = run(directory, "check")
    assert before.exit_code == 0, before.output
    done = run(directory, "rotate", "--new-key")
    assert done.exit_code == 0, done.output
    assert "encrypted anew: 4" in done.output
    keys = (directory / KEY_FILE).read_text().splitlines()
    assert len(keys) == 2
    (directory / KEY_FILE).write_text(keys[0] + "\n")
    assert run(directory, "check").exit_code == 0
    assert opened(directory, sealer(directory)) == [CANARY] * 4


def test_a_key_of_the_environment_takes_over_from_the_file(directory: Path) -> None:
    given = {"POINTSMAN_SECRET_KEY": "a-given-key-0123456789"}
    found = run(directory, "check", **given)
    assert found.exit_code == 1 and "still needing another key: 4" in found.output
    assert run(directory, "rotate", **given).exit_code == 0
    (directory / KEY_FILE).unlink()
    assert opened(directory, sealer(directory, "a-given-key-0123456789")) == [CANARY] * 4
    refused = run(directory, "rotate", "--new-key", **given)
    assert isinstance(refused.exception, GatewayError)


def test_one_that_was_stopped_goes_on_where_it_was(directory: Path) -> None:
    seal = sealer(directory, "a-given-key-0123456789")

    async def one(store: DirectoryStore) -> None:
        record = await store.get(MODELS, "m0")
        assert record is not None
        params = open_params(seal, record)
        sealed = StoredModel(model_id="m0", name="m", params=seal_params(seal, "m0", params))
        await store.update(MODELS, "m0", lambda _: sealed)

    with_directory(directory, one)
    done = run(directory, "rotate", POINTSMAN_SECRET_KEY="a-given-key-0123456789")
    assert "encrypted anew: 3" in done.output


def test_what_no_key_opens_is_left_as_it_is_and_named(directory: Path) -> None:
    key = (directory / KEY_FILE).read_text()
    (directory / KEY_FILE).unlink()
    done = run(directory, "rotate", POINTSMAN_SECRET_KEY="a-given-key-0123456789")
    assert done.exit_code == 1
    assert "that no key opens: 4" in done.output
    assert "credential 'c'" in done.output
    (directory / KEY_FILE).write_text(key)
    (directory / KEY_FILE).chmod(0o600)
    assert opened(directory, sealer(directory)) == [CANARY] * 4


def test_a_folder_without_a_database_is_told(tmp_path: Path) -> None:
    result = run(tmp_path, "check")
    assert isinstance(result.exception, GatewayError)
    assert "no database" in str(result.exception)


def test_a_database_that_is_elsewhere_is_not_taken_for_the_one_in_the_folder(directory: Path) -> None:
    result = run(directory, "check", DATABASE_URL="postgresql://somewhere/else")
    assert isinstance(result.exception, GatewayError)
    assert "--url" in (result.exception.hint or "")
