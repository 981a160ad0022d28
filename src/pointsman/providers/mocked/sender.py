"""Answers for mocked deployments in place of sending, and sends everything else as always."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pointsman.core.eager import Inbox
from pointsman.core.flight import Flight, Sender
from pointsman.core.upstream import Deployment, Outbound
from pointsman.providers.mocked.answers import MockAnswer, chat_answer, embedding_answer, image_answer
from pointsman.providers.mocked.lane import CHAT_PATH, EMBEDDING_PATH, Asked

__all__ = ["MockFlight", "MockSender"]

_decode: Final = msgspec.json.Decoder(Asked).decode


class MockSender:
    """See :class:`pointsman.core.flight.Sender`; ``usual`` sends what is to be sent."""

    def __init__(self, usual: Sender) -> None:
        self._usual = usual

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> Flight:
        """See the protocol."""
        mock = deployment.handling.mock_response
        if mock is None:
            return self._usual.send(deployment, outbound, stream=stream)
        return MockFlight(_answer(deployment, mock, outbound, stream=stream))


class MockFlight:
    """See :class:`pointsman.core.flight.Flight`; the whole answer is there at once."""

    def __init__(self, answer: MockAnswer) -> None:
        self.inbox: Inbox[bytes | None] = Inbox()
        self.inbox.put(answer.body)
        self.sink: Callable[[bytes], None] | None = None
        self.status = answer.status
        self.complete = True
        self.reused = False
        self.spoken = False

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """There are none."""
        return ()

    def pause(self) -> None:
        """See the protocol; nothing more is to come."""

    def resume(self) -> None:
        """See the protocol."""

    def hurry(self, seconds: float) -> None:
        """See the protocol."""

    def close(self) -> None:
        """See the protocol."""


def _answer(deployment: Deployment, mock: msgspec.Raw, outbound: Outbound, *, stream: bool) -> MockAnswer:
    if outbound.path == CHAT_PATH:
        return chat_answer(mock, deployment.model, _decode(outbound.body).count, stream=stream)
    if outbound.path == EMBEDDING_PATH:
        return embedding_answer(mock, deployment.model, _decode(outbound.body).count)
    return image_answer(mock)
