"""Requests of Ollama's clients to load a model, before an upstream that has nothing to load."""

from __future__ import annotations

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Answer, AnsweredHere, Ask, Outbound
from pointsman.dialects.ollama.client_loads import LoadRequest, write_load

__all__ = ["NothingToLoad", "read_load_request"]


class NothingToLoad:
    """See :class:`pointsman.core.upstream.Lane`. The model is as ready as it will be, and the client is told so."""

    prepares = False

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        raise AnsweredHere(write_load(read_load_request(ask)))

    def answer(self, ask: Ask) -> Answer:
        """Never asked for, since no upstream is."""
        raise AnsweredHere(write_load(read_load_request(ask)))


def read_load_request(ask: Ask) -> LoadRequest:
    """What the dialect read, when it found no content.

    Raises:
        Malformed: the request is none of these.
    """
    if not isinstance(ask.notes, LoadRequest):
        raise Malformed("This request has no content.")
    return ask.notes
