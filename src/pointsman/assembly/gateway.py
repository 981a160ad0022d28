"""One worker's gateway: every part made, joined, started, reloaded and stopped."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from pointsman.accounting.estimate import estimate_body
from pointsman.accounting.price import cost_of
from pointsman.assembly.app import admin_paths, make_app
from pointsman.assembly.backends import backend_of
from pointsman.assembly.configuration import Configuration
from pointsman.assembly.deployments import Configured, configured
from pointsman.assembly.dialects import CLIENT_DIALECTS, passage_dialects
from pointsman.assembly.fleet import FleetFeed
from pointsman.assembly.from_settings import (
    body_bytes_max,
    discovery_places,
    health_settings,
    keepalive_seconds,
    media_limits,
    reset_clock,
    routing_settings,
    storage_grace_seconds,
)
from pointsman.assembly.gauges import Truncations, save_counts
from pointsman.assembly.governance import Governance, GovernancePlan, Surroundings
from pointsman.assembly.health_history import kept
from pointsman.assembly.host_settings import equip_hosts
from pointsman.assembly.limits import is_failing
from pointsman.assembly.live_app import LiveApp, open_to_pages
from pointsman.assembly.manners import manners
from pointsman.assembly.master_key import master_key
from pointsman.assembly.metrics import metrics_of
from pointsman.assembly.native_lanes import (
    CloudServices,
    aws_keyring,
    counting_ways,
    native_lanes,
    passage_signer,
    responses_relay,
)
from pointsman.assembly.plan import ServePlan
from pointsman.assembly.replicas import replicas_of, work_together
from pointsman.assembly.restart import waiting_for_restart
from pointsman.assembly.routes import RouteMaker, hint_for, spell_out
from pointsman.assembly.secrets import follow_secrets
from pointsman.assembly.senders import Senders
from pointsman.assembly.storage import Storage
from pointsman.assembly.stored import StoredKeeper
from pointsman.assembly.traffic import TrafficControl
from pointsman.assembly.warmth import WarmKeeper
from pointsman.catalog.lookup import Catalog
from pointsman.config.environment import process_environment
from pointsman.config.findings import ConfigRefused
from pointsman.config.load import Loaded, load
from pointsman.config.secret_sources import OpenSource, no_source
from pointsman.config.stored import Refused, with_stored
from pointsman.config.watch import ConfigWatch
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import GatewayError
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment, Lane
from pointsman.dialects.openai_extras.realtime import RealtimeDialect
from pointsman.lifecycle.announce import Audience
from pointsman.lifecycle.background import Jobs
from pointsman.lifecycle.house import House
from pointsman.lifecycle.loads import Loads
from pointsman.lifecycle.outbox import Outbox
from pointsman.lifecycle.wake import Waker
from pointsman.providers.azure import azure_realtime
from pointsman.providers.discovery import Discovery, FoundHost
from pointsman.providers.health import Admittance, HealthWatch
from pointsman.providers.lanes import LaneBook
from pointsman.providers.loading import ModelLoader
from pointsman.providers.media import MediaFetcher
from pointsman.providers.native import ResponsesLane, TokenCounter
from pointsman.providers.ollama import OllamaManagement, management_hosts
from pointsman.providers.pass_through import PassageBook
from pointsman.providers.realtime import RealtimeDialer
from pointsman.providers.stateful import RememberedRelay, ResponseBook, read_errand
from pointsman.providers.tokens import TokenBook
from pointsman.providers.transport import Transport
from pointsman.providers.waking import HostKnock, send_magic_packet
from pointsman.routing.performance import PerformanceBook
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings
from pointsman.server.gate import Gate
from pointsman.server.paths import PathTable
from pointsman.server.realtime import REALTIME_PATHS, RealtimeDoor
from pointsman.telemetry.logs import CallLog
from pointsman.telemetry.metrics import CallMetrics

__all__ = ["Gateway"]

_WATCH_SECONDS: Final = 1.0
_SCAN_SECONDS_MAX: Final = 1.0
"""How long the start waits for what local servers have loaded; who is slower is heard later."""
_CUT_SECONDS: Final = 0.01
_CUT_ROUNDS: Final = 100
_log: Final = logging.getLogger("pointsman")


class Gateway:
    """Made by :meth:`open`; ``gate`` and ``front`` are what the server needs.

    ``master_key`` is None without authentication; ``master_key_made`` tells that it is new and has to be shown.
    """

    def __init__(self, plan: ServePlan, loaded: Loaded, secret_sources: OpenSource = no_source) -> None:
        self.plan = plan
        self._secret_sources = secret_sources
        self.loaded = self.file = self.started_with = loaded
        self.refused_edit: str | None = None
        self.stored_refused: tuple[Refused, ...] = ()
        self._renewing = asyncio.Lock()
        self.clock = SYSTEM_CLOCK
        self.nursery = Nursery(_tell_failure)
        self.master_key, self.master_key_made = master_key(plan, loaded)
        self.storage = self._storage(loaded)
        self.stored = StoredKeeper(self.storage.directory, plan, lambda: self.file, self._adopt_stored)
        self._adjust_storage(loaded)
        self.transport = Transport(self.nursery, self.clock, keepalive_seconds(loaded))
        self._senders = Senders(self.transport, Nursery(_tell_failure))
        self.truncations = Truncations()
        self.metrics = metrics_of(self)
        self.routes = RouteMaker(plan.demo)
        made = self._read_models(loaded)
        plans = GovernancePlan(loaded, made, self.transport, self.master_key)
        around = Surroundings(self.storage, self.transport, self.nursery, self.clock, self.master_key, plan.workers)
        self.governance = governance = Governance(plans, around)
        self.accounts, self.alerts, self.entrance = governance.accounts, governance.alerts, governance.entrance
        self.keyring, self.admission = governance.keyring, governance.admission
        self.tokens = TokenBook(self.transport, self.nursery, self.clock)
        self.aws_keys = aws_keyring(self.transport, lambda: self.loaded.variables, self.nursery, self.clock)
        self.health = kept(self, self._health(loaded))
        self.media = MediaFetcher(media_limits(loaded))
        self._clouds = CloudServices(self)
        self.counter = TokenCounter(self.transport, counting_ways(self._clouds))
        self.responses = self._response_book(loaded)
        self.jobs = Jobs(partial(read_errand, self.responses), self.nursery)
        self.lanes = LaneBook(native_lanes(self), self.responses, self._relayed, self.media)
        self.house = self._house(loaded)
        self.replicas = replicas_of(self)
        self.accounts.is_failing = partial(is_failing, self.house.router, self.clock)
        self.performance = PerformanceBook(self.house.router.lives)
        self.fleet = FleetFeed(self.house.router, self.transport, self.nursery, self.clock, self.transport.quiet)
        self.house.passages = self._passages()
        self.loader, self.loads, self.waker, self.warmth = self._minders()
        self._mind(loaded)
        self.traffic = TrafficControl(self.house, self.nursery, plan.workers, loaded)
        self.ollama_management = OllamaManagement(self.transport, self._ollama_hosts)
        self.paths = PathTable(CLIENT_DIALECTS, passage_dialects(), (*admin_paths(), *REALTIME_PATHS))
        self.gate = Gate(self.house, self.paths, self.nursery, self.clock, body_bytes_max(loaded))
        self.gate.jobs = self.jobs
        self.gate.follow_addresses(plans.entrance.addresses)
        self.discovery = self._discovery(loaded)
        self.app = LiveApp(make_app(self, loaded), lambda: self.admission.draining)
        self.front = self._front()
        self._watch = ConfigWatch(loaded.sources)

    @classmethod
    async def open(cls, plan: ServePlan, configuration: Configuration) -> Gateway:
        """Open the storage and look around once.

        Raises:
            Misconfigured, StorageUnavailable: it cannot start; the message says why.
        """
        gateway = cls(plan, configuration.loaded, configuration.secret_sources)
        await gateway.storage.open()
        if gateway.replicas is not None:
            await gateway.replicas.open()
        await gateway.accounts.catch_up()
        gateway.keyring.limits_changed()
        await gateway.stored.open()
        gateway.follow_senders()
        gateway.responses.worker = await gateway.storage.enter()
        gateway.nursery.start(gateway.transport.run(), "upstream sweep")
        if gateway.discovery is not None:
            gateway.routes.found(await gateway.discovery.scan())
            gateway.warmth.found(gateway.routes.hosts)
            gateway.house.router.follow(gateway.routes.table())
        gateway.follow_hosts()
        await gateway.fleet.watch.scan(_SCAN_SECONDS_MAX)
        return gateway

    def start(self) -> None:
        """Start the background work."""
        start = self.nursery.start
        if self.discovery is not None:
            start(self.discovery.run(), "discovery")
        if self.plan.worker == 0:
            start(self.warmth.run(), "warmth")
        start(self.fleet.watch.run(), "local servers")
        start(self.gate.run(), "connection sweep")
        start(self.storage.mover.run(), "ledger")
        self.governance.start(self.plan.data_directory, worker=self.plan.worker)
        start(self.storage.follow(self.keyring), "keys")
        start(self.stored.run(), "stored models")
        start(self._follow_performance(), "performance")
        start(self.health.run(self._looked_after), "health")
        if self.plan.config_path is not None:
            start(self._follow_config(), "configuration")
            start(follow_secrets(lambda: self.loaded.secrets, self.reload), "secrets")
        if self.plan.workers > 1:
            shared = self.plan.data_directory / "run", self.plan.worker, self.plan.workers
            self.metrics.share(*shared)
            self.traffic.book.share(*shared)
            start(save_counts(self), "metrics")
        work_together(self)

    def drain(self) -> None:
        """Take no more requests, and say so to whoever asks whether to send some; what is under way goes on."""
        self.admission.draining = True
        # Without a path of its own, the server hands every request to the app, which sends it away.
        self.gate.paths = PathTable({})

    async def close(self) -> None:
        """Stop everything; records are brought to the ledger."""
        self.gate.cut_all()
        for _ in range(_CUT_ROUNDS):
            if not self.gate.connections:
                break
            await asyncio.sleep(_CUT_SECONDS)
        self.traffic.close()
        await self.jobs.close()
        if self.replicas is not None:
            await self.replicas.close()
        await self.nursery.close()
        await self._senders.close()
        self.transport.close()
        await self.storage.close()

    async def reload(self) -> None:
        """Take over the configuration file as it is now; a broken one is refused and said, and the former stays.

        A large file takes a second to read, so that happens in a thread, while answers go on. What is taken over is
        whole before the first of it is in force.
        """
        async with self._renewing:
            try:
                file = await asyncio.to_thread(load, self.plan.config_path, process_environment(), self._secret_sources)
                self._watch.follow(file.sources)
                await self._renew(file)
            except GatewayError as refused:
                if isinstance(refused, ConfigRefused):
                    self._watch.follow(refused.sources)
                self.refused_edit = refused.told()
                _log.error("The configuration was changed but is refused; the former one stays. %s", refused.told())
                return
            self.refused_edit = None
        for warning in (*file.warnings, *self.routes.left_out):
            _log.warning("%s", warning)
        for path in waiting_for_restart(self.started_with, self.loaded):
            _log.warning("%s: was changed; the change takes effect at the next start.", path)
        _log.info("The configuration was reloaded: %d models.", len(self.house.table.names))

    async def _adopt_stored(self) -> None:
        """Serve what is stored now, beside what the file had when it was last read."""
        async with self._renewing:
            before = set(self.house.table.names)
            await self._renew(self.file)
            self._tell_models(before, set(self.house.table.names))

    async def _renew(self, file: Loaded) -> None:
        """Serve what the file says and what is stored.

        Raises:
            Misconfigured: the file contradicts itself; nothing was changed.
        """
        loaded, refused = await asyncio.to_thread(with_stored, file, self.stored.served_beside(file))
        # A catalogue of its own, since the one in use is not made for two threads.
        catalog = Catalog()
        made = await asyncio.to_thread(configured, loaded.settings, loaded.variables, catalog)
        app = make_app(self, loaded)
        routing = routing_settings(loaded, self.accounts)
        plans = GovernancePlan(loaded, made, self.transport, self.master_key)
        self.warmth.follow(loaded)
        self.file, self.stored_refused = file, refused
        self.routes.configure(loaded.settings, made, catalog)
        self.app.current = app
        self.governance.follow(plans)
        self._take_over(loaded, routing)
        self.gate.follow_addresses(plans.entrance.addresses)

    def follow_hosts(self) -> None:
        """Look after the local servers that are in the table, as it is now, or behind its wildcards."""
        everything = (*self.house.table.deployments, *self.routes.lenders())
        self.fleet.follow(self.loaded, everything, self.routes.hosts)
        if self.house.table.patterns:
            self.nursery.start(spell_out(self.house.table), "names of wildcards")

    def follow_senders(self) -> None:
        """Send through LiteLLM's library, or nowhere, what is configured so; the library is imported only then."""
        needs, silence = self.routes, keepalive_seconds(self.loaded)
        chosen = self._senders.sender(long_tail=needs.needs_library, mocked=needs.has_mocks, silence_seconds=silence)
        if self.traffic.sender is not chosen:
            self.traffic.send_by(chosen)

    def _take_over(self, loaded: Loaded, routing: RoutingSettings) -> None:
        self.loaded = loaded
        self.gate.body_bytes_max = body_bytes_max(loaded)
        self.media.limits = media_limits(loaded)
        self.responses.retention_days = loaded.settings.local.response_retention_days
        self.responses.allows_unknown = loaded.settings.local.allow_unknown_response_ids
        self._adjust_storage(loaded)
        self.house.manners = manners(loaded, self._suggest)
        self._mind(loaded)
        self.house.router.follow(self.routes.table(), routing)
        self.traffic.follow(loaded)
        self.health.settings = health_settings(loaded)
        self.health.settings_changed()
        self.follow_hosts()
        self.follow_senders()

    # -- background ------------------------------------------------------------------------------------

    async def _follow_config(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._watch.changed():
                await self.reload()

    async def _follow_performance(self) -> None:
        while True:
            self.performance.look(self.clock.monotonic())
            await asyncio.sleep(_WATCH_SECONDS)

    def _hosts_changed(self, hosts: tuple[FoundHost, ...]) -> None:
        before = self.house.table
        self.routes.found(hosts)
        self.warmth.found(hosts)
        table = self.routes.table()
        if table.deployments != before.deployments or table.unlisted != before.unlisted:
            # A table forgets what its pools have learned, so it is only replaced when it says something else.
            self.house.router.follow(table)
            self._tell_models(set(before.names), set(table.names))
        self.follow_hosts()

    def _tell_models(self, before: set[str], after: set[str]) -> None:
        for name in sorted(after - before):
            _log.info("Found the model %s.", name)
        for name in sorted(before - after):
            _log.info("The model %s is gone.", name)

    # -- making the parts ------------------------------------------------------------------------------

    def _storage(self, loaded: Loaded) -> Storage:
        plan = self.plan
        backend = backend_of(loaded, plan.data_directory, self.clock, worker=plan.worker, workers=plan.workers)
        return Storage(backend, plan.data_directory, plan.worker, self.clock)

    def _adjust_storage(self, loaded: Loaded) -> None:
        self.storage.periods.reset_clock = reset_clock(loaded)
        self.storage.response_bytes_max = loaded.settings.local.response_store_bytes_max
        self.storage.grace_seconds = storage_grace_seconds(loaded)
        days = loaded.settings.local.audit_retention_days
        self.storage.mover.forgets_customers = loaded.settings.litellm_settings.disable_end_user_cost_tracking
        self.storage.audit_seconds = None if days is None else days * 86_400.0

    def _front(self) -> RealtimeDoor:
        front = open_to_pages(self.app) if self.keyring.asks else self.app
        realtime = RealtimeDialect()
        dialer = RealtimeDialer({"azure": partial(azure_realtime, book=self.tokens)})
        return RealtimeDoor(front, self.gate, dialer, realtime, realtime)

    def _read_models(self, loaded: Loaded) -> Configured:
        catalog = Catalog()
        made = configured(loaded.settings, loaded.variables, catalog)
        self.routes.configure(loaded.settings, made, catalog)
        return made

    def _discovery(self, loaded: Loaded) -> Discovery | None:
        own = frozenset({f"http://127.0.0.1:{self.plan.port}", f"http://localhost:{self.plan.port}"})
        places = discovery_places(loaded, self.plan.ollama)
        if not places:
            return None
        known, changed = self.fleet.in_memory, self._hosts_changed
        return Discovery(self.transport, places, own_urls=own, on_change=changed, clock=self.clock, residents=known)

    def _health(self, loaded: Loaded) -> HealthWatch:
        return HealthWatch(
            self.transport,
            Admittance(self.tokens, self.aws_keys),
            hosts=lambda: self.routes.hosts,
            answered_at=lambda deployment: self.house.router.lives.of(deployment).answered_at,
            settings=health_settings(loaded),
            on_look=self._health_looked,
            clock=self.clock,
        )

    def _looked_after(self) -> tuple[Deployment, ...]:
        return (*self.house.table.deployments, *self.routes.wildcards())

    def _health_looked(self) -> None:
        settings = self.health.settings
        ill = self.health.ill(self.house.table.deployments) if settings.background and settings.routes else frozenset()
        self.house.router.leave_out(ill)

    def _ollama_hosts(self) -> dict[str, Deployment]:
        return management_hosts(self.house.table.deployments, self.routes.ollama_urls)

    def _house(self, loaded: Loaded) -> House:
        house = House(
            keyring=self.keyring,
            admission=self.admission,
            router=Router(self.routes.table(), routing_settings(loaded, self.accounts)),
            lanes=self.lanes,
            sender=self.transport,
            outbox=Outbox(self.storage.spool, asyncio.get_running_loop().call_soon, self.admission),
            audience=_audience(self.metrics),
            clock=self.clock,
            manners=manners(loaded, self._suggest),
        )
        house.issued = self._clouds.issued
        return house

    def _minders(self) -> tuple[ModelLoader, Loads, Waker, WarmKeeper]:
        """Those who look after local hosts, apart from requests."""
        house = self.house
        fleet = house.router.fleet
        loader = ModelLoader(
            self.transport, self.transport, house.lanes.lane, self._host_kind, lambda one: fleet.at(one.api_base).sleeps
        )
        house.loads = loads = Loads(loader, self.nursery)
        house.waker = waker = Waker(
            lambda rule: send_magic_packet(rule.mac, rule.address, rule.port),
            HostKnock(self.transport).answers,
            self.nursery,
            self.clock,
        )
        alone = self.plan.workers == 1
        return loader, loads, waker, WarmKeeper(house.router, loader, self.nursery, self.clock, sees_all_calls=alone)

    def _mind(self, loaded: Loaded) -> None:
        """Tell them what the configuration says.

        Raises:
            Misconfigured: a time to keep a model is none.
        """
        local = loaded.settings.local
        told = cost_of if loaded.settings.litellm_settings.include_cost_in_streaming_usage else None
        continues = loaded.settings.router_settings.enable_mid_stream_fallback_continuation
        self.lanes.follow(continues=continues, cost_of=told)
        self.warmth.follow(loaded)
        equip_hosts(self.house.router.fleet, local)
        self.loads.wanted = local.on_disconnect == "finish_load"
        self.waker.seconds_max = local.wake_seconds_max

    def _host_kind(self, deployment: Deployment) -> str:
        return self.house.router.fleet.at(deployment.api_base).kind

    def _passages(self) -> PassageBook:
        return PassageBook(
            self.routes.lenders,
            lambda: self.loaded.variables,
            self.routes.price,
            frozenset(self.keyring.places),
            partial(passage_signer, clouds=self._clouds),
        )

    def _relayed(self, deployment: Deployment, emulated: Lane) -> Lane:
        native = responses_relay(deployment, self._clouds)
        if native is None:
            return emulated
        relay = RememberedRelay(deployment, native, self.responses)
        return ResponsesLane(deployment, emulated, relay, self.transport, self.clock)

    def _response_book(self, loaded: Loaded) -> ResponseBook:
        return ResponseBook(
            self.storage.responses,
            self.storage.conversations,
            estimate=estimate_body,
            clock=self.clock,
            retention_days=loaded.settings.local.response_retention_days,
            worker=self.plan.worker,
            allows_unknown=loaded.settings.local.allow_unknown_response_ids,
        )

    def _suggest(self, name: str) -> str:
        return hint_for(self.house.table, name, self.routes.left_out, has_ollama=bool(self.routes.ollama_urls))


def _audience(metrics: CallMetrics) -> Audience:
    log = CallLog()
    return Audience((metrics, log)) if log.tells_all() else Audience((metrics,), failures=(log,))


def _tell_failure(name: str, error: BaseException) -> None:
    _log.error("the background task %r ended", name, exc_info=error)
