"""How identity providers are asked: at addresses of the operator's alone, whole, and never for long or for much."""

from __future__ import annotations

from typing import Final, Protocol

from pointsman.core.errors import Broken, GatewayError, Misconfigured
from pointsman.providers.transport import FetchReply, Origin

__all__ = ["ANSWER_BYTES_MAX", "IdentityFetcher", "ask", "unavailable"]

ANSWER_BYTES_MAX: Final = 512 * 1024
TIMEOUT_SECONDS: Final = 5.0


class IdentityFetcher(Protocol):
    """Asks for something small, as :class:`~pointsman.providers.transport.Transport` does; follows no redirect."""

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        timeout_seconds: float = 5.0,
        content_type: str = "application/json",
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> FetchReply:
        """The whole answer.

        Raises:
            UpstreamFailed: there was none, or it is too long.
        """
        ...


async def ask(
    fetcher: IdentityFetcher,
    method: str,
    url: str,
    *,
    body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = (),
    content_type: str = "application/json",
) -> FetchReply:
    """The answer of an identity provider, within time and size.

    Raises:
        UpstreamFailed: there was none.
    """
    reply = await fetcher.fetch(
        method,
        url,
        body=body,
        headers=headers,
        timeout_seconds=TIMEOUT_SECONDS,
        content_type=content_type,
        bytes_max=ANSWER_BYTES_MAX,
    )
    if len(reply.body) > ANSWER_BYTES_MAX:
        message = f"The identity provider at {Origin.parse(url).host} answered with more than {ANSWER_BYTES_MAX} bytes."
        raise Broken(message)
    return reply


def unavailable(url: str, why: str) -> GatewayError:
    """The error for who is to be let in on the word of a provider that cannot be asked; as LiteLLM, 503."""
    try:
        host = Origin.parse(url).host
    except Misconfigured:
        host = "an address that is none"
    return GatewayError(
        f"The identity provider ({host}) cannot be asked: {why}",
        hint="Try again in a moment; the operator may check its address, and whether it is reachable from the gateway.",
        status=503,
        code="identity_provider_unavailable",
        kind="auth_provider_unavailable",
        retry_after=5.0,
    )
