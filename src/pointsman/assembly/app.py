"""Hands the management API what it works with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec

from pointsman import __version__
from pointsman.admin.app import make_app as make_admin_app
from pointsman.admin.key_names import alias_rule
from pointsman.admin.office import InferencePath, Office, Readiness
from pointsman.admin.table import ROUTES
from pointsman.assembly.billing import price_book
from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.assembly.explain import answer
from pointsman.assembly.from_settings import reset_clock
from pointsman.assembly.limits import provider_limits
from pointsman.assembly.preview import preview
from pointsman.assembly.replicas import entry_changed, key_changed
from pointsman.assembly.stored import GatewayStoredDesk
from pointsman.assembly.trial import try_model
from pointsman.providers.ollama import ContextWindows, OllamaFactsCache

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from pointsman.assembly.gateway import Gateway
    from pointsman.config.load import Loaded
    from pointsman.core.price import Price

__all__ = ["admin_paths", "make_app"]


def make_app(gateway: Gateway, loaded: Loaded) -> ASGIApp:
    """The app for every path that the inference server does not answer itself, as ``loaded`` wants it.

    Raises:
        Misconfigured: what is said of new keys, of the time zone or of margins cannot be meant.
    """
    lite, general = loaded.settings.litellm_settings, loaded.settings.general_settings
    office = Office(
        keyring=gateway.keyring,
        keys=gateway.storage.keys,
        ledger=gateway.storage.ledger,
        directory=gateway.storage.directory,
        spend=gateway.storage.spend,
        audit=gateway.storage.audit,
        table=lambda: gateway.house.table,
        clock=gateway.clock,
        version=__version__,
        metrics_text=gateway.metrics.exposition,
        flush=gateway.storage.flush,
        on_key_change=partial(key_changed, gateway),
        on_entry_change=partial(entry_changed, gateway),
        facts=gateway.routes.facts,
        host_facts=OllamaFactsCache(gateway.transport, gateway.nursery, ContextWindows(), gateway.clock).told,
        prices=price_book(loaded),
        price=lambda model: _catalogue_price(gateway, model),
        hosts=lambda: gateway.routes.hosts,
        wildcards=gateway.routes.wildcards,
        local_hosts=lambda: gateway.house.router.fleet.listed,
        count_tokens=gateway.counter.count,
        readiness=lambda: _readiness(gateway),
        in_flight=lambda: gateway.admission.in_flight,
        require_auth_for_metrics=lite.require_auth_for_metrics_endpoint,
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
        sign_in=gateway.entrance.desk,
        invitations=gateway.entrance.invitations,
        addresses=gateway.gate.addresses,
        admin_only_routes=general.admin_only_routes,
        stored=GatewayStoredDesk(gateway),
        inference_paths=tuple(InferencePath(path, operation) for path, operation in gateway.paths.documented),
    )
    return make_admin_app(_with_rules(office, loaded))


def _with_rules(office: Office, loaded: Loaded) -> Office:
    """The office, with what the configuration says of keys, users, teams and providers."""
    lite = loaded.settings.litellm_settings
    return msgspec.structs.replace(
        office,
        key_defaults=lite.default_key_generate_params,
        key_bounds=lite.upperbound_key_generate_params,
        key_generation=lite.key_generation_settings,
        alias_rule=alias_rule(lite.key_alias_pattern, litellms=lite.enable_key_alias_format_validation),
        provider_limits=provider_limits(loaded),
        user_defaults=lite.default_internal_user_params,
        user_budget=lite.max_internal_user_budget,
        user_budget_duration=lite.internal_user_budget_duration,
        team_defaults=lite.default_team_params,
    )


def admin_paths() -> tuple[str, ...]:
    """Every path of the management API, as it is written in the table of routes."""
    return tuple(path for route in ROUTES for path in route.paths)


def _catalogue_price(gateway: Gateway, model: str) -> Price | None:
    provider, slash, name = model.partition("/")
    return gateway.routes.price(provider, name) if slash else gateway.routes.price("openai", model)


def _readiness(gateway: Gateway) -> Readiness:
    draining = gateway.admission.draining
    troubles = [trouble for trouble in (gateway.storage.trouble, gateway.storage.mover.backlog().trouble) if trouble]
    database: Literal["connected", "disconnected"] = "disconnected" if troubles else "connected"
    if gateway.storage.spool.trouble is not None:
        troubles.append(gateway.storage.spool.trouble)
    if gateway.replicas is not None and gateway.replicas.trouble is not None:
        troubles.append(gateway.replicas.trouble)
    secrets = gateway.loaded.secrets
    if secrets is not None and secrets.trouble:
        troubles.append(f"{secrets.trouble} What it told before is still used.")
    if gateway.stored.config.unreadable:
        troubles.append("Stored models or credentials cannot be decrypted: see GET /config/diff.")
    if draining:
        troubles.append("The gateway is shutting down.")
    return Readiness(not draining, database, tuple(dict.fromkeys(troubles)))
