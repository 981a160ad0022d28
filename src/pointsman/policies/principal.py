"""A key while it is in use: its record and the counters that its limits are checked against."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.accounting.windows import SlidingMinute
from pointsman.core.identity import KeyRecord, Owner
from pointsman.core.price import dollars

__all__ = ["Principal"]


class _Extra(msgspec.Struct):
    """What is heeded of the fields that a key's record keeps in JSON."""

    organization_id: str | None = None


_decode_extra: Final = msgspec.json.Decoder(_Extra).decode

_EVERYTHING = frozenset({"*", "all-proxy-models", "all-team-models"})


class Principal:
    """Who asks. There is no default one: it is made from a key that was found, or for the operator.

    ``organization_id`` is the organisation whose spending its calls add to. Money is in picodollars. ``spent`` counts
    what is settled, ``reserved`` what is under way. ``share`` is the number of processes that serve the key beside each
    other: each lets through its part of the rates (``rpm``, ``tpm``, ``parallel``, None: unlimited), and takes the
    others to have reserved as much as itself.
    """

    __slots__ = (
        "access",
        "admin",
        "head",
        "in_flight",
        "organization_id",
        "parallel",
        "pending",
        "record",
        "requests",
        "reserved",
        "rpm",
        "share",
        "spent",
        "tokens",
        "tpm",
        "unrestricted",
        "wildcards",
    )

    def __init__(self, record: KeyRecord, *, admin: bool = False, share: int = 1) -> None:
        self.admin = admin
        self.share = share
        self.spent = record.spend
        self.pending = 0
        self.reserved = 0
        self.in_flight = 0
        self.requests = SlidingMinute()
        self.tokens = SlidingMinute()
        self.adopt(record)

    @property
    def owner(self) -> Owner:
        """The caller as the owner of what is stored for it."""
        return Owner(self.record.token, sees_all=self.admin)

    def adopt(self, record: KeyRecord) -> None:
        """Take a changed record; what is counted stays counted."""
        self.record = record
        self.organization_id = _decode_extra(record.extra).organization_id
        self.access: dict[tuple[str, str, frozenset[str]], bool] = {}
        self.unrestricted = not record.models or not _EVERYTHING.isdisjoint(record.models)
        self.wildcards = tuple(name for name in record.models if "*" in name and name != "*")
        self.head = _limit_lines(record)
        self.rpm = self._part(record.rpm_limit)
        self.tpm = self._part(record.tpm_limit)
        self.parallel = self._part(record.max_parallel_requests)

    def refresh(self, record: KeyRecord) -> None:
        """Take the stored record, and with it what other processes spent."""
        self.spent = record.spend + self.pending
        self.adopt(record)

    def settle(self, amount: int) -> None:
        """Count money spent that the store does not know of yet."""
        self.spent += amount
        self.pending += amount

    def _part(self, limit: int | None) -> int | None:
        """This process's part of a limit, rounded up so that none is left with nothing."""
        return None if limit is None else -(-limit // self.share)

    def stored(self, amount: int) -> None:
        """The store has taken over ``amount`` of what was pending."""
        self.pending -= amount


def _limit_lines(record: KeyRecord) -> bytes:
    """Header lines about the key's limits, with a ``%d`` for what is left of its requests and of its tokens."""
    lines = ""
    if record.tpm_limit is not None:
        lines += f"x-litellm-key-tpm-limit: {record.tpm_limit}\r\n"
    if record.rpm_limit is not None:
        lines += f"x-litellm-key-rpm-limit: {record.rpm_limit}\r\n"
    if record.max_budget is not None:
        lines += f"x-litellm-key-max-budget: {dollars(record.max_budget)}\r\n"
    for what, limit in (("requests", record.rpm_limit), ("tokens", record.tpm_limit)):
        if limit is not None:
            lines += f"x-ratelimit-limit-{what}: {limit}\r\nx-ratelimit-remaining-{what}: %d\r\n"
    return lines.encode("ascii")
