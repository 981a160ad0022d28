"""Hands the management API what it works with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pointsman import __version__
from pointsman.admin.app import make_app as make_admin_app
from pointsman.admin.office import InferencePath, Office, Readiness
from pointsman.admin.table import ROUTES
from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.assembly.explain import answer
from pointsman.assembly.from_settings import reset_clock
from pointsman.assembly.preview import preview
from pointsman.assembly.replicas import entry_changed, key_changed
from pointsman.assembly.trial import try_model

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from pointsman.assembly.gateway import Gateway
    from pointsman.config.load import Loaded

__all__ = ["admin_paths", "make_app"]


def make_app(gateway: Gateway, loaded: Loaded) -> ASGIApp:
    """The app for every path that the inference server does not answer itself, as ``loaded`` wants it.

    Raises:
        Misconfigured: ``default_key_generate_params`` holds what no key can have, or the time zone is unknown.
    """
    lite, general = loaded.settings.litellm_settings, loaded.settings.general_settings
    return make_admin_app(
        Office(
            keyring=gateway.keyring,
            keys=gateway.storage.keys,
            ledger=gateway.storage.ledger,
            directory=gateway.storage.directory,
            spend=gateway.storage.spend,
            table=lambda: gateway.house.table,
            clock=gateway.clock,
            version=__version__,
            metrics_text=gateway.metrics.exposition,
            flush=gateway.storage.flush,
            on_key_change=partial(key_changed, gateway),
            on_entry_change=partial(entry_changed, gateway),
            facts=gateway.routes.facts,
            hosts=lambda: gateway.routes.hosts,
            wildcards=gateway.routes.wildcards,
            local_hosts=lambda: gateway.house.router.fleet.listed,
            count_tokens=gateway.counter.count,
            readiness=lambda: _readiness(gateway),
            in_flight=lambda: gateway.admission.in_flight,
            require_auth_for_metrics=lite.require_auth_for_metrics_endpoint,
            key_defaults=lite.default_key_generate_params,
            key_bounds=lite.upperbound_key_generate_params,
            reset_clock=reset_clock(loaded),
            own_keys=not general.disable_custom_api_keys,
            list_wildcards=general.return_wildcard_routes,
            list_healthy_only=general.model_list_healthy_only,
            docs=loaded.environment.docs,
            preview=lambda caller, operation, body: preview(gateway.house, CLIENT_DIALECTS, caller, operation, body),
            explain=partial(answer, gateway.house, CLIENT_DIALECTS),
            ollama=gateway.ollama_management if loaded.settings.local.ollama_management else None,
            minder=gateway.warmth,
            health=gateway.health,
            performance=lambda deployment: gateway.performance.of(deployment, gateway.clock.monotonic()),
            try_model=lambda deployment, mode, caller: try_model(gateway.house, deployment, mode, caller),
            book=gateway.responses,
            stop_job=gateway.jobs.stop,
            traffic=gateway.traffic.state,
            inference_paths=tuple(InferencePath(path, operation) for path, operation in gateway.paths.documented),
        )
    )


def admin_paths() -> tuple[str, ...]:
    """Every path of the management API, as it is written in the table of routes."""
    return tuple(path for route in ROUTES for path in route.paths)


def _readiness(gateway: Gateway) -> Readiness:
    draining = gateway.admission.draining
    troubles = [trouble for trouble in (gateway.storage.trouble, gateway.storage.mover.backlog().trouble) if trouble]
    database: Literal["connected", "disconnected"] = "disconnected" if troubles else "connected"
    if gateway.replicas is not None and gateway.replicas.trouble is not None:
        troubles.append(gateway.replicas.trouble)
    if draining:
        troubles.append("The gateway is shutting down.")
    return Readiness(not draining, database, tuple(dict.fromkeys(troubles)))
