"""The steps of opening a connection, one by one, for whoever has to tell which of them fails."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import Final

from pointsman.core.errors import Unreachable
from pointsman.providers.transport.origin import Origin

__all__ = ["accept", "encrypt", "resolve"]

_CERTIFICATE_HINTS: Final = {
    "expired": "Its owner has to renew it; check this machine's clock, too.",
    "not yet valid": "Check this machine's clock.",
    "mismatch": "Use the name in api_base that the certificate is for.",
    "self-signed": "Name the file with the authority's certificate in SSL_CERT_FILE.",
    "self signed": "Name the file with the authority's certificate in SSL_CERT_FILE.",
    "unable to get local issuer": "Name the file with the authority's certificate in SSL_CERT_FILE.",
}


async def resolve(origin: Origin, seconds_max: float) -> tuple[str, ...]:
    """The addresses of a host, in the order in which they are tried.

    Raises:
        Unreachable: the name is not known, or nobody says within the time.
    """
    try:
        async with asyncio.timeout(seconds_max):
            found = await asyncio.get_running_loop().getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise Unreachable(
            f"Nobody says within {seconds_max:g} s what the address of {origin.host} is.",
            hint="Check this machine's name servers (in a container: the network that it is in).",
        ) from None
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreachable(
            f"The name {origin.host} has no address: {why.lower()}.",
            hint="Check the name in api_base; in a container, localhost is the container itself.",
        ) from None
    return tuple(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


async def accept(origin: Origin, addresses: tuple[str, ...], seconds_max: float) -> str:
    """The first address at which the port accepts a connection, which is closed at once.

    Raises:
        Unreachable: none does.
    """
    why = f"no answer within {seconds_max:g} s"
    hint = "The host is off, or a firewall swallows what is sent to it."
    for address in addresses:
        try:
            async with asyncio.timeout(seconds_max):
                _, writer = await asyncio.open_connection(address, origin.port)
        except TimeoutError:
            continue
        except OSError as error:
            # The event loop puts words of its own into strerror, others on each loop.
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            hint = f"Nothing listens on port {origin.port} there: start the server, or correct the port in api_base."
            continue
        writer.close()
        return address
    raise Unreachable(f"{origin.host} does not accept a connection on port {origin.port}: {why}.", hint=hint)


async def encrypt(origin: Origin, seconds_max: float) -> float | None:
    """When the server's certificate expires, in seconds since the epoch; None where it does not say.

    Raises:
        Unreachable: the handshake fails, or the certificate is not to be trusted.
    """
    try:
        async with asyncio.timeout(seconds_max):
            _, writer = await asyncio.open_connection(origin.host, origin.port, ssl=ssl.create_default_context())
    except TimeoutError:
        raise Unreachable(
            f"The TLS handshake does not end within {seconds_max:g} s.",
            hint="Something else than TLS may listen there: try http in api_base.",
        ) from None
    except ssl.SSLCertVerificationError as error:
        told = error.verify_message or str(error)
        hint = next((hint for words, hint in _CERTIFICATE_HINTS.items() if words in told.lower()), None)
        raise Unreachable(f"The certificate is not to be trusted: {told}.", hint=hint) from None
    except OSError as error:  # what the library of TLS raises is one, too
        why = getattr(error, "reason", None) or error.strerror or str(error)
        raise Unreachable(
            f"The TLS handshake fails: {str(why).lower().replace('_', ' ')}.",
            hint="Something else than TLS may listen there: try http in api_base.",
        ) from None
    certificate = writer.get_extra_info("peercert") or {}
    writer.close()
    expires = certificate.get("notAfter")
    return ssl.cert_time_to_seconds(expires) if isinstance(expires, str) else None
