"""How this process stands at a host that others send requests to, too, and whom it lets run when it is given slots."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from pointsman.core.clock import Clock
from pointsman.lifecycle.calling import call
from pointsman.routing.hosts import Fleet, Host
from pointsman.routing.slot_board import Claim, Standing, read_board, settle, write_board

__all__ = ["Outcome", "SlotDesk", "board_name"]


class Outcome(msgspec.Struct, frozen=True):
    """What to write, None: nothing new; how many more may run here; whether others wait, too; who holds some."""

    document: bytes | None
    granted: int = 0
    others_wait: bool = False
    holders: tuple[str, ...] = ()


class SlotDesk:
    """The process ``holder``'s dealings with the boards of hosts; ``clock`` is its own."""

    def __init__(self, fleet: Fleet, clock: Clock, holder: str) -> None:
        self.holder = holder
        self._fleet = fleet
        self._clock = clock

    def deal(
        self,
        host: Host,
        document: bytes | None,
        now: float,
        *,
        is_gone: Callable[[str, float], bool],
        may_take: bool = True,
    ) -> Outcome:
        """What is to become of a host's board, at the moment ``now`` by the clock that all processes have in common.

        ``is_gone`` tells of a holder, and of when it last told anything, whether it lives no more.
        """
        queue = self._fleet.queue_of(host)
        board = read_board(document)
        for name, share in list(board.shares.items()):
            if name != self.holder and is_gone(name, share.told_at):
                del board.shares[name]
        ahead = now - self._clock.monotonic()
        queue.heard_turn(board.model, board.turned_at - ahead)
        head = queue.head(self._clock.monotonic()) if may_take else None
        claim = None if head is None else Claim(head[1], head[0].model, head[0].entered_at + ahead)
        model, turned_at = queue.turn
        granted, is_news = settle(
            board,
            self.holder,
            Standing(len(queue.started()), queue.depth, claim, model, turned_at + ahead),
            queue.slots or 0,
            now=now,
            group_wait_seconds=queue.rules.group_wait_seconds,
            is_loaded=host.is_loaded,
        )
        others = [share for name, share in board.shares.items() if name != self.holder]
        return Outcome(
            write_board(board) if is_news else None,
            granted,
            any(share.claim is not None for share in others),
            tuple(board.shares),
        )

    def give(self, host: Host, granted: int) -> None:
        """Let so many more run that wait for a host."""
        queue = self._fleet.queue_of(host)
        call(queue, queue.grant(granted, self._clock.monotonic()))


def board_name(host: Host) -> str:
    """By what name processes know the board of a host."""
    return blake2b(host.url.encode("utf-8", "replace"), digest_size=16).hexdigest()
