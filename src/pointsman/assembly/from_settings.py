"""From a configuration to what single parts of the gateway take."""

from __future__ import annotations

from typing import Final

from pointsman.config.load import Loaded
from pointsman.core.limits import BODY_BYTES_MAX, KEEPALIVE_SECONDS
from pointsman.policies.admission import AdmissionSettings
from pointsman.providers.media import MediaLimits

__all__ = ["admission_settings", "body_bytes_max", "keepalive_seconds", "media_limits"]

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
    return MediaLimits(enabled=local.fetch_remote_images, bytes_max=local.fetch_remote_image_bytes_max)


def keepalive_seconds(loaded: Loaded) -> float:
    """Silence in a stream, in seconds, after which a comment is sent."""
    return loaded.settings.litellm_settings.sse_keepalive_ping_interval_seconds or KEEPALIVE_SECONDS
