"""Any lane that serves the Responses API, with a memory."""

from __future__ import annotations

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Answer, Ask, Continuable, Lane, Operation, Outbound, may_be_continued
from pointsman.dialects.openai_responses.keeping import final_response
from pointsman.dialects.openai_responses.response import ResponseRequest
from pointsman.providers.around import AnswerAround, SourceAround
from pointsman.providers.stateful.book import ResponseBook

__all__ = ["KeptAnswer", "KeptSource", "StatefulLane"]


class StatefulLane:
    """See :class:`pointsman.core.upstream.Lane`.

    The lane inside finds the request's :class:`~pointsman.dialects.openai_responses.response.ResponseRequest` in
    ``ask.notes``, with the items that it continues as ``history``.
    """

    prepares = True

    def __init__(self, inner: Lane, book: ResponseBook) -> None:
        self._inner = inner
        self._book = book

    async def prepare(self, ask: Ask) -> None:
        """Look up what the request continues; then see the protocol."""
        await self._book.prepare(ask)
        if self._inner.prepares:
            await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._inner.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol; sets ``ask.keep`` where the answer is to be stored."""
        answer, book, request = self._inner.answer(ask), self._book, ask.notes
        ask.keep = None
        if not isinstance(request, ResponseRequest) or ask.operation is not Operation.RESPONSES:
            return answer
        if request.background:
            return answer  # what is done in the background is stored while it is done
        if not request.store and request.conversation is None:
            return answer
        kept = KeptSource(answer) if may_be_continued(answer) else KeptAnswer(answer)
        ask.keep = lambda: book.keep(ask, kept.response)
        return kept


class KeptAnswer(AnswerAround):
    """An answer, and ``response``, once it has told it."""

    __slots__ = ("response",)

    def __init__(self, inner: Answer) -> None:
        super().__init__(inner)
        self.response: msgspec.Raw | None = None

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        out = self.inner.whole(body)
        self.response = msgspec.Raw(out)
        return out

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        return self._told(self.inner.feed(data))

    def end(self) -> bytes:
        """See the protocol."""
        return self._told(self.inner.end())

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return self._told(self.inner.failed(error))

    def is_preface(self, block: bytes) -> bool:
        """See the protocol. The client is to know the id of its response as soon as there is one."""
        return False

    def _told(self, block: bytes) -> bytes:
        if block:
            self.response = final_response(block) or self.response
        return block


class KeptSource(SourceAround, KeptAnswer):
    """The same for one that may be continued elsewhere; see :class:`pointsman.core.upstream.Continuable`."""

    __slots__ = ("source",)

    def __init__(self, inner: Continuable) -> None:
        super().__init__(inner)
        self.source = inner
