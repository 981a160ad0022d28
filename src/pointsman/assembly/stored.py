"""Models and credentials that are added at run time: read from the database, kept in step, and told of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from pointsman.admin.office import ConfigDifference, DifferingModel, Problem
from pointsman.assembly.deployments import why_left_out
from pointsman.assembly.plan import ServePlan
from pointsman.assembly.restart import waiting_for_restart
from pointsman.config.findings import Finding
from pointsman.config.load import Loaded
from pointsman.config.nodes import plain
from pointsman.config.patterns import match
from pointsman.config.stored import (
    Refused,
    StoredConfig,
    StoredEntry,
    StoredValues,
    credential_problems,
    model_problems,
)
from pointsman.core.errors import GatewayError, Misconfigured, StorageUnavailable
from pointsman.stores.directory.kinds import CREDENTIALS, MODELS, Kind
from pointsman.stores.directory.ports import DirectoryQuery, DirectoryStore
from pointsman.stores.directory.records import StoredCredential, StoredModel
from pointsman.stores.directory.sealing import open_credential, open_params
from pointsman.stores.encryption import Sealer, SecretKeys, read_secret_keys

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway

__all__ = ["GatewayStoredDesk", "StoredKeeper"]

T = TypeVar("T", bound=msgspec.Struct)

_LOOK_SECONDS: Final = 1.0
_PAGE: Final = 1000
_ENTRIES_MAX: Final = 100_000
_log: Final = logging.getLogger("pointsman")
_decode_object: Final = msgspec.json.Decoder(dict[str, object]).decode


class StoredKeeper:
    """Knows what is stored. ``file`` gives the configuration without it; ``adopt`` serves what ``config`` is then."""

    def __init__(
        self,
        directory: DirectoryStore,
        plan: ServePlan,
        file: Callable[[], Loaded],
        adopt: Callable[[], Awaitable[None]],
    ) -> None:
        self.config = StoredConfig()
        self.sealer = Sealer(self._keys)
        self._directory = directory
        self._plan = plan
        self._file = file
        self._adopt = adopt
        self._version = 0
        self._wanted = self._served = 0  # changes that were heard of, and those of them that are served
        self._adopted: StoredConfig | None = None
        self._reading = asyncio.Lock()  # so that of two who read, the later one's is what stays

    def enabled_by(self, file: Loaded) -> bool:
        """Whether models and credentials may be added at run time; unless it is said, where there is a master key."""
        said = file.settings.general_settings.store_model_in_db
        said = file.environment.store_models if said is None else said
        return self._plan.authenticate if said is None else said

    def served_beside(self, file: Loaded) -> StoredConfig:
        """What of it is served with this configuration."""
        return self.config if self.enabled_by(file) else StoredConfig()

    async def open(self) -> None:
        """Read what is stored and serve it, at the start; where that cannot be read now, it is once it can."""
        try:
            self._version = await self._directory.version()
            self.config = await self._read()
        except StorageUnavailable:
            self._wanted += 1
            return
        if self.config != StoredConfig():
            await self._adopt()
        self._adopted = self.config

    async def take_over(self) -> None:
        """Read what is stored and serve it.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        self._wanted += 1
        async with self._reading:
            wanted = self._wanted
            self.config = await self._read()
            # What this process itself has stored it hears of once more; a table made anew forgets what it has learned.
            if self.config != self._adopted:
                await self._adopt()
                self._adopted = self.config
            self._served = wanted

    async def look(self) -> None:
        """Take over what other processes have stored since the last look.

        Raises:
            StorageUnavailable: nobody can say.
        """
        while True:
            version, changes = await self._directory.changed_since(self._version)
            if any(change.kind in {MODELS.name, CREDENTIALS.name} for change in changes):
                self._wanted += 1
            if version == self._version:
                break
            self._version = version
        if self._wanted != self._served:
            await self.take_over()

    async def run(self) -> None:
        """Look every second; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except StorageUnavailable:
                continue  # what is served stays, and readiness tells of the database
            except GatewayError as problem:
                _log.error("What is stored cannot be taken over: %s", problem.told())

    async def _read(self) -> StoredConfig:
        models, credentials = await self._all(MODELS), await self._all(CREDENTIALS)
        # Thousands of secrets take a while to decrypt.
        found = await asyncio.to_thread(self._opened, models, credentials)
        if found.unreadable != self.config.unreadable:
            for one in found.unreadable:
                _log.error("The stored %s %r is left out: %s", one.kind, one.name, one.reason)
        return found

    def _opened(self, models: Sequence[StoredModel], credentials: Sequence[StoredCredential]) -> StoredConfig:
        unreadable: list[Refused] = []
        entries = [self._model(one, unreadable) for one in models]
        values = [self._credential(one, unreadable) for one in credentials]
        return StoredConfig(
            tuple(one for one in entries if one is not None),
            tuple(one for one in values if one is not None),
            tuple(unreadable),
        )

    def _keys(self, *, make: bool) -> SecretKeys:
        said = self._file().environment
        return read_secret_keys(said.secret_key, said.salt_key, self._plan.data_directory, make=make)

    async def _all(self, kind: Kind[T]) -> list[T]:
        found: list[T] = []
        for page in range(1, _ENTRIES_MAX // _PAGE + 1):
            query = DirectoryQuery(page=page, size=_PAGE, sort_by="id", sort_order="asc")
            records = (await self._directory.find(kind, query)).records
            found += records
            if len(records) < _PAGE:
                break
        return found

    def _model(self, record: StoredModel, unreadable: list[Refused]) -> StoredEntry | None:
        try:
            params = open_params(self.sealer, record)
        except Misconfigured as problem:
            unreadable.append(Refused("model", record.model_id, record.name, problem.told()))
            return None
        return StoredEntry(
            id=record.model_id,
            name=record.name,
            params=params,
            info=_decode_object(record.info),
            team_id=record.team_id,
            blocked=record.blocked,
        )

    def _credential(self, record: StoredCredential, unreadable: list[Refused]) -> StoredValues | None:
        try:
            return StoredValues(record.name, open_credential(self.sealer, record))
        except Misconfigured as problem:
            unreadable.append(Refused("credential", record.name, record.name, problem.told()))
            return None


class GatewayStoredDesk:
    """Keeps :class:`pointsman.admin.office.StoredDesk`'s promises with the gateway's parts."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def enabled(self) -> bool:
        """See the port."""
        return self._gateway.stored.enabled_by(self._gateway.file)

    @property
    def sealer(self) -> Sealer:
        """See the port."""
        return self._gateway.stored.sealer

    @property
    def stored(self) -> StoredConfig:
        """See the port."""
        return self._gateway.stored.served_beside(self._gateway.file)

    @property
    def refused(self) -> Sequence[Refused]:
        """See the port."""
        left_out = [
            Refused("model", one.path.removeprefix("stored model "), one.model_name, one.reason)
            for one in self._gateway.routes.left_out
            if one.path.startswith("stored model ")
        ]
        return (*self._gateway.stored_refused, *left_out)

    def file_credentials(self) -> Mapping[str, Mapping[str, object]]:
        """See the port."""
        credentials = self._gateway.file.shared.credentials
        return {
            name: {field: plain(entry.node) for field, entry in values.entries.items()}
            for name, values in credentials.items()
        }

    def problems_of_model(self, model: StoredEntry) -> Sequence[Problem]:
        """See the port."""
        gateway = self._gateway
        if any(one.id == model.id and not one.stored for one in gateway.house.table.deployments):
            hint = "The file is the truth: change it there, or choose another id."
            return [Problem("model_info.id", "the configuration file has a model with this id.", hint)]
        found, entry = model_problems(gateway.file, gateway.loaded.shared, model)
        if found or entry is None:
            return _problems(found) or [Problem("litellm_params", "cannot be read.")]
        reason = why_left_out(entry, gateway.loaded.settings, gateway.loaded.variables)
        return [] if reason is None else [Problem("litellm_params", reason)]

    def problems_of_credential(self, credential: StoredValues) -> Sequence[Problem]:
        """See the port."""
        if credential.name in self._gateway.file.shared.credentials:
            hint = "The file is the truth: change it there, or choose another name."
            return [Problem("credential_name", "credential_list of the file has one of this name.", hint)]
        return _problems(credential_problems(self._gateway.file, credential)[0])

    def users_of_credential(self, name: str) -> Sequence[str]:
        """See the port."""
        settings = self._gateway.loaded.settings
        return [
            entry.model_name
            for entry in (*settings.model_list, *settings.stored_models)
            if entry.litellm_params.litellm_credential_name == name
        ]

    async def look(self) -> None:
        """See the port."""
        await self._gateway.stored.look()

    async def take_over(self) -> None:
        """See the port."""
        await self._gateway.stored.take_over()

    async def difference(self) -> ConfigDifference:
        """See the port."""
        gateway = self._gateway
        names = [entry.model_name for entry in gateway.file.settings.model_list]
        path = gateway.plan.config_path
        skipped = (one for one in gateway.routes.left_out if not one.path.startswith("stored model "))
        return ConfigDifference(
            file=None if path is None else str(path),
            in_force=gateway.refused_edit is None,
            refused_edit=gateway.refused_edit,
            waiting_for_restart=waiting_for_restart(gateway.started_with, gateway.loaded),
            skipped=tuple(str(one) for one in skipped),
            stored_models=tuple(
                DifferingModel(
                    model_id=one.id,
                    model_name=one.name,
                    model=str(one.params.get("model", "")),
                    joins=any(match(name, one.name) is not None for name in names),
                    blocked=one.blocked,
                )
                for one in self.stored.models
            ),
            stored_credentials=tuple(one.name for one in self.stored.credentials),
            left_out=tuple(self.refused),
        )


def _problems(findings: Sequence[Finding]) -> list[Problem]:
    return [Problem(one.path, one.message, one.hint) for one in findings]
