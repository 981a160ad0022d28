"""From a configuration to what single parts of the gateway take."""

from __future__ import annotations

from datetime import UTC, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pointsman.config.load import Loaded
from pointsman.core.errors import Misconfigured
from pointsman.core.limits import BODY_BYTES_MAX, KEEPALIVE_SECONDS
from pointsman.policies.admission import AdmissionSettings
from pointsman.policies.durations import ResetClock
from pointsman.providers.media import MediaLimits

__all__ = ["admission_settings", "body_bytes_max", "keepalive_seconds", "media_limits", "reset_clock"]

_MEGABYTE: Final = 1024 * 1024


def admission_settings(loaded: Loaded) -> AdmissionSettings:
    """The general limits on requests."""
    general = loaded.settings.general_settings
    return AdmissionSettings(
        parallel_per_key=general.max_parallel_requests,
        parallel_overall=general.global_max_parallel_requests,
        budget_exceeded_status=loaded.settings.litellm_settings.budget_exceeded_status_code,
    )


def body_bytes_max(loaded: Loaded) -> int:
    """The longest body of an inference request, in bytes."""
    megabytes = loaded.settings.general_settings.max_request_size_mb
    return BODY_BYTES_MAX if megabytes is None else int(megabytes * _MEGABYTE)


def media_limits(loaded: Loaded) -> MediaLimits:
    """What may be fetched for a client."""
    local = loaded.settings.local
    return MediaLimits(
        images=local.fetch_remote_images,
        image_bytes_max=local.fetch_remote_image_bytes_max,
        documents=local.fetch_remote_documents,
        document_bytes_max=local.fetch_remote_document_bytes_max,
    )


def reset_clock(loaded: Loaded) -> ResetClock:
    """When budgets are reset.

    Raises:
        Misconfigured: this system does not know the time zone.
    """
    lite = loaded.settings.litellm_settings
    # UTC is there even where the system has no list of time zones.
    zone = _zone(lite.timezone) if lite.timezone and lite.timezone != "UTC" else UTC
    hour, minute, second = [*map(int, (lite.budget_reset_time or "0:00").split(":")), 0][:3]
    return ResetClock(zone, time(hour, minute, second))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"litellm_settings.timezone: this system knows no time zone {name[:64]!r}."
        raise Misconfigured(message, hint="Write it like Europe/Berlin.") from None


def keepalive_seconds(loaded: Loaded) -> float:
    """Silence in a stream, in seconds, after which a comment is sent."""
    return loaded.settings.litellm_settings.sse_keepalive_ping_interval_seconds or KEEPALIVE_SECONDS
