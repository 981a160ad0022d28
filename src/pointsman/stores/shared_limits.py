"""What replicas share of limits and budgets: accounts, of which each process is given units to hand out.

An account is one thing that is counted, for one who is counted: the requests of a minute of a team, what a key spends.
There are two kinds.

- A **window** counts units over a stretch of time that slides. Time is cut into moments of ``grain`` seconds; a unit
  counts from the moment in which it was granted, for ``moments`` of them. What nobody used can be taken back.
- What is **held** counts until it is let go: requests under way, money. Each process says how much it holds, always
  all of it, so that a message that is lost or comes twice does no harm; who has not been heard of for ``LIVE_SECONDS``
  holds nothing any more. Of money, what is settled and not yet in the database counts for ``SETTLED_SECONDS`` longer,
  and so does the most that any process has seen of the database's spending.

Units granted are counted at once, so however many processes hand out units, together they never hand out more than the
limit leaves. The clock is the store's own, not the processes'.

Who loses its memory (a store without a disk that was restarted) says so: everybody then has to tell again what it uses,
and is granted nothing until all have had the time for it (``GATHER_SECONDS``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

__all__ = [
    "GATHER_SECONDS",
    "LIVE_SECONDS",
    "SETTLED_SECONDS",
    "Answer",
    "Deal",
    "SharedLimits",
    "Trade",
    "Used",
]

LIVE_SECONDS: Final = 8
"""A process that was not heard of for so long is taken to be dead."""

SETTLED_SECONDS: Final = 600
"""So long there is time to bring what a dead process spent from its spool to the database."""

GATHER_SECONDS: Final = 2
"""After a loss of memory, every process tells what it uses within this time."""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """What a process tells of one account, and what it wants of it. Units are whole numbers.

    Attributes:
        account: Its name, the same in every process.
        limit: What all may use together.
        grain: Seconds of a moment; 0: what is held.
        moments: How many moments a unit counts.
        need: Units that requests wait for.
        single: The largest of these requests, for which ``Deal.wait`` is reckoned.
        wish: Units that would be welcome in advance; ``need`` is part of them.
        edge: Whether a request is let in as long as anything is left, however large it is, as with money. Of those
            that wait together one may go over the limit.
        idle: Of what is held, units that no request has got.
        kept: Of a window, units at hand from ``kept_at`` that are to count from now on, so that they can be kept.
        changes: Moment and difference: units of a window that were given back, or used without having been granted.
        held: All that is held, ``idle`` included.
        settled: Of money: what is spent and not known to be in ``spent``.
        spent: Of money: what the database says.
    """

    account: str
    limit: int
    grain: int = 0
    moments: int = 0
    need: int = 0
    single: int = 0
    wish: int = 0
    edge: bool = False
    idle: int = 0
    kept: int = 0
    kept_at: int = 0
    changes: tuple[tuple[int, int], ...] = ()
    held: int = 0
    settled: int = 0
    spent: int = 0


class Deal(msgspec.Struct, frozen=True):
    """What came of a trade.

    ``granted`` may be less than what is needed, and then the limit has ``missed`` somebody; ``used`` is what is counted
    now, by everybody; a request of the trade's ``single`` units fits after ``wait`` seconds, 0: whenever others let go.
    """

    granted: int
    used: int
    wait: int = 0
    missed: bool = False


class Answer(msgspec.Struct, frozen=True):
    """The deals, by the order of the trades.

    ``now`` is the store's time in seconds, ``replicas`` how many processes live. Units of a window were granted in the
    moment ``now // grain``. ``deals`` None: the store is gathering what all have used, and where it ``lost`` its memory
    since this process told it last, :meth:`SharedLimits.recall` is to tell it again.
    """

    now: float
    replicas: int
    deals: tuple[Deal, ...] | None
    lost: bool = False


class Used(msgspec.Struct, frozen=True):
    """What a process was granted of a window and what still counts: moment and units."""

    account: str
    grain: int
    moments: int
    units: tuple[tuple[int, int], ...]


class SharedLimits(Protocol):
    """The store. What cannot be answered in time raises ``StorageUnavailable``."""

    async def exchange(self, trades: Sequence[Trade], *, whole: bool = False) -> Answer:
        """Do the trades, in one step and one round trip; no account occurs twice.

        If they are ``whole``, either every need is met, or nothing is granted at all.
        """
        ...

    async def recall(self, used: Sequence[Used]) -> None:
        """Tell a store that has lost its memory what this process has used. A second time does nothing."""
        ...

    async def beat(self) -> Answer:
        """Say that this process lives; the answer's deals are empty."""
        ...

    async def leave(self, holder: str | None = None, *, settled_seconds: int = SETTLED_SECONDS) -> None:
        """Say that a process has ended, this one where no other is named.

        What it holds is let go, but for what is settled, which counts for ``settled_seconds`` more: a few where it has
        been brought to the database, so that everybody can have seen it there.
        """
        ...
