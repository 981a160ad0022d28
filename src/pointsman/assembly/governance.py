"""Whoever decides who may do what, and what it costs: keys, accounts, signing in, admission and alerts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from pointsman.assembly.alerts import alert_senders, budget_watch
from pointsman.assembly.deployments import Configured
from pointsman.assembly.from_settings import admission_settings, reset_clock
from pointsman.assembly.key_rotation import KeyRotationTask
from pointsman.assembly.limits import general_limits
from pointsman.assembly.retention import Retention, retention_rule
from pointsman.assembly.roll_ups import RollUps
from pointsman.assembly.sign_in import Entrance, EntrancePlan
from pointsman.assembly.storage import Storage
from pointsman.config.load import Loaded
from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.policies.account_book import AccountBook
from pointsman.policies.admission import Admission
from pointsman.policies.day_memory import DayMemory
from pointsman.policies.keyring import Keyring
from pointsman.policies.rotation import KeyRotation, RetiredKeys
from pointsman.providers.transport import Transport
from pointsman.telemetry.alerts.desk import AlertDesk
from pointsman.telemetry.alerts.senders import Sender

__all__ = ["Governance", "GovernancePlan", "Surroundings"]

_RETRY_SECONDS: Final = 1.0
_ALERTS_AT_ONCE: Final = 32
"""One that cannot be sent does not hold up the others."""


class GovernancePlan:
    """What a configuration says of it, looked through before anything of it is in force.

    Raises:
        Misconfigured: it cannot be done.
    """

    def __init__(self, loaded: Loaded, made: Configured, transport: Transport, master_key: Secret | None) -> None:
        self.loaded = loaded
        self.entrance = EntrancePlan(loaded, master_key)
        self.limits = general_limits(loaded, made.deployments)
        self.senders: tuple[Sender, ...] = alert_senders(loaded, transport)
        self.keeps = retention_rule(loaded)


class Surroundings(msgspec.Struct, frozen=True):
    """What it works with."""

    storage: Storage
    transport: Transport
    nursery: Nursery
    clock: Clock
    master_key: Secret | None
    workers: int


class Governance:
    """The parts, joined; they go by ``plan`` from now on."""

    def __init__(self, plan: GovernancePlan, around: Surroundings) -> None:
        storage, clock = around.storage, around.clock
        self._around = around
        self._keeps = plan.keeps
        self.retention = Retention(storage.ledger, lambda: self._keeps, clock)
        memory = DayMemory(storage.ledger.activity, clock, lambda: self.admission.settings.counted_tokens)
        self.accounts = AccountBook(storage.directory, storage.spend, clock=clock, share=around.workers, memory=memory)
        self.alerts = AlertDesk(storage.directory, clock=clock)
        self.alerts.senders = plan.senders
        self.accounts.follow(plan.limits, reset_clock(plan.loaded), budget_watch(plan.loaded, self.alerts))
        storage.accounts = storage.periods.accounts = self.accounts
        self.keyring = self._make_keyring(plan.loaded)
        self.entrance = self._make_entrance(plan.entrance)
        storage.on_change(self.keyring.entries_changed)
        self.admission = Admission(admission_settings(plan.loaded), self.accounts)

    def follow(self, plan: GovernancePlan) -> None:
        """Go by this plan from now on. Limits that are new are counted from what was spent, in the background."""
        loaded = plan.loaded
        self._keeps = plan.keeps
        self.alerts.senders = plan.senders
        if self.accounts.follow(plan.limits, reset_clock(loaded), budget_watch(loaded, self.alerts)):
            self.keyring.limits_changed()
            self._around.nursery.start(self._catch_up(), "limits")
        self.keyring.deployments_changed()
        self.keyring.admits_unverified = loaded.settings.general_settings.allow_requests_on_db_unavailable
        self.admission.settings = admission_settings(loaded)
        self.entrance.follow(plan.entrance)

    def start(self, data_directory: Path, *, worker: int) -> None:
        """Start the background work; what one process does for all of them is done by the first worker."""
        around = self._around
        start = around.nursery.start
        for number in range(_ALERTS_AT_ONCE):
            start(self.alerts.run(), f"alerts {number}")
        start(around.storage.newcomers.run(), "customers")
        if worker == 0:
            start(self.retention.run(), "retention")
            storage = around.storage
            start(RollUps(storage.ledger, around.clock).run(), "roll-ups")
            rotation = KeyRotation(storage.keys, storage.directory, around.clock, self.keyring.changed)
            task = KeyRotationTask(rotation, storage.audit, data_directory / "rotated-keys", around.clock)
            start(task.run(), "key rotation")

    async def _catch_up(self) -> None:
        """Find out what was spent of limits that are new."""
        while True:
            try:
                await self.accounts.catch_up()
            except StorageUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    def _make_keyring(self, loaded: Loaded) -> Keyring:
        around, general = self._around, loaded.settings.general_settings
        keyring = Keyring(
            around.master_key,
            around.storage.keys,
            around.clock,
            general.litellm_key_header_name,
            share=around.workers,
            accounts=self.accounts,
        )
        keyring.admits_unverified = general.allow_requests_on_db_unavailable
        keyring.retired = RetiredKeys(around.storage.directory, around.clock)
        return keyring

    def _make_entrance(self, plan: EntrancePlan) -> Entrance:
        around = self._around
        return Entrance(
            plan,
            keyring=self.keyring,
            directory=around.storage.directory,
            audit=around.storage.audit,
            store=around.storage.sign_in,
            fetcher=around.transport,
            nursery=around.nursery,
            clock=around.clock,
        )
