"""Text completions that are cut off, and go on at another upstream that completes.

Nothing is easier to continue: the rest of a text is what follows the prompt and the text together.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import CompletionCall
from pointsman.core.errors import GatewayError
from pointsman.core.events import Event
from pointsman.core.upstream import Answer, Ask, Lane, Outbound
from pointsman.dialects.openai_completions.stream_reader import StreamReader
from pointsman.dialects.openai_completions.streams import StreamWriter
from pointsman.providers.around import AnswerAround
from pointsman.providers.continuing.answers import SentSource
from pointsman.providers.continuing.cut import Cut
from pointsman.providers.continuing.splice import SplicedReader, SummingWriter
from pointsman.providers.translated.completions import CompletionClient, read_completion_call
from pointsman.providers.translated.sides import SseFrames
from pointsman.providers.translated.transcript import Transcript

__all__ = ["CompletionContinuingLane"]

_CHARACTERS_PER_TOKEN: Final = 4
_SHAPING: Final = frozenset({
    "best_of", "grammar", "guided_choice", "guided_grammar", "guided_json", "guided_regex", "json_schema", "regex",
    "response_format", "structured_outputs",
})  # fmt: skip
"""Fields that say what the text must look like, or that more is to be told of it than the text."""

_encode: Final = msgspec.json.Encoder().encode


class CompletionContinuingLane:
    """See :class:`pointsman.core.upstream.Lane`; ``usual`` goes to an upstream that completes, ``client`` reads."""

    prepares = True

    def __init__(self, usual: Lane, client: CompletionClient) -> None:
        self._usual = usual
        self._client = client

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        cut = ask.continues
        if isinstance(cut, Cut):
            call = self._client.read(ask)
            ask.fields["prompt"] = msgspec.Raw(_encode(call.prompts[0] + cut.text))
            limit = call.sampling.max_tokens
            if limit is not None:
                ask.fields["max_tokens"] = msgspec.Raw(b"%d" % max(1, limit - cut.usage.completion))
            ask.notes = None
            ask.prompt_estimate += len(cut.text) // _CHARACTERS_PER_TOKEN
        if self._usual.prepares:
            await self._usual.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._usual.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        answer = self._usual.answer(ask)
        if isinstance(ask.continues, Cut):
            return _Rest(answer, ask.continues)
        return _Source(answer, ask, self._client) if ask.stream else answer


class _Source(SentSource):
    """A completion that may be cut off; see :class:`pointsman.core.upstream.Continuable`."""

    __slots__ = ("_ask", "_client")

    def __init__(self, inner: Answer, ask: Ask, client: CompletionClient) -> None:
        super().__init__(inner)
        self._ask = ask
        self._client = client

    def cut_off(self) -> Cut | None:
        """See the protocol."""
        reader, transcript = StreamReader(), Transcript()
        events = [event for frame in self.frames() for event in reader.feed(frame)]
        transcript.note(events)
        started, text = transcript.started, transcript.text
        if started is None or not transcript.is_plain or not text:
            return None
        try:
            call = read_completion_call(self._client, self._ask)
        except GatewayError:
            return None  # the upstream understood what no other one does
        usage = self.usage_of(transcript.tokens)
        if not _is_continuable(call, usage.completion):
            return None
        writer = StreamWriter(msgspec.structs.replace(call, model=started.model or call.model))
        writer.write(events)
        return Cut(text, writer, usage)


class _Rest(AnswerAround):
    """The rest, told by whoever told the beginning; what comes from ``inner`` is a stream of completions, too."""

    __slots__ = ("_frames", "_reader", "_writer")

    def __init__(self, inner: Answer, cut: Cut) -> None:
        super().__init__(inner)
        self._frames = SseFrames()
        self._reader = SplicedReader(StreamReader(), cut.text)
        self._writer = SummingWriter(cut.writer, cut.usage)

    def feed(self, data: bytes) -> bytes:
        """See the protocol. A failure that the stream tells of is raised."""
        block = self._retold(self.inner.feed(data))
        error = self.inner.error
        if error is not None:
            self.inner.error = None
            raise error
        return block

    def end(self) -> bytes:
        """See the protocol."""
        last = self._retold(self.inner.end()) + self._writer.write(self._reader.end())
        return last + self._writer.end(self.usage)

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return self._writer.fail(error)

    def is_preface(self, _block: bytes) -> bool:
        """See the protocol. That it begins, the client has heard."""
        return False

    def _retold(self, block: bytes) -> bytes:
        events: list[Event] = [event for frame in self._frames.feed(block) for event in self._reader.feed(frame)]
        return self._writer.write(events)


def _is_continuable(call: CompletionCall, emitted_tokens: int) -> bool:
    limit = call.sampling.max_tokens
    return (
        len(call.prompts) == 1
        and (call.sampling.n or 1) == 1
        and call.suffix is None
        and not (call.echo or call.sampling.logprobs)
        and _SHAPING.isdisjoint(call.extra)
        and (limit is None or limit > emitted_tokens)
    )
