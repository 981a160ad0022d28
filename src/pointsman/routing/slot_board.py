"""The slots of one host among several processes: a small document that each of them changes in its turn. Pure.

Each process writes what it holds and what it would do next (its *claim*); whoever has the best claim when a slot is
free takes it. The best is found as in a process's own line (:mod:`pointsman.routing.queue`): first the most important,
then who wants the model that the host was last sent, within the same bound; of these the process that holds least, then
the one that was served longest ago. Moments are seconds of a clock that all processes read alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

__all__ = ["TELL_SECONDS", "Board", "Claim", "Share", "Standing", "read_board", "settle", "write_board"]

TELL_SECONDS: Final = 0.5
"""After so long a process says again that it holds or waits."""
_CLAIM_SECONDS: Final = 1.5
"""A claim that was not told for so long holds nobody up: its process is stopped, or far behind."""


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """Whom a process would send next: by how many steps it stands behind the most important, its model, since when."""

    steps: int
    model: str
    since: float


class Share(msgspec.Struct, array_like=True):
    """What one process has of a host, told at ``told_at``; ``served_at`` is when it last took a slot."""

    held: int = 0
    waiting: int = 0
    told_at: float = 0.0
    served_at: float = 0.0
    claim: Claim | None = None


class Board(msgspec.Struct):
    """All of it. ``model`` is what the host was last sent, ``turned_at`` since when."""

    shares: dict[str, Share] = {}
    model: str = ""
    turned_at: float = 0.0


class Standing(msgspec.Struct, frozen=True):
    """How a process stands now: what it runs, what waits, whom it would send next, what it last sent and since when."""

    running: int
    waiting: int
    claim: Claim | None = None
    model: str = ""
    turned_at: float = 0.0


class _Terms(msgspec.Struct, frozen=True):
    now: float
    group_wait_seconds: float
    is_loaded: Callable[[str], bool]


_decode: Final = msgspec.json.Decoder(Board).decode
write_board: Final = msgspec.json.Encoder().encode


def read_board(data: bytes | None) -> Board:
    """The board that was written; an empty one where there is none, or none that can be read."""
    if not data:
        return Board()
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Board()


def settle(
    board: Board,
    holder: str,
    standing: Standing,
    slots: int,
    *,
    now: float,
    group_wait_seconds: float,
    is_loaded: Callable[[str], bool],
) -> tuple[int, bool]:
    """Write down how a process stands, and give it slots if it is its turn.

    Gives how many it may begin with now, beside what it runs, and whether the board says anything new.
    """
    before = board.shares.get(holder)
    news = Share(standing.running, standing.waiting, now, before.served_at if before else 0.0, standing.claim)
    if standing.turned_at > board.turned_at and standing.model != board.model:
        board.model, board.turned_at = standing.model, standing.turned_at
    terms = _Terms(now, group_wait_seconds, is_loaded)
    board.shares[holder] = news
    granted = _granted(board, holder, slots, terms) if standing.claim is not None else 0
    if granted:
        news.held += granted
        news.waiting -= granted
        news.served_at = now
        news.claim = None
        if standing.claim is not None and standing.claim.model != board.model:
            board.model, board.turned_at = standing.claim.model, now
    if not news.held and not news.waiting:
        del board.shares[holder]
        return 0, before is not None
    return granted, bool(granted) or _says_more(before, news)


def _says_more(before: Share | None, news: Share) -> bool:
    if before is None or news.told_at - before.told_at >= TELL_SECONDS:
        return True
    return (before.held, before.waiting, before.claim) != (news.held, news.waiting, news.claim)


def _granted(board: Board, holder: str, slots: int, terms: _Terms) -> int:
    own = board.shares[holder]
    free = slots - sum(share.held for share in board.shares.values())
    if free <= 0:
        return 0
    rivals = {
        name: share
        for name, share in board.shares.items()
        if name != holder and share.claim is not None and terms.now - share.told_at < _CLAIM_SECONDS
    }
    if free >= own.waiting + sum(share.waiting for share in rivals.values()):
        return own.waiting
    if not rivals:
        return min(free, own.waiting)
    return 1 if _best(board, {holder: own, **rivals}, terms) == holder else 0


def _best(board: Board, claimants: dict[str, Share], terms: _Terms) -> str:
    claims = {name: share.claim for name, share in claimants.items() if share.claim is not None}
    least = min(claim.steps for claim in claims.values())
    peers = {name: claim for name, claim in claims.items() if claim.steps == least}
    fitting = {name for name, claim in peers.items() if claim.model == board.model}
    fitting = fitting or {name for name, claim in peers.items() if terms.is_loaded(claim.model)}
    if fitting:
        latest = terms.now - terms.group_wait_seconds
        models = {peers[name].model for name in fitting}
        overdue = {
            name
            for name, claim in peers.items()
            if claim.model not in models and max(claim.since, board.turned_at) <= latest
        }
        peers = {name: peers[name] for name in overdue or fitting}
    return min(peers, key=lambda name: (claimants[name].held, claimants[name].served_at, name))
