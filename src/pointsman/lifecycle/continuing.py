"""A stream that was cut off after the client had some of it: whether another deployment is asked for the rest.

It is where the operator wants that, since only then answers are :class:`~pointsman.core.upstream.Continuable`. The
attempts that follow are those of any request that failed (:mod:`pointsman.lifecycle.recover`), save that nobody is
asked who was asked before. As soon as one of them says something nobody else can give the answer any more.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.accounting.price import cost_of
from pointsman.core.errors import GatewayError
from pointsman.core.exchange import Client
from pointsman.core.outcome import CallRecord
from pointsman.core.upstream import Answer, Ask, Deployment, may_be_continued
from pointsman.routing.failures import Failure, kind_of

__all__ = ["Interruption", "interruption_of", "send_rest"]

_TAG: Final = "continued"
_FINAL: Final = frozenset({Failure.BAD_REQUEST, Failure.CONTENT_POLICY})
"""What is said of the request itself, though late."""


class Interruption(msgspec.Struct, frozen=True):
    """What is known of the part that the client has: who gave it, what it cost in picodollars, and how it ended.

    ``cut`` is for the lane that goes on; ``heard_at`` is when it began, in monotonic seconds.
    """

    error: GatewayError
    ask: Ask
    answer: Answer
    deployment: Deployment
    cut: msgspec.Struct
    cost: int
    heard_at: float

    def count_in(self, record: CallRecord, skew: float) -> None:
        """Add this part to the record of the whole; ``skew`` makes times of day of monotonic ones."""
        record.usage = record.usage.plus(self.answer.usage)
        record.cost += self.cost
        record.first_token_at = self.heard_at + skew
        record.tags = (*record.tags, _TAG)


def interruption_of(
    error: GatewayError, ask: Ask, answer: Answer, deployment: Deployment, heard_at: float
) -> Interruption | None:
    """What is to be continued; None: the failure is the end."""
    if not may_be_continued(answer) or kind_of(error) in _FINAL:
        return None
    if ask.routing is not None and ask.routing.disable_fallbacks:
        return None
    cut = answer.cut_off()
    if cut is None:
        return None
    cost = cost_of(answer.usage, deployment.price) if deployment.charges else 0
    return Interruption(error, ask, answer, deployment, cut, cost, heard_at)


def send_rest(answer: Answer, client: Client) -> None:
    """Send what came along with the failure."""
    rest = answer.unsent if may_be_continued(answer) else b""
    if rest:
        client.send(rest)
