"""Rests told over a bulletin, so that machines tell one another which deployments to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from pointsman.routing.rests import Hearer, Rest, RestBoard

__all__ = ["Bulletin", "RestBoards", "RestNews"]

_TOPIC: Final = "rest"
_SECONDS_MAX: Final = 3600.0
_decode: Final = msgspec.json.Decoder(Rest).decode
_encode: Final = msgspec.json.Encoder().encode


class Bulletin(Protocol):
    """Where news is told."""

    def hear(self, topic: str, hearer: Callable[[bytes], None]) -> None:
        """From now on ``hearer`` is told what others say of the topic."""
        ...

    def post(self, topic: str, body: bytes = b"null") -> None:
        """Tell the others."""
        ...


class RestNews:
    """See :class:`pointsman.routing.rests.RestBoard`."""

    def __init__(self, bulletin: Bulletin) -> None:
        self._bulletin = bulletin
        self._hearers: list[Hearer] = []
        bulletin.hear(_TOPIC, self._hear)

    def join(self, hearer: Hearer) -> None:
        """See the protocol."""
        self._hearers.append(hearer)

    def tell(self, rest: Rest, teller: Hearer) -> None:
        """See the protocol."""
        self._bulletin.post(_TOPIC, _encode(rest))
        for hearer in self._hearers:
            if hearer != teller:
                hearer(rest)

    def _hear(self, said: bytes) -> None:
        try:
            rest = _decode(said)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        if 0 < rest.seconds <= _SECONDS_MAX:
            for hearer in self._hearers:
                hearer(rest)


class RestBoards:
    """Several boards as one: who hears a rest twice hears nothing new."""

    def __init__(self, *boards: RestBoard) -> None:
        self._boards = boards

    def join(self, hearer: Hearer) -> None:
        """See the protocol."""
        for board in self._boards:
            board.join(hearer)

    def tell(self, rest: Rest, teller: Hearer) -> None:
        """See the protocol."""
        for board in self._boards:
            board.tell(rest, teller)
