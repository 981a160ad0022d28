"""What is needed to ask a model something where no gateway runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from pointsman.assembly.from_settings import keepalive_seconds, media_limits
from pointsman.assembly.gauges import Truncations
from pointsman.assembly.native_lanes import aws_keyring, native_lanes
from pointsman.assembly.routes import RouteMaker
from pointsman.config.load import Loaded
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.flight import Sender
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment
from pointsman.providers.health import Admittance
from pointsman.providers.lanes import LaneBook
from pointsman.providers.long_tail import LongTailSender
from pointsman.providers.media import MediaFetcher
from pointsman.providers.mocked import MockSender
from pointsman.providers.registry import find_provider
from pointsman.providers.tokens import TokenBook
from pointsman.providers.transport import Transport

__all__ = ["Practice"]


class Practice:
    """See :class:`pointsman.assembly.native_lanes.LaneParts`; made by :meth:`open`."""

    def __init__(self, loaded: Loaded) -> None:
        self.clock = SYSTEM_CLOCK
        self.nursery = Nursery(_ignore)
        self.transport = Transport(self.nursery, self.clock, keepalive_seconds(loaded))
        self.media = MediaFetcher(media_limits(loaded))
        self.truncations = Truncations()
        self.tokens = TokenBook(self.transport, self.nursery, self.clock)
        self.aws_keys = aws_keyring(self.transport, lambda: loaded.variables, self.nursery, self.clock)
        self.admittance = Admittance(self.tokens, self.aws_keys)
        self.routes = RouteMaker(None)
        self.lanes = LaneBook(native_lanes(self))
        self._silence_seconds = keepalive_seconds(loaded)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, loaded: Loaded) -> AsyncIterator[Practice]:
        """For as long as the block lasts."""
        practice = cls(loaded)
        practice.nursery.start(practice.transport.run(), "upstream sweep")
        try:
            yield practice
        finally:
            await practice.nursery.close()
            practice.transport.close()

    def sender(self, deployment: Deployment) -> Sender:
        """What sends its requests; LiteLLM's library is only imported for who is reached through it."""
        if deployment.handling.mock_response is not None:
            return MockSender(self.transport)
        provider = find_provider(deployment.provider)
        if provider is None or not provider.long_tail:
            return self.transport
        return LongTailSender(self.transport, self.nursery, self._silence_seconds)


def _ignore(_name: str, _error: BaseException) -> None:
    """Whoever waits for a task that fails is told by what it waits for."""
