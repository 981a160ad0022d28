"""A house in which nobody lives: what a configuration would decide, without serving it."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.assembly.deployments import configured
from pointsman.assembly.from_settings import admission_settings, routing_settings
from pointsman.assembly.manners import manners
from pointsman.assembly.routes import RouteMaker, hint_for
from pointsman.catalog.lookup import Catalog
from pointsman.config.load import Loaded
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.flight import Flight
from pointsman.core.identity import KeyRecord
from pointsman.core.nursery import Nursery
from pointsman.core.outcome import CallRecord
from pointsman.core.upstream import Deployment, Outbound
from pointsman.lifecycle.announce import Audience
from pointsman.lifecycle.house import House
from pointsman.lifecycle.outbox import Outbox
from pointsman.lifecycle.traffic import Traffic
from pointsman.policies.admission import Admission
from pointsman.policies.keyring import Keyring
from pointsman.providers.lanes import LaneBook
from pointsman.routing.router import Router

__all__ = ["dry_house"]


class _Nothing:
    """Stands for the ledger, the keys and the upstreams: there are none, and nobody asks for them."""

    def append(self, record: CallRecord) -> None:
        """See :class:`pointsman.lifecycle.outbox.Journal`."""

    def flush(self) -> None:
        """See :class:`pointsman.lifecycle.outbox.Journal`."""

    async def get(self, _token: str) -> KeyRecord | None:
        """See :class:`pointsman.policies.keyring.KeySource`."""
        return None

    def send(self, deployment: Deployment, _outbound: Outbound, *, stream: bool) -> Flight:
        """See :class:`pointsman.core.flight.Sender`."""
        message = f"a request to {deployment.id} (stream: {stream}) from a house without upstreams"
        raise RuntimeError(message)


def dry_house(loaded: Loaded) -> House:
    """The deciding parts, made of a configuration. Local servers that would be discovered are not looked for.

    Raises:
        Misconfigured: the configuration cannot be served.
    """
    catalog, nothing = Catalog(), _Nothing()
    routes = RouteMaker(None)
    made = configured(loaded.settings, loaded.variables, catalog)
    routes.configure(loaded.settings, made, catalog)
    table = routes.table()
    admission = Admission(admission_settings(loaded))
    house = House(
        keyring=Keyring(loaded.master_key, nothing, SYSTEM_CLOCK),
        admission=admission,
        router=Router(table, routing_settings(loaded)),
        lanes=LaneBook({}),
        sender=nothing,
        outbox=Outbox(nothing, _at_no_time, admission),
        audience=Audience(),
        clock=SYSTEM_CLOCK,
        manners=manners(loaded, lambda name: hint_for(table, name, made.skipped, has_ollama=False)),
    )
    rules = loaded.settings.local.traffic
    house.traffic = Traffic(rules, house.router, Nursery(_no_failure)) if rules else None
    return house


def _no_failure(_name: str, _error: BaseException) -> None:
    """Nothing is begun that could fail."""


def _at_no_time(_callback: Callable[[], None]) -> None:
    return
