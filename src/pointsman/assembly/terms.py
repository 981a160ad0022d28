"""What few deployments have said about them, from how the configuration has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from pointsman.config.deployment_sections import Window, info_terms, silent_models
from pointsman.config.sections import ModelEntry
from pointsman.core.terms import AccessWindow, Terms

__all__ = ["out_of_place", "terms_of", "under_its_public_name"]

_ENVIRONMENT: Final = "LITELLM_ENVIRONMENT"
_NONE: Final = Terms()


def terms_of(entry: ModelEntry) -> Terms | None:
    """None, as with most: nothing is said."""
    params, info = entry.litellm_params, info_terms(entry.model_info.extras)
    endpoints = (info.supported_endpoints or ()) if info.enforce_supported_endpoints else ()
    hour, minute = [*map(int, (params.daily_reset_time or "0:0").split(":")), 0][:2]
    terms = Terms(
        itpm=params.itpm,
        otpm=params.otpm,
        rpd=params.rpd,
        tpd=params.tpd,
        key_rpm=params.default_api_key_rpm_limit,
        key_tpm=params.default_api_key_tpm_limit,
        day_begins=60 * (60 * hour + minute) if params.rpd is not None or params.tpd is not None else 0,
        windows=tuple(map(_window, info.access_windows or ())),
        endpoints=(endpoints,) if isinstance(endpoints, str) else endpoints,
        embedding_inputs_max=info.max_embedding_batch_size,
        tier_timeouts=params.timeout_by_service_tier,
        tier_stream_timeouts=params.stream_timeout_by_service_tier,
        session_header=params.provider_affinity_header or "",
        silent_models=silent_models(params.silent_model),
    )
    return None if terms == _NONE else terms


def out_of_place(entry: ModelEntry, environment: Mapping[str, str]) -> str | None:
    """Why the entry is for another environment than this one; None: it is not."""
    wanted = info_terms(entry.model_info.extras).supported_environments
    if wanted is None:
        return None
    here = environment.get(_ENVIRONMENT)
    if here is None:
        return f"it is for {' and '.join(wanted)} (supported_environments), and {_ENVIRONMENT} is not set"
    return None if here in wanted else f"it is for {' and '.join(wanted)}, and {_ENVIRONMENT} is {here!r}"


def under_its_public_name(entry: ModelEntry) -> ModelEntry:
    """A team's model by the name that the team calls it, where LiteLLM has given it one of its own beside that."""
    if entry.model_info.team_id is None:
        return entry
    name = info_terms(entry.model_info.extras).team_public_model_name
    return entry if name is None else msgspec.structs.replace(entry, model_name=name)


def _window(window: Window) -> AccessWindow:
    return AccessWindow(
        time.fromisoformat(window.start),
        time.fromisoformat(window.end),
        ZoneInfo(window.timezone),
        frozenset(window.team_ids),
    )
