"""What one process writes of calls, another that serves the same keys and teams knows a look later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pointsman.assembly.backends import SqliteBackend
from pointsman.assembly.storage import Storage
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.secret import Secret
from pointsman.policies.account_book import AccountBook
from pointsman.policies.keyring import Keyring
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.records import Limits, Team
from tests.stores.samples import bare_call

KEY = "sk-one"
HEADERS = ((b"authorization", f"Bearer {KEY}".encode()),)


@asynccontextmanager
async def process(folder: Path, worker: int) -> AsyncIterator[tuple[Storage, Keyring]]:
    storage = Storage(SqliteBackend(folder / "pointsman.db", SYSTEM_CLOCK), folder, worker, SYSTEM_CLOCK)
    await storage.open()
    storage.accounts = AccountBook(storage.directory, storage.spend)
    yield storage, Keyring(Secret("sk-master"), storage.keys, SYSTEM_CLOCK, accounts=storage.accounts)
    await storage.close()


@pytest.mark.parametrize("is_late", [False, True])
async def test_spending_of_another_process_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    if is_late:  # as if the reader had slept for more than a minute
        monkeypatch.setattr("pointsman.stores.sqlite.ledger.NEWS_SECONDS", -1.0)
    async with process(tmp_path, 0) as (writer, _), process(tmp_path, 1) as (reader, keyring):
        await writer.directory.insert(TEAMS, Team(team_id="t", limits=Limits(max_budget=100)))
        await writer.keys.insert(KeyRecord(token=token_of(KEY), key_name="sk-...", team_id="t", max_budget=100))
        before = await keyring.caller(HEADERS)
        team = next(account for account in before.ties.accounts if account.scope == "team")
        for number in range(3):
            call = bare_call(f"c{number}", key_token=token_of(KEY), team_id="t", cost=10)
            await writer.ledger.append([call])
        await reader._refresh_entries(keyring)
        after = await keyring.caller(HEADERS)
        assert after is before
        assert after.record.spend == 30
        assert team.spent == 30
        assert (await reader.directory.changed_since(reader._directory_version))[1] == ()
