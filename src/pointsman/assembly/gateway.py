"""One worker's gateway: every part made, joined, started, reloaded and stopped."""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
from collections.abc import Mapping
from typing import Final

from pointsman import __version__
from pointsman.accounting.estimate import estimate_text
from pointsman.assembly.app import make_app
from pointsman.assembly.master_key import kept_master_key
from pointsman.assembly.plan import ServePlan
from pointsman.assembly.routes import RouteMaker, hint_for
from pointsman.assembly.storage import Storage
from pointsman.catalog.lookup import Catalog
from pointsman.config.environment import process_environment
from pointsman.config.findings import ConfigRefused
from pointsman.config.load import Loaded, load
from pointsman.config.watch import ConfigWatch
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import GatewayError
from pointsman.core.limits import BODY_BYTES_MAX, KEEPALIVE_SECONDS, KEYS_CACHED_MAX
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Operation
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.lifecycle.announce import Audience
from pointsman.lifecycle.house import House, Manners
from pointsman.lifecycle.outbox import Outbox
from pointsman.policies.admission import Admission, AdmissionSettings
from pointsman.policies.keyring import Keyring
from pointsman.providers.discovery import Discovery, FoundHost, Place, default_places
from pointsman.providers.lanes import LaneBook, NativeLanes
from pointsman.providers.media import MediaFetcher, MediaLimits
from pointsman.providers.ollama import ContextWindows, OllamaFactsCache, OllamaServices, ollama_lane
from pointsman.providers.transport import Transport
from pointsman.server.gate import Gate
from pointsman.server.paths import PathTable
from pointsman.telemetry.logs import CallLog
from pointsman.telemetry.metrics import CallMetrics

__all__ = ["Gateway"]

_WATCH_SECONDS: Final = 1.0
_CUT_SECONDS: Final = 0.01
_CUT_ROUNDS: Final = 100
_MEGABYTE: Final = 1024 * 1024
_log: Final = logging.getLogger("pointsman")


class Gateway:
    """Made by :meth:`open`; ``gate`` and ``app`` are what the server needs.

    ``master_key`` is None without authentication; ``master_key_made`` tells that it is new and has to be shown.
    """

    def __init__(self, plan: ServePlan, loaded: Loaded) -> None:
        self.plan = plan
        self.loaded = loaded
        self.clock = SYSTEM_CLOCK
        self.nursery = Nursery(_tell_failure)
        self.master_key, self.master_key_made = _master_key(plan, loaded)
        self.storage = Storage(plan.data_directory, plan.worker, self.clock)
        self.transport = Transport(self.nursery, self.clock, _keepalive_seconds(loaded))
        self.metrics = CallMetrics(self._gauges)
        self.routes = RouteMaker(Catalog(), plan.demo)
        self.skipped = self.routes.configure(loaded.settings, loaded.variables)
        general = loaded.settings.general_settings
        self.keyring = Keyring(
            self.master_key, self.storage.keys, self.clock, general.litellm_key_header_name, share=plan.workers
        )
        self.admission = Admission(_admission(loaded))
        self.house = House(
            keyring=self.keyring,
            admission=self.admission,
            table=self.routes.table(),
            lanes=LaneBook({"ollama": self._ollama_lanes(loaded)}),
            sender=self.transport,
            outbox=Outbox(self.storage.spool, asyncio.get_running_loop().call_soon, self.admission),
            audience=_audience(self.metrics),
            clock=self.clock,
            manners=self._manners(loaded),
        )
        dialect = OpenAIDialect()
        self.paths = PathTable(dict.fromkeys(Operation, dialect))
        self.gate = Gate(self.house, self.paths, self.nursery, self.clock, _body_bytes_max(loaded))
        self.discovery = self._discovery(loaded)
        self.app = make_app(self)
        self._watch = ConfigWatch(loaded.sources)

    @classmethod
    async def open(cls, plan: ServePlan) -> Gateway:
        """Load the configuration, open the storage and look around once.

        Raises:
            Misconfigured, StorageUnavailable: it cannot start; the message says why.
        """
        gateway = cls(plan, load(plan.config_path, process_environment()))
        await gateway.storage.open()
        if gateway.discovery is not None:
            gateway.nursery.start(gateway.transport.run(), "upstream sweep")
            gateway.routes.found(await gateway.discovery.scan())
            gateway.house.table = gateway.routes.table()
        return gateway

    def start(self) -> None:
        """Start the background work."""
        start = self.nursery.start
        if self.discovery is None:
            start(self.transport.run(), "upstream sweep")
        else:
            start(self.discovery.run(), "discovery")
        start(self.gate.run(), "connection sweep")
        start(self.storage.mover.run(), "ledger")
        start(self.storage.follow(self.keyring), "keys")
        if self.plan.config_path is not None:
            start(self._follow_config(), "configuration")
        if self.plan.workers > 1:
            self.metrics.share(self.plan.data_directory / "run", self.plan.worker, self.plan.workers)
            start(self._share_metrics(), "metrics")

    async def close(self) -> None:
        """Stop everything; records are brought to the ledger."""
        self.gate.cut_all()
        for _ in range(_CUT_ROUNDS):
            if not self.gate.connections:
                break
            await asyncio.sleep(_CUT_SECONDS)
        await self.nursery.close()
        self.transport.close()
        await self.storage.close()

    def reload(self) -> None:
        """Take over the configuration file as it is now; a broken one is refused and said, and the former stays."""
        try:
            loaded = load(self.plan.config_path, process_environment())
            self._watch.follow(loaded.sources)
            skipped = self.routes.configure(loaded.settings, loaded.variables)
        except ConfigRefused as refused:
            self._watch.follow(refused.sources)
            _log.error("The configuration was changed but is refused; the former one stays. %s", refused.told())
            return
        except GatewayError as error:
            _log.error("The configuration was changed but is refused; the former one stays. %s", error.told())
            return
        self.loaded = loaded
        self.admission.settings = _admission(loaded)
        self.gate.body_bytes_max = _body_bytes_max(loaded)
        self.house.manners = self._manners(loaded)
        self.house.table = self.routes.table()
        for warning in (*map(str, loaded.warnings), *skipped):
            _log.warning("%s", warning)
        _log.info("The configuration was reloaded: %d models.", len(self.house.table.names))

    # -- background ------------------------------------------------------------------------------------

    async def _follow_config(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._watch.changed():
                self.reload()

    async def _share_metrics(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self.metrics.save()

    def _hosts_changed(self, hosts: tuple[FoundHost, ...]) -> None:
        before = set(self.house.table.names)
        self.routes.found(hosts)
        self.house.table = self.routes.table()
        after = set(self.house.table.names)
        for name in sorted(after - before):
            _log.info("Found the model %s.", name)
        for name in sorted(before - after):
            _log.info("The model %s is gone.", name)

    # -- making the parts ------------------------------------------------------------------------------

    def _discovery(self, loaded: Loaded) -> Discovery | None:
        given = self.plan.ollama or loaded.settings.local.ollama or loaded.environment.ollama
        host = loaded.environment.ollama_host
        own = frozenset({f"http://127.0.0.1:{self.plan.port}", f"http://localhost:{self.plan.port}"})
        if loaded.settings.discovers:
            places: tuple[Place, ...] = default_places(tuple(given) or ((host,) if host else ()))
        elif given:
            places = default_places(tuple(given))[: len(given)]
        else:
            return None
        return Discovery(self.transport, places, own_urls=own, on_change=self._hosts_changed, clock=self.clock)

    def _ollama_lanes(self, loaded: Loaded) -> NativeLanes:
        windows = ContextWindows()
        local = loaded.settings.local
        limits = MediaLimits(enabled=local.fetch_remote_images, bytes_max=local.fetch_remote_image_bytes_max)
        services = OllamaServices(
            facts=OllamaFactsCache(self.transport, self.nursery, windows, self.clock),
            windows=windows,
            media=MediaFetcher(limits),
            estimate=estimate_text,
            on_truncation=_tell_truncation,
            clock=self.clock,
        )
        return lambda deployment, operation: ollama_lane(operation, deployment, services)

    def _manners(self, loaded: Loaded) -> Manners:
        settings = loaded.settings
        log_prompts = settings.local.log_prompts or settings.general_settings.store_prompts_in_spend_logs
        return Manners(
            __version__,
            log_prompts=log_prompts and not settings.litellm_settings.turn_off_message_logging,
            suggest=self._suggest,
        )

    def _suggest(self, name: str) -> str:
        has_ollama = any(host.kind == "ollama" for host in self.routes.hosts)
        return hint_for(self.house.table, name, has_ollama=has_ollama)

    def _gauges(self) -> Mapping[str, float]:
        idle = busy = opened = 0
        for counts in self.transport.counts().values():
            idle += counts[0]
            busy += counts[1]
            opened += counts[2]
        return {
            "litellm_in_flight_requests": float(self.admission.in_flight),
            "pointsman_keys_cached": float(len(self.keyring)),
            "pointsman_keys_cached_max": float(KEYS_CACHED_MAX),
            "pointsman_spool_records": float(self.storage.mover.backlog().records),
            "pointsman_resident_memory_bytes": float(_resident_bytes()),
            "pointsman_upstream_connections_idle": float(idle),
            "pointsman_upstream_connections_busy": float(busy),
            "pointsman_upstream_connections_opened_total": float(opened),
        }


def _audience(metrics: CallMetrics) -> Audience:
    log = CallLog()
    return Audience((metrics, log)) if log.tells_all() else Audience((metrics,), failures=(log,))


def _master_key(plan: ServePlan, loaded: Loaded) -> tuple[Secret | None, bool]:
    if not plan.authenticate:
        return None, False
    configured = loaded.master_key
    if configured is not None:
        return configured, False
    kept = kept_master_key(plan.data_directory)
    return kept.key, kept.made


def _admission(loaded: Loaded) -> AdmissionSettings:
    general = loaded.settings.general_settings
    return AdmissionSettings(
        parallel_per_key=general.max_parallel_requests,
        parallel_overall=general.global_max_parallel_requests,
        budget_exceeded_status=loaded.settings.litellm_settings.budget_exceeded_status_code,
    )


def _body_bytes_max(loaded: Loaded) -> int:
    megabytes = loaded.settings.general_settings.max_request_size_mb
    return BODY_BYTES_MAX if megabytes is None else int(megabytes * _MEGABYTE)


def _keepalive_seconds(loaded: Loaded) -> float:
    return loaded.settings.litellm_settings.sse_keepalive_ping_interval_seconds or KEEPALIVE_SECONDS


def _resident_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _tell_truncation(deployment_id: str, sent: int, counted: int) -> None:
    _log.warning(
        "Deployment %s counted only %d tokens of a prompt of about %d: it may have been cut.",
        deployment_id,
        counted,
        sent,
    )


def _tell_failure(name: str, error: BaseException) -> None:
    _log.error("the background task %r ended", name, exc_info=error)
