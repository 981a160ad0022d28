from __future__ import annotations

import pytest

from pointsman.core.errors import Forbidden
from pointsman.policies.addresses import AddressGuard, AddressSettings


def guard(*trusted: str, allowed: tuple[str, ...] | None = None, forwarded: bool = True) -> AddressGuard:
    return AddressGuard(AddressSettings(allowed=allowed, use_forwarded=forwarded, trusted=trusted))


def through(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", line.encode()) for line in lines]


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("10.0.0.1", ("192.0.2.7",), "192.0.2.7"),
        ("10.0.0.1", ("198.51.100.1, 192.0.2.7",), "192.0.2.7"),
        ("10.0.0.1", ("198.51.100.1", "192.0.2.7"), "192.0.2.7"),
        ("10.0.0.1", ("192.0.2.7, 10.0.0.2",), "192.0.2.7"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.7, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.7:4711",), "192.0.2.7"),
        ("10.0.0.1", ("[2001:db8::7]:4711",), "2001:db8::7"),
        ("::ffff:10.0.0.1", ("192.0.2.7",), "192.0.2.7"),
        ("203.0.113.9", ("192.0.2.7",), "203.0.113.9"),
        ("", ("192.0.2.7",), ""),
    ],
)
def test_the_client_is_the_last_whom_a_trusted_proxy_names(peer: str, lines: tuple[str, ...], client: str) -> None:
    assert guard("10.0.0.0/24").client(peer, through(*lines)) == client


def test_nobody_is_believed_unless_the_operator_says_so() -> None:
    assert guard("10.0.0.0/24", forwarded=False).client("10.0.0.1", through("192.0.2.7")) == "10.0.0.1"
    # And without ranges only proxies on this machine.
    assert guard().client("127.0.0.1", through("192.0.2.7")) == "192.0.2.7"
    assert guard().client("10.0.0.1", through("192.0.2.7")) == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("10.0.0.7", True),
        ("::ffff:10.0.0.7", True),
        ("10.0.0.8", False),
        ("2001:db8::1", True),
        ("", False),
        ("x", False),
    ],
)
def test_only_named_addresses_may(address: str, may: bool) -> None:
    doors = guard(allowed=("10.0.0.7", "2001:db8::/32"))
    assert (doors.objection(address) is None) == may
    if not may:
        with pytest.raises(Forbidden, match="may not be used from"):
            doors.demand(address)


def test_an_empty_list_lets_nobody_in_and_none_everybody() -> None:
    with pytest.raises(Forbidden):
        guard(allowed=()).demand("127.0.0.1")
    guard(allowed=None).demand("anything")


def test_what_is_no_address_is_refused_and_changes_nothing() -> None:
    doors = guard(allowed=("10.0.0.7",))
    with pytest.raises(ValueError, match="nonsense"):
        doors.follow(AddressSettings(allowed=("nonsense",)))
    doors.demand("10.0.0.7")
