"""How processes tell one another which deployments rest, so that not each has to find it out by failures of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

__all__ = ["Hearer", "NoRests", "Rest", "RestBoard"]


class Rest(msgspec.Struct, frozen=True):
    """A deployment, by its id, is to be left alone for so many seconds from now on."""

    deployment_id: str
    seconds: float


Hearer = Callable[[Rest], None]
"""Is told of the rests that others found necessary. Does not wait and does not raise."""


class RestBoard(Protocol):
    """Where rests are told; no method waits, none raises.

    What is told may come late, twice, in another order, or never: of two rests of a deployment the one that ends later
    counts, and whoever hears of none learns by failures.
    """

    def join(self, hearer: Hearer) -> None:
        """From now on ``hearer`` is told."""
        ...

    def tell(self, rest: Rest, teller: Hearer) -> None:
        """Tell everybody but the ``teller``."""
        ...


class NoRests:
    """Nobody else is there."""

    def join(self, hearer: Hearer) -> None:
        """See :class:`RestBoard`."""

    def tell(self, rest: Rest, teller: Hearer) -> None:
        """See :class:`RestBoard`."""
