"""Every bound of the gateway that is not the operator's to set, each with its unit and its reason."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BODY_BYTES_MAX", "CONVERSATION_IDLE_SECONDS", "EARLY_AUTHENTICATION_BYTES", "EVENT_BYTES_MAX", "HEADERS_MAX",
    "HEAD_BYTES_MAX", "HEAD_SECONDS_MAX", "JSON_DEPTH_MAX", "KEEPALIVE_SECONDS", "KEYS_CACHED_MAX", "LINGER_SECONDS",
    "MESSAGE_BYTES_MAX", "MODEL_NAME_BYTES_MAX", "PARTIES_CACHED_MAX", "REPLY_BYTES_MAX", "UNKNOWN_KEYS_CACHED_MAX",
    "UPSTREAM_HEAD_BYTES_MAX", "UPSTREAM_IDLE_CONNECTIONS_MAX",
]  # fmt: skip

BODY_BYTES_MAX: Final = 32 * 1024 * 1024
"""A request body; ``general_settings.max_request_size_mb`` overrides. Holds a few large images."""

EARLY_AUTHENTICATION_BYTES: Final = 64 * 1024
"""A longer body is only read once its sender's key is known to be good."""

HEAD_BYTES_MAX: Final = 64 * 1024
HEADERS_MAX: Final = 128
HEAD_SECONDS_MAX: Final = 20.0
"""A request head, and each further 64 KiB of its body, must have come within this time."""

LINGER_SECONDS: Final = 2.0
"""How long a refused sender is read and ignored, so that it sees the refusal and not a reset."""

JSON_DEPTH_MAX: Final = 512

MODEL_NAME_BYTES_MAX: Final = 512

EVENT_BYTES_MAX: Final = 8 * 1024 * 1024
"""One server-sent event or one NDJSON line of an upstream; an image fits, a runaway does not."""

REPLY_BYTES_MAX: Final = 256 * 1024 * 1024
"""An unstreamed answer, which has to be held whole."""

UPSTREAM_HEAD_BYTES_MAX: Final = 64 * 1024

UPSTREAM_IDLE_CONNECTIONS_MAX: Final = 512
"""Idle connections kept per upstream origin."""

KEEPALIVE_SECONDS: Final = 10.0
"""Silence towards a streaming client after which a comment is sent; proxies cut at 15 s and more."""

KEYS_CACHED_MAX: Final = 100_000
UNKNOWN_KEYS_CACHED_MAX: Final = 10_000
PARTIES_CACHED_MAX: Final = 50_000
"""Customers and tags of requests that are remembered, those included of which nothing is known."""

MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""One message of a WebSocket, as large as OpenAI lets an audio event be (15 MiB and its frame)."""

CONVERSATION_IDLE_SECONDS: Final = 600.0
"""A conversation in which nobody says anything for so long is ended."""
