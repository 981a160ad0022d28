"""From which addresses the gateway may be used, and whose address a request has behind proxies.

What ``X-Forwarded-For`` says is only believed of those whom the operator trusts; from the right, since each proxy adds
its client there and whatever stands further left may be made up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pointsman.core.errors import Forbidden

__all__ = ["AddressGuard", "AddressSettings", "Network", "demand_address", "read_networks"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORWARDED: Final = b"x-forwarded-for"
_HOPS_MAX: Final = 32
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


class AddressSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``general_settings.allowed_ips``, ``use_x_forwarded_for`` and ``trusted_proxy_ranges``, checked.

    ``allowed`` None: all. Without ranges only proxies on this machine are trusted.
    """

    allowed: tuple[str, ...] | None = None
    use_forwarded: bool = False
    trusted: tuple[str, ...] = ()


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and ranges such as ``10.0.0.0/8``.

    Raises:
        ValueError: one of them is none; the message names it.
    """
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


def demand_address(networks: Sequence[Network], address: str, what: str) -> None:
    """Raise unless the address is in one of the networks.

    Raises:
        Forbidden: it is not (403, as LiteLLM).
    """
    parsed = _parsed(address)
    if parsed is None or not any(_is_in(parsed, network) for network in networks):
        raise Forbidden(
            f"{what} may not be used from the address {address[:64] or 'that is unknown'}.",
            hint="Ask the operator, who sets allowed_ips; behind a proxy also trusted_proxy_ranges.",
            code="ip_not_allowed",
            kind="auth_error",
        )


class AddressGuard:
    """Knows the operator's rules about addresses."""

    def __init__(self, settings: AddressSettings) -> None:
        self.follow(settings)

    def follow(self, settings: AddressSettings) -> None:
        """Go by these from now on.

        Raises:
            ValueError: what is to be a network is none.
        """
        allowed = None if settings.allowed is None else read_networks(settings.allowed)
        self._trusted = read_networks(settings.trusted or _LOOPBACK) if settings.use_forwarded else ()
        self._allowed = allowed

    @property
    def looks(self) -> bool:
        """Whether there is anything to look at."""
        return self._allowed is not None or bool(self._trusted)

    def client(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Whose request it is: the peer's, or that of whom a trusted proxy names. Header names are lower case."""
        if not self._trusted or not self._trusts(peer):
            return peer
        said = ",".join(value.decode("latin-1") for name, value in headers if name == _FORWARDED)
        hops = [hop.strip() for hop in said.split(",") if hop.strip()][-_HOPS_MAX:]
        for hop in reversed(hops):
            address = _parsed(_without_port(hop))
            if address is None:
                return peer
            peer = str(address)
            if not self._trusts(peer):
                return peer
        return peer

    def objection(self, address: str) -> Forbidden | None:
        """What :meth:`demand` would raise."""
        try:
            self.demand(address)
        except Forbidden as refused:
            return refused
        return None

    def demand(self, address: str) -> None:
        """Raise unless the gateway may be used from there.

        Raises:
            Forbidden: it may not.
        """
        if self._allowed is not None:
            demand_address(self._allowed, address, "This gateway")

    def _trusts(self, peer: str) -> bool:
        address = _parsed(peer)
        return address is not None and any(_is_in(address, network) for network in self._trusted)


def _parsed(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_in(address: _Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _without_port(hop: str) -> str:
    """Some proxies write the port too: ``[::1]:80`` or ``1.2.3.4:80``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
