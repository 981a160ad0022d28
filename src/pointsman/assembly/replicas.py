"""What this process shares with others: limits, budgets, slots of hosts, who rests, and that something has changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pointsman.assembly.host_news import EVERYTHING_SECONDS, HostNews
from pointsman.assembly.news_files import NewsFiles
from pointsman.assembly.redis_identity import RedisIdentities
from pointsman.assembly.replica_settings import redis_settings
from pointsman.assembly.replica_slots import ReplicaSlots
from pointsman.assembly.rest_news import Bulletin, RestBoards, RestNews
from pointsman.assembly.use_news import UseNews
from pointsman.assembly.warm_turn import WarmTurn
from pointsman.assembly.worker_slots import WorkerSlots
from pointsman.core.clock import short_id
from pointsman.core.errors import StorageUnavailable
from pointsman.core.identity import KeyRecord
from pointsman.policies.lease_book import LeaseBook
from pointsman.policies.sharing import SharedAccounts
from pointsman.routing.hosts import Fleet
from pointsman.stores.directory.ports import Changed
from pointsman.stores.redis import RedisBoards, RedisBulletin, RedisLink, RedisSettings, RedisSharedLimits
from pointsman.stores.shared_limits import SETTLED_SECONDS

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway

__all__ = ["Replicas", "entry_changed", "key_changed", "replicas_of", "work_together"]

_CHANGED: Final = "changed"
_FLUSH_SECONDS: Final = 2.0
_SEEN_SECONDS: Final = 5
"""So long after it was stored, everybody has seen in the database what was spent."""
_log: Final = logging.getLogger("pointsman.limits")


class Replicas:
    """The other replicas, as far as Redis leads to them. ``bulletin`` is where they tell one another things."""

    def __init__(self, gateway: Gateway, settings: RedisSettings, *, exact: bool) -> None:
        self._gateway = gateway
        self._holder = holder = short_id("")
        self._holder_file = gateway.plan.data_directory / f"replica-{gateway.plan.worker}"
        self._link = RedisLink(settings, gateway.nursery)
        self.bulletin = RedisBulletin(self._link, holder, gateway.nursery, gateway.storage.look)
        self.bulletin.hear(_CHANGED, lambda _: gateway.storage.look())
        self._limits = RedisSharedLimits(self._link, holder)
        self._book = LeaseBook(
            self._limits, gateway.clock, exact=exact, on_turn=self._turned, at_least=gateway.plan.workers
        )

    @property
    def trouble(self) -> str | None:
        """What does not work, in a sentence."""
        if self._book.is_open:
            return None
        what = "Redis is gathering what all replicas use."
        if not self._link.up:
            what = f"Redis cannot be used: {self._link.trouble or 'it was not asked yet.'}"
        elif self._book.refusal is not None:
            what = f"Redis cannot be used: {self._book.refusal}"
        return f"{what} {self._by_itself()}"

    async def open(self) -> None:
        """Look once whether Redis is there; the gateway starts in any case."""
        await self._link.open()
        await self._bury()
        await self._book.step()
        if self._link.up and self._book.refusal is not None:
            _log.warning("%s", self.trouble)
        self._turned()
        self._gateway.admission.shared = SharedAccounts(self._book)

    def start(self) -> None:
        """Start the background work."""
        start = self._gateway.nursery.start
        start(self._link.keep_up(self._book.wake), "redis link")
        start(self._book.run(), "shared limits")
        start(self.bulletin.run(), "bulletin")

    def slots(self, fleet: Fleet) -> ReplicaSlots:
        """Who shares the slots of hosts with them."""
        gateway = self._gateway
        return ReplicaSlots(
            fleet,
            self._link,
            self.bulletin,
            gateway.nursery,
            gateway.clock,
            holder=self._holder,
            replicas=lambda: self._book.replicas,
        )

    def warm_turn(self) -> WarmTurn:
        """Which of them looks after the warmth of models."""
        link = self._link
        return WarmTurn(RedisBoards(link), self._holder, lambda: link.up, self._gateway.clock)

    def tell_changed(self) -> None:
        """Something has been written that the others should look at now."""
        self.bulletin.post(_CHANGED)

    def gauges(self) -> Mapping[str, float]:
        """Metric name → its value now."""
        return {
            "pointsman_redis_connected": float(self._link.up),
            "pointsman_redis_failures_total": float(self._link.failures),
            "pointsman_limits_shared": float(self._book.is_open),
            "pointsman_limit_outages_total": float(self._book.outages),
            "pointsman_leases": float(len(self._book)),
        }

    async def close(self) -> None:
        """Let go of what is held, and cut the connections."""
        self._gateway.admission.shared = None
        await self._book.close(_SEEN_SECONDS if await self._is_stored(_FLUSH_SECONDS) else SETTLED_SECONDS)
        await self._link.close()

    async def _bury(self) -> None:
        """Have what this process's predecessor spent count no more, once it is in the database; it may have crashed."""
        try:
            former = self._holder_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            former = ""
        try:
            self._holder_file.write_text(self._holder, "ascii")
        except OSError as error:
            _log.warning("%s cannot be written to (%s).", self._holder_file, error.strerror)
        if former and await self._is_stored(_FLUSH_SECONDS):
            with suppress(StorageUnavailable):  # then it is forgotten after a while
                await self._limits.leave(former, settled_seconds=_SEEN_SECONDS)

    async def _is_stored(self, patience_seconds: float) -> bool:
        """Whether everything that was spent here is in the database."""
        return await self._gateway.storage.mover.drain(patience_seconds)

    def _turned(self) -> None:
        self._gateway.keyring.share_among(self._book.share)

    def _by_itself(self) -> str:
        share = self._book.share
        if share == 1:
            return "Limits are kept by this process alone."
        return f"Each of {share} processes keeps to its part of the limits."


def replicas_of(gateway: Gateway) -> Replicas | None:
    """The other replicas; None: nothing leads to any.

    Raises:
        Misconfigured: the library for Redis is not installed, or the address is none.
    """
    loaded = gateway.loaded
    identities = RedisIdentities(gateway.aws_keys, gateway.tokens, loaded.variables, gateway.clock)
    settings = redis_settings(loaded, identities)
    if settings is None:
        return None
    return Replicas(gateway, settings, exact=loaded.settings.local.shared_limits == "exact")


def work_together(gateway: Gateway) -> None:
    """Share with other workers and replicas which deployments rest, and the slots of local hosts."""
    plan, replicas, clock = gateway.plan, gateway.replicas, gateway.clock
    start, router, quiet = gateway.nursery.start, gateway.house.router, gateway.transport.quiet
    bulletins = list[Bulletin]()
    if plan.workers > 1:
        files = NewsFiles(plan.data_directory / "run", plan.worker, plan.workers, clock)
        bulletins.append(files)
        start(files.run(quiet), "news of workers")
    if replicas is not None:
        bulletins.append(replicas.bulletin)
        replicas.start()
    used = gateway.storage.ledger.use_of_deployments
    use = UseNews(router.lives, lambda: router.table, used, short_id(""), bulletins, clock)
    start(use.run(quiet), "use of deployments")
    if not bulletins:
        return
    router.share_rests(RestBoards(*map(RestNews, bulletins)), clock)
    news = HostNews(router.fleet, short_id(""), bulletins, clock)
    start(news.run(quiet), "news of hosts")
    _share_warmth(gateway)
    if replicas is not None:
        slots: WorkerSlots | ReplicaSlots = replicas.slots(router.fleet)
    else:
        slots = WorkerSlots(router.fleet, plan.data_directory / "run", plan.workers, clock)
    router.fleet.share_slots(slots)
    start(slots.run(), "slots of hosts")


def _share_warmth(gateway: Gateway) -> None:
    """Unload nothing that others use, and load what is to be warm once."""
    if gateway.replicas is None:
        gateway.warmth.share(lambda: True, lambda: True)
        return
    turn = gateway.replicas.warm_turn()
    # Only the first worker looks after warmth at all.
    if gateway.plan.worker == 0:
        gateway.nursery.start(turn.run(), "warmth of models")
    gateway.warmth.share(lambda: turn.has_heard_all(2 * EVERYTHING_SECONDS), turn.is_held)


def key_changed(gateway: Gateway, token: str, record: KeyRecord | None) -> None:
    """A key was made, changed or (None) deleted here."""
    gateway.keyring.changed(token, record)
    if gateway.replicas is not None:
        gateway.replicas.tell_changed()


def entry_changed(gateway: Gateway, changed: Changed) -> None:
    """An entry of the directory was made, changed or removed here."""
    gateway.keyring.entries_changed((changed,))
    if gateway.replicas is not None:
        gateway.replicas.tell_changed()
