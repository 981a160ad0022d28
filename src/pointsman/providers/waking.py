"""Wake-on-LAN: the packet that wakes a machine, and asking whether its server is there.

Source: AMD, "Magic Packet Technology" (publication 20213): six bytes 0xFF, then the address of the network card sixteen
times, anywhere in a frame; by custom in a UDP datagram to port 9 (discard) of the broadcast address.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Deployment
from pointsman.providers.loading.asking import control_headers, server_of
from pointsman.providers.transport import Fetcher

__all__ = ["HostKnock", "magic_packet", "send_magic_packet"]

_SYNC: Final = b"\xff" * 6
_REPEATS: Final = 16
_RESOLVE_SECONDS_MAX: Final = 5.0
_QUESTION_SECONDS_MAX: Final = 2.0
_OLLAMA: Final = frozenset({"ollama", "ollama_chat"})
_FIRST_SERVER_ERROR: Final = 500

_log: Final = logging.getLogger("pointsman.wake")


def magic_packet(mac: bytes) -> bytes:
    """The packet for the network card with this address of six bytes."""
    return _SYNC + mac * _REPEATS


async def send_magic_packet(mac: bytes, address: str, port: int) -> None:
    """Send it once, to a broadcast address or any other. A failure is logged: what counts is who wakes up."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS_MAX):
            found = await loop.getaddrinfo(address, port, type=socket.SOCK_DGRAM)
            family, _, _, _, (host, *_) = found[0]
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=(str(host), port), family=family, allow_broadcast=True
            )
        try:
            transport.sendto(magic_packet(mac))
        finally:
            transport.close()
    except (OSError, TimeoutError) as error:
        _log.warning("The packet that is to wake %s could not be sent to %s:%d: %s", mac.hex(":"), address, port, error)


class HostKnock:
    """Asks whether a server is there."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def answers(self, deployment: Deployment) -> bool:
        """Whether the deployment's server answers anything that is no failure of its own, such as still starting."""
        path = "/api/version" if deployment.provider in _OLLAMA else "/v1/models"
        try:
            reply = await self._fetcher.fetch(
                "GET",
                server_of(deployment) + path,
                headers=control_headers(deployment),
                timeout_seconds=_QUESTION_SECONDS_MAX,
            )
        except GatewayError:
            return False
        return reply.status < _FIRST_SERVER_ERROR
