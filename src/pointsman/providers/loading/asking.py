"""What the ways of loading have in common: who asks, and what a refusal means."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Rejected
from pointsman.core.upstream import Deployment
from pointsman.providers.transport import FetchReply

__all__ = ["control_headers", "refused", "server_of"]

_CHARACTERS_MAX: Final = 300


class _Said(msgspec.Struct, frozen=True):
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Said | str = ""


def server_of(deployment: Deployment) -> str:
    """The address of the deployment's server: its ``api_base`` without query and without ``/v1``."""
    return deployment.api_base.partition("?")[0].rstrip("/").removesuffix("/v1").rstrip("/")


def control_headers(deployment: Deployment) -> tuple[tuple[str, str], ...]:
    """The headers that let us in, the same as for requests."""
    headers = tuple((name, value.reveal()) for name, value in deployment.headers.items())
    if deployment.api_key is not None and "authorization" not in {name.lower() for name, _ in headers}:
        headers += (("Authorization", f"Bearer {deployment.api_key.reveal()}"),)
    return headers


def refused(reply: FetchReply, what: str) -> Rejected:
    """The error that an answer means; ``what`` did not happen."""
    try:
        said = msgspec.json.decode(reply.body, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = ""
    text = said if isinstance(said, str) else said.message
    return Rejected(f"{what} (status {reply.status}){': ' + text[:_CHARACTERS_MAX] if text else ''}.")
