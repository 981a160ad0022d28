"""How answers look, what is kept of them, and what requests have to say, from the configuration."""

from __future__ import annotations

from collections.abc import Callable

from pointsman import __version__
from pointsman.assembly.from_settings import keepalive_seconds
from pointsman.config.load import Loaded
from pointsman.lifecycle.house import Manners
from pointsman.policies.request_terms import RequestTerms

__all__ = ["manners"]


def manners(loaded: Loaded, suggest: Callable[[str], str | None]) -> Manners:
    """Those of a configuration; ``suggest`` gives a hint where nobody serves a model."""
    settings = loaded.settings
    log_prompts = settings.local.log_prompts or settings.general_settings.store_prompts_in_spend_logs
    keeps = {"prompts"} if log_prompts and not settings.litellm_settings.turn_off_message_logging else set()
    if "user_agent" in settings.local.metrics_labels:
        keeps.add("user_agent")
    return Manners(
        __version__,
        keeps=frozenset(keeps),
        pass_through_for_all_keys=settings.local.pass_through_for_all_keys,
        manages_ollama=settings.local.ollama_management,
        tells_upstream_headers=settings.local.return_upstream_headers,
        charges_energy=settings.local.energy_counts_as_spend,
        keepalive_seconds=keepalive_seconds(loaded),
        suggest=suggest,
        terms=_request_terms(loaded),
    )


def _request_terms(loaded: Loaded) -> RequestTerms | None:
    """What every request has to say; None: nothing."""
    general = loaded.settings.general_settings
    named = [mapping.header_name for mapping in general.user_header_mappings if mapping.names_customer]
    if not named and general.user_header_name is not None:
        named = [general.user_header_name]
    terms = RequestTerms(
        customer_headers=tuple(name.lower().encode("ascii") for name in named),
        needed=general.enforced_params,
        needed_of_services=general.service_account_settings.enforced_params,
        needs_customer=general.enforce_user_param,
        refuses_tags=general.reject_clientside_metadata_tags,
    )
    return None if terms == RequestTerms() else terms
