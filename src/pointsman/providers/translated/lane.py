"""From any client dialect to any upstream dialect, by way of a call and its events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pointsman.core.call import Call
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.defaults import read_defaults, with_defaults
from pointsman.providers.translated.sides import ClientSide, FarSide

__all__ = ["Preparation", "TranslatedLane", "read_call"]

Preparation = Callable[[Ask], Awaitable[None]]
"""Something to be found out before the upstream's request can be written: a token, a remote image.

It may change ``ask.call``, which :func:`read_call` has first to be asked for, and raises a GatewayError.
"""


class TranslatedLane:
    """See :class:`pointsman.core.upstream.Lane`. The ``preparations`` are gone through one after the other."""

    def __init__(
        self, client: ClientSide, far: FarSide, deployment: Deployment, preparations: tuple[Preparation, ...] = ()
    ) -> None:
        self.prepares = bool(preparations)
        self._preparations = preparations
        self._client = client
        self._far = far
        self._deployment = deployment
        self._defaults = read_defaults(deployment.pinned)

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        for preparation in self._preparations:
            await preparation(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        call = with_defaults(read_call(self._client, ask), self._defaults)
        ask.call = call
        return self._far.write(call, self._deployment)

    def answer(self, ask: Ask) -> TranslatedAnswer:
        """See the protocol; the request has been written by now."""
        call = read_call(self._client, ask)
        reading = self._far.reading(call, self._deployment)
        return TranslatedAnswer(reading, self._client.writing(call, ask), ask.prompt_estimate)


def read_call(client: ClientSide, ask: Ask) -> Call:
    """The request as a call, read once.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    if ask.call is None:
        ask.call = client.read(ask)
    return ask.call
