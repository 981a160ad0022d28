"""What the management API works with, handed in by the assembly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from pointsman.accounting.billing import PriceBook
from pointsman.admin.key_names import AliasRule
from pointsman.admin.sign_in.desk import SignInDesk
from pointsman.admin.sign_in.invitations import Invitations
from pointsman.catalog.models import ModelFacts
from pointsman.config.people_sections import KeyGeneration, TeamDefaults, UserDefaults
from pointsman.config.sections import KeyBounds
from pointsman.config.stored import Refused, StoredConfig, StoredEntry, StoredValues
from pointsman.core.clock import Clock
from pointsman.core.errors import Unsupported
from pointsman.core.identity import KeyRecord
from pointsman.core.price import Price
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.lifecycle.explanation import Explanation
from pointsman.lifecycle.traffic import TrafficState
from pointsman.lifecycle.trial import Trial
from pointsman.policies.addresses import AddressGuard, AddressSettings
from pointsman.policies.durations import UTC_MIDNIGHT, ResetClock
from pointsman.policies.keyring import Keyring
from pointsman.policies.principal import Principal
from pointsman.providers.discovery.found import FoundHost
from pointsman.providers.health import HealthWatch
from pointsman.providers.native import Count
from pointsman.providers.ollama import OllamaFacts, OllamaManagement
from pointsman.providers.stateful import ResponseBook
from pointsman.routing.hosts import Host
from pointsman.routing.performance import Performance
from pointsman.routing.table import RoutingTable
from pointsman.stores.audit import AuditStore
from pointsman.stores.directory.ports import Changed, DirectoryStore, SpendStore
from pointsman.stores.directory.records import Limits
from pointsman.stores.encryption import Sealer
from pointsman.stores.ports import KeyStore, LedgerStore

__all__ = [
    "ConfigDifference",
    "CountTokens",
    "DifferingModel",
    "Explainer",
    "HostMinder",
    "InferencePath",
    "Office",
    "Preview",
    "Problem",
    "Question",
    "Readiness",
    "StoredDesk",
]


class Readiness(msgspec.Struct, frozen=True):
    """Whether this process takes requests (``ready``; not once it shuts down), and what should work and does not.

    ``degraded`` has one sentence per ailment; a gateway that still answers known keys is degraded and ready.
    """

    ready: bool = True
    database: Literal["connected", "disconnected", "not configured"] = "connected"
    degraded: tuple[str, ...] = ()


class InferencePath(msgspec.Struct, frozen=True):
    """A path that the inference server answers (POST); here only to be documented. ``{model}`` may stand in it."""

    path: str
    operation: Operation


CountTokens = Callable[[Deployment, Ask], Coroutine[Any, Any, Count | None]]
"""Asks a deployment's upstream how many tokens a conversation is; see :attr:`Office.count_tokens`."""


async def _counts_nothing(_deployment: Deployment, _ask: Ask) -> Count | None:
    return None


async def _no_host_facts(_deployment: Deployment) -> OllamaFacts | None:
    return None


class Preview(msgspec.Struct, frozen=True):
    """A request to an upstream that is not sent: address, body as JSON, and headers with their secrets masked."""

    url: str
    body: msgspec.Raw
    headers: tuple[tuple[str, str], ...]


async def _no_preview(_caller: Principal, operation: Operation, _body: bytes) -> Preview:
    raise Unsupported(f"{operation.value} cannot be shown here.")


class HostMinder(Protocol):
    """Has local hosts load and unload models. ``host`` is an address, None: whichever; gives the hosts where it did."""

    async def load_now(self, model: str, host: str | None, keep_alive: msgspec.Raw | None) -> Sequence[str]:
        """Return once the model is loaded.

        Raises:
            GatewayError: no such model or host is known, or it cannot be loaded.
        """
        ...

    async def unload_now(self, model: str, host: str | None) -> Sequence[str]:
        """Return once it has been told to every host that has the model loaded.

        Raises:
            GatewayError: no such model or host is known, or it cannot be unloaded.
        """
        ...


class Question(msgspec.Struct, frozen=True):
    """A request that somebody asks about: its body, or only its model; the operation None: what the model is for.

    Header names are lower case.
    """

    body: bytes | None = None
    model: str | None = None
    operation: Operation | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Explainer(Protocol):
    """Tells what would become of a request."""

    def __call__(self, asker: Principal, question: Question, /, *, for_operator: bool) -> Explanation:
        """All that would be decided about it.

        Raises:
            Malformed, Unsupported: it is none that could be sent.
        """
        ...


async def _no_trial(_deployment: Deployment, _mode: str | None, _caller: Principal) -> Trial:
    raise Unsupported("No model can be called from here.")


def _explains_nothing(_asker: Principal, _question: Question, *, for_operator: bool) -> Explanation:
    raise Unsupported(f"Nothing can be explained here{'' if for_operator else ' to you'}.")


class StoredDesk(Protocol):
    """Models and credentials that are added at run time, beside those of the configuration file."""

    @property
    def enabled(self) -> bool:
        """Whether anything may be stored."""
        ...

    @property
    def sealer(self) -> Sealer:
        """Encrypts what is secret of it."""
        ...

    @property
    def stored(self) -> StoredConfig:
        """What is stored, as it was last read."""
        ...

    @property
    def refused(self) -> Sequence[Refused]:
        """What of that is not served, and why."""
        ...

    def file_credentials(self) -> Mapping[str, Mapping[str, object]]:
        """The credentials of the file, with references as they are written there."""
        ...

    def problems_of_model(self, model: StoredEntry) -> Sequence[Problem]:
        """What keeps a model from being served; empty: nothing."""
        ...

    def problems_of_credential(self, credential: StoredValues) -> Sequence[Problem]:
        """What is wrong with a credential; empty: nothing."""
        ...

    def users_of_credential(self, name: str) -> Sequence[str]:
        """The models that take values from a credential, by their names."""
        ...

    async def look(self) -> None:
        """Take over what other processes have stored.

        Raises:
            StorageUnavailable: nobody can say.
        """
        ...

    async def take_over(self) -> None:
        """Have this process serve what is stored now; the others notice within a second or two."""
        ...

    async def difference(self) -> ConfigDifference:
        """What this process serves, as against what the file says."""
        ...


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and with which field of the request (``litellm_params.rpm``)."""

    param: str
    message: str
    hint: str | None = None


class DifferingModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is stored; ``joins``: the file has models of this name, too."""

    model_id: str
    model_name: str
    model: str
    joins: bool
    blocked: bool


class ConfigDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How what is served differs from the file.

    ``file`` is its path, None: there is none. ``refused_edit`` is why the file as it is now is not in force. Of stored
    models and credentials ``left_out`` are those that are not served. ``waiting_for_restart`` are paths of settings,
    ``skipped`` entries of the file that cannot be served, each with its reason.
    """

    file: str | None
    in_force: bool
    refused_edit: str | None
    waiting_for_restart: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    stored_models: tuple[DifferingModel, ...] = ()
    stored_credentials: tuple[str, ...] = ()
    left_out: tuple[Refused, ...] = ()


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """The parts, put together by the assembly.

    Attributes:
        table: The routing table in force.
        facts: What the catalogue knows of a deployment's model.
        host_facts: What a deployment's host of Ollama tells of the model; None where it does not.
        price: What a model costs by the catalogue, by its name with or without ``provider/``; None: nobody told.
        prices: Discounts and margins on statements.
        count_tokens: What a deployment's upstream counts a conversation to be, in the form of the operation that is
            asked for; None where it does not tell.
        wildcards: A deployment for each wildcard entry, to be looked at and not to be called.
        hosts: The local servers that discovery watches.
        local_hosts: The local servers that something is routed to, with who runs and who waits there.
        in_flight: How many requests for models are under way.
        metrics_text: The exposition for Prometheus.
        flush: Moves what is spooled into the ledger, so that spending is exact when asked for.
        on_key_change: Told of each key that was made, changed, or (None) deleted.
        on_entry_change: Told of each entry of the directory that was made, changed or removed, once it is written.
        key_defaults: ``default_key_generate_params``: fields of a new key that the caller left out, as raw JSON.
        key_bounds: ``upperbound_key_generate_params``: what a key may have at most.
        key_generation: ``key_generation_settings``: who makes keys.
        alias_rule: What keys may be called; None: anything.
        provider_limits: ``provider_budget_config``: what providers may cost.
        user_defaults: ``default_internal_user_params``.
        user_budget: ``max_internal_user_budget``, in USD; ``user_budget_duration`` is its period.
        team_defaults: ``default_team_params``.
        reset_clock: When budgets are reset.
        own_keys: Whether who makes a key may choose it.
        list_wildcards: Whether ``/v1/models`` lists wildcard names where the request does not say.
        list_healthy_only: Whether ``/v1/models`` leaves out models that cannot be reached.
        docs: Whether ``/docs`` and ``/openapi.json`` are served.
        preview: Writes the upstream's request for an operation and a client's body, as that caller would have it.
        explain: Tells where a request would go, and why.
        ollama: Manages models on the hosts of Ollama; None where the operator has not allowed that.
        minder: Has local hosts load and unload models; None: nobody does.
        health: Knows how the deployments are.
        performance: How a deployment has done lately.
        try_model: Calls a deployment once, for so small an answer as its kind (or the mode that is given) allows.
        book: What is stored of responses; None: nothing.
        stop_job: Breaks off the work on a response, by its id, if it goes on in this process.
        traffic: The rules about traffic, and what they have counted.
        sign_in: Where people sign in; None: nowhere.
        invitations: Keeps those to choose a password.
        admin_only_routes: Routes, and groups of them, that the operator leaves to administrators.
        addresses: Says who may use the gateway from where.
        stored: Models and credentials that are added at run time; None: there are none.
        inference_paths: What to document besides the routes of this API.
    """

    keyring: Keyring
    keys: KeyStore
    ledger: LedgerStore
    directory: DirectoryStore
    spend: SpendStore
    audit: AuditStore
    table: Callable[[], RoutingTable]
    clock: Clock
    version: str
    metrics_text: Callable[[], bytes]
    flush: Callable[[], Awaitable[None]]
    on_key_change: Callable[[str, KeyRecord | None], None]
    health: HealthWatch
    performance: Callable[[Deployment], Performance]
    on_entry_change: Callable[[Changed], None] = lambda _changed: None
    facts: Callable[[Deployment], ModelFacts | None] = lambda _deployment: None
    host_facts: Callable[[Deployment], Awaitable[OllamaFacts | None]] = _no_host_facts
    price: Callable[[str], Price | None] = lambda _model: None
    prices: PriceBook = PriceBook()
    count_tokens: CountTokens = _counts_nothing
    hosts: Callable[[], Sequence[FoundHost]] = lambda: ()
    wildcards: Callable[[], Sequence[Deployment]] = lambda: ()
    local_hosts: Callable[[], Sequence[Host]] = lambda: ()
    readiness: Callable[[], Readiness] = Readiness
    in_flight: Callable[[], int] = lambda: 0
    require_auth_for_metrics: bool = True
    key_defaults: Mapping[str, msgspec.Raw] = {}
    key_bounds: KeyBounds = KeyBounds()
    key_generation: KeyGeneration = KeyGeneration()
    alias_rule: AliasRule | None = None
    provider_limits: Mapping[str, Limits] = {}
    user_defaults: UserDefaults = UserDefaults()
    user_budget: float | None = None
    user_budget_duration: str | None = None
    team_defaults: TeamDefaults = TeamDefaults()
    reset_clock: ResetClock = UTC_MIDNIGHT
    own_keys: bool = True
    list_wildcards: bool = False
    list_healthy_only: bool = False
    docs: bool = True
    preview: Callable[[Principal, Operation, bytes], Awaitable[Preview]] = _no_preview
    try_model: Callable[[Deployment, str | None, Principal], Awaitable[Trial]] = _no_trial
    explain: Explainer = _explains_nothing
    ollama: OllamaManagement | None = None
    minder: HostMinder | None = None
    book: ResponseBook | None = None
    stop_job: Callable[[str], None] = lambda _identity: None
    traffic: Callable[[], TrafficState] = TrafficState
    admin_only_routes: tuple[str, ...] = ()
    sign_in: SignInDesk | None = None
    invitations: Invitations | None = None
    addresses: AddressGuard = AddressGuard(AddressSettings())
    stored: StoredDesk | None = None
    inference_paths: tuple[InferencePath, ...] = ()
