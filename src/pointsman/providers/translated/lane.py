"""From any client dialect to any upstream dialect, by way of a call and its events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pointsman.core.call import Call
from pointsman.core.errors import Refused
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.cache_marks.calls import marked_call, marks_of_calls
from pointsman.providers.parameters import Dropped, ruled, shown
from pointsman.providers.translated.allowed import write_allowing
from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.defaults import read_defaults, with_defaults
from pointsman.providers.translated.finish import finished
from pointsman.providers.translated.mending import mended, mends
from pointsman.providers.translated.own_words import in_own_words
from pointsman.providers.translated.sides import ClientSide, FarSide, SigningSide
from pointsman.providers.versions import beta_headers, family_of

__all__ = ["Preparation", "TranslatedLane", "read_call"]

Preparation = Callable[[Ask], Awaitable[None]]
"""Something to be found out before the upstream's request can be written: a token, a remote image.

It may change ``ask.call``, which :func:`read_call` has first to be asked for, and raises a GatewayError.
"""


class TranslatedLane:
    """See :class:`pointsman.core.upstream.Lane`. The ``preparations`` are gone through one after the other."""

    sends_call = True

    def __init__(
        self, client: ClientSide, far: FarSide, deployment: Deployment, preparations: tuple[Preparation, ...] = ()
    ) -> None:
        self.prepares = bool(preparations)
        self._preparations = preparations
        self._client = client
        self._far = far
        self._deployment = deployment
        self._defaults = read_defaults(deployment.pinned)
        self._dropped = Dropped.of(deployment.additional_drop_params) or None
        self._mends = mends(deployment)
        self._marks = marks_of_calls(deployment)
        self._beta = family_of(deployment)

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        read_call(self._client, ask, self._dropped)
        for preparation in self._preparations:
            await preparation(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        try:
            return self._write(ask)
        except Refused as refused:
            raise in_own_words(refused, ask, self._client.read) from None

    def _write(self, ask: Ask) -> Outbound:
        deployment, rules = self._deployment, ask.rules
        call = with_defaults(read_call(self._client, ask, self._dropped), self._defaults)
        if rules is not None:
            deployment = ruled(deployment, rules)
        if self._mends:
            call = mended(call, deployment)
        ask.call = call
        if self._marks:
            call = marked_call(call, self._marks, counts_system=ask.operation is not Operation.MESSAGES)
        if deployment.allowed_openai_params:
            outbound = write_allowing(self._far.write, call, deployment, {**deployment.pinned, **ask.fields})
        else:
            outbound = self._far.write(call, deployment)
        if self._dropped is not None:
            outbound = finished(outbound, self._dropped, deployment)
        if (self._dropped is not None or deployment.allowed_openai_params) and isinstance(self._far, SigningSide):
            outbound = self._far.sign(outbound)
        if ask.versions:
            headers = (*outbound.headers, *beta_headers(ask.versions, self._beta, deployment.headers))
            outbound = msgspec.structs.replace(outbound, headers=headers)
        return outbound

    def answer(self, ask: Ask) -> TranslatedAnswer:
        """See the protocol; the request has been written by now."""
        call = read_call(self._client, ask)
        reading = self._far.reading(call, self._deployment)
        return TranslatedAnswer(reading, self._client.writing(call, ask), ask.prompt_estimate)

    def to(self, client: ClientSide) -> TranslatedLane:
        """The lane from another client's dialect to the same upstream."""
        return TranslatedLane(client, self._far, self._deployment, self._preparations)


def read_call(client: ClientSide, ask: Ask, dropped: Dropped | None = None) -> Call:
    """The request as a call, read once, without the fields that are to be dropped.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    if ask.call is None:
        read = shown(ask, dropped)
        ask.call, ask.notes = client.read(read), read.notes
    return ask.call
