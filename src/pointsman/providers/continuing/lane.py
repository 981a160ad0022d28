"""A lane whose streams another one may continue, and which continues those of others."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Operation, Outbound
from pointsman.providers.continuing.answers import READ_BACK, RelayedSource, TranslatedSource
from pointsman.providers.continuing.cut import Cut
from pointsman.providers.continuing.request import continued_call, with_prefill
from pointsman.providers.continuing.splice import SplicedReader, SummingWriter
from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.lane import read_call
from pointsman.providers.translated.sides import CallLane, ClientSide

__all__ = ["CONTINUED", "ContinuingLane"]

CONTINUED: Final = frozenset({
    Operation.CHAT,
    Operation.MESSAGES,
    Operation.RESPONSES,
    Operation.GEMINI_STREAM,
    Operation.GEMINI_ARRAY_STREAM,
    Operation.OLLAMA_CHAT,
    Operation.OLLAMA_GENERATE,
    Operation.COMPLETION,
})  # fmt: skip
"""What is streamed and can be continued."""
_CHARACTERS_PER_TOKEN: Final = 4


class ContinuingLane:
    """See :class:`pointsman.core.upstream.Lane`.

    ``usual`` is the lane of requests that begin; ``translated`` the one to the same upstream by which the rest of an
    answer is asked for, None where there is none. ``client`` reads the client's dialect.
    """

    prepares = True

    def __init__(self, usual: Lane, translated: CallLane | None, client: ClientSide, deployment: Deployment) -> None:
        self._usual = usual
        self._translated = translated
        self._client = client
        self._deployment = deployment

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        lane = self._lane(ask)
        if lane.prepares:
            await lane.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        cut = ask.continues
        if not isinstance(cut, Cut):
            return self._usual.write(ask)
        lane = self._lane(ask)
        call = continued_call(read_call(self._client, ask), cut.text, cut.usage.completion, self._deployment)
        ask.call = call
        ask.prompt_estimate += len(cut.text) // _CHARACTERS_PER_TOKEN
        return with_prefill(lane.write(ask), call, self._deployment)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        cut = ask.continues
        answer = self._lane(ask).answer(ask)
        if isinstance(cut, Cut) and isinstance(answer, TranslatedAnswer):
            answer.go_on(lambda reader: SplicedReader(reader, cut.text), SummingWriter(cut.writer, cut.usage))
            return answer
        if not ask.stream:
            return answer
        if isinstance(answer, TranslatedAnswer):
            return TranslatedSource(answer, read_call(self._client, ask))
        return RelayedSource(answer, ask, self._client) if ask.operation in READ_BACK else answer

    def _lane(self, ask: Ask) -> Lane:
        """The lane of the request.

        Raises:
            Unsupported: nothing can be continued there.
        """
        if not isinstance(ask.continues, Cut):
            return self._usual
        if self._translated is None:
            raise Unsupported(f"{self._deployment.provider} cannot go on with another one's answer.", param="model")
        return self._translated
