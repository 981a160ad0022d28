"""How processes learn whose spending rose: one row for each batch of calls, which names all that the batch charged.

Such rows are kept for a while only. Whoever has not looked for longer finds a gap before the first that is left, and
is told that anybody may have spent (:data:`ANYBODY`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from pointsman.stores.directory.ports import Account, Changed

__all__ = ["ANYBODY", "BATCHES_MAX", "CHANGES_MAX", "NEWS_SECONDS", "SPENDING", "Batch", "names_of", "read_news"]

SPENDING: Final = "spend"
"""The kind of change that is not of an entry."""
ANYBODY: Final = Changed(SPENDING, "")
"""Any account may have spent more."""

NEWS_SECONDS: Final = 60.0
"""For how long a row is kept at least. A process at work looks every second."""
CHANGES_MAX: Final = 10_000
"""Changes of entries in one answer."""
BATCHES_MAX: Final = 20
"""Batches of calls in one answer: each may name tens of thousands."""


class Batch(NamedTuple):
    """A batch of calls: its version, that of the batch before (0: there was none), and a JSON array of ``scope/id``."""

    version: int
    before: int
    names: str


def names_of(accounts: Iterable[Account], keys: Iterable[str] = ()) -> str:
    """What to write of a batch that charged these accounts, and the keys ``keys`` in place of others."""
    names = {f"{account.scope}/{account.identity}" for account in accounts}
    names.update([f"key/{token}" for token in keys])
    return msgspec.json.encode(list(names)).decode()


def read_news(
    version: int, entries: Sequence[tuple[int, str, str]], batches: Sequence[Batch]
) -> tuple[int, tuple[Changed, ...]]:
    """What changed since ``version``, each once, and up to which version that is everything.

    ``entries`` (version, kind, id) and ``batches`` are what comes first after ``version``, each in its order; where
    there are as many as an answer may have, there may be more.
    """
    ends = [entries[-1][0]] if len(entries) >= CHANGES_MAX else []
    ends += [batches[-1].version] if len(batches) >= BATCHES_MAX else []
    end = min(ends, default=None)
    changes = {
        Changed(kind, identity): None
        for at, kind, identity in entries
        if (end is None or at <= end) and (kind, identity) != ANYBODY
    }
    known = [batch for batch in batches if end is None or batch.version <= end]
    if known and known[0].before > version:
        changes[ANYBODY] = None
    for batch in known:
        changes.update((Changed(SPENDING, name), None) for name in msgspec.json.decode(batch.names, type=list[str]))
    latest = max(entries[-1][0] if entries else version, batches[-1].version if batches else version)
    return latest if end is None else end, tuple(changes)
