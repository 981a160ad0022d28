"""From any client dialect to any upstream dialect, by way of a call and its events."""

from __future__ import annotations

from pointsman.core.call import Call
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.defaults import read_defaults, with_defaults
from pointsman.providers.translated.sides import ClientSide, FarSide

__all__ = ["TranslatedLane", "read_call"]


class TranslatedLane:
    """See :class:`pointsman.core.upstream.Lane`."""

    prepares = False

    def __init__(self, client: ClientSide, far: FarSide, deployment: Deployment) -> None:
        self._client = client
        self._far = far
        self._deployment = deployment
        self._defaults = read_defaults(deployment.pinned)

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

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
