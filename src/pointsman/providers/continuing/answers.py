"""Answers that keep what they have told, in case they are cut off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Answer, Ask, Operation
from pointsman.core.usage import Usage
from pointsman.dialects.anthropic_messages.streams import StreamReader as MessagesReader
from pointsman.dialects.gemini.streams import StreamReader as GeminiReader
from pointsman.dialects.openai_chat.streams import StreamReader as ChatReader
from pointsman.providers.around import AnswerAround
from pointsman.providers.continuing.cut import Cut
from pointsman.providers.continuing.request import is_continuable
from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.lane import read_call
from pointsman.providers.translated.sides import ClientSide, EventReader, EventWriter, SseFrames
from pointsman.providers.translated.transcript import Transcript

__all__ = ["READ_BACK", "RelayedSource", "SentSource", "TranslatedSource"]

_BYTES_MAX: Final = 8 * 1024 * 1024

READ_BACK: Final[Mapping[Operation, Callable[[], EventReader]]] = MappingProxyType({
    Operation.CHAT: ChatReader,
    Operation.MESSAGES: MessagesReader,
    Operation.GEMINI_STREAM: lambda: GeminiReader(""),
})  # fmt: skip
"""How streams are read that are relayed as they come, by what clients ask for."""


class TranslatedSource(AnswerAround):
    """A translated answer; see :class:`pointsman.core.upstream.Continuable`."""

    __slots__ = ("_call", "_inner", "_transcript")

    def __init__(self, inner: TranslatedAnswer, call: Call) -> None:
        super().__init__(inner)
        self._inner = inner
        self._call = call
        self._transcript = inner.transcript = Transcript()

    @property
    def unsent(self) -> bytes:
        """See the protocol."""
        return self._inner.unsent

    @unsent.setter
    def unsent(self, unsent: bytes) -> None:
        self._inner.unsent = unsent

    def cut_off(self) -> Cut | None:
        """See the protocol."""
        self.cut()
        return _cut(self._transcript, self._call, self._inner.writer, self.usage)


class SentSource(AnswerAround):
    """An answer that keeps the bytes that the client was sent, as long as they are not too many."""

    __slots__ = ("_sent", "_size", "unsent")

    def __init__(self, inner: Answer) -> None:
        super().__init__(inner)
        self._sent: list[bytes] = []
        self._size = 0
        self.unsent = b""

    def feed(self, data: bytes) -> bytes:
        """See the protocol. A failure that the stream tells of is raised, since another upstream may go on."""
        block = self.inner.feed(data)
        error = self.inner.error
        if error is not None:
            self.inner.error = None
            place = block.rfind(b"\n\n", 0, -2)
            self.unsent = self._kept(block[: place + 2]) if place >= 0 else b""
            raise error
        return self._kept(block)

    def frames(self) -> list[bytes]:
        """What the client was sent."""
        return SseFrames().feed(b"".join(self._sent))

    def usage_of(self, tokens: int) -> Usage:
        """What the answer took, if it was about so many tokens: nearer to the truth than what unread bytes tell."""
        self.inner.cut()
        if self.usage.source != "measured":
            self.usage = Usage(self.usage.prompt, tokens, source="estimated")
        return self.usage

    def _kept(self, block: bytes) -> bytes:
        if block and self._size <= _BYTES_MAX:
            self._sent.append(block)
            self._size += len(block)
            if self._size > _BYTES_MAX:
                self._sent.clear()
        return block


class RelayedSource(SentSource):
    """An answer that is relayed as it comes; see :class:`pointsman.core.upstream.Continuable`."""

    __slots__ = ("_ask", "_client")

    def __init__(self, inner: Answer, ask: Ask, client: ClientSide) -> None:
        super().__init__(inner)
        self._ask = ask
        self._client = client

    def cut_off(self) -> Cut | None:
        """See the protocol."""
        reader = READ_BACK[self._ask.operation]()
        events = [event for frame in self.frames() for event in reader.feed(frame)]
        transcript = Transcript()
        transcript.note(events)
        started = transcript.started
        if started is None:
            return None
        try:
            call = read_call(self._client, self._ask)
        except GatewayError:
            return None  # the upstream understood what no other one does
        named = msgspec.structs.replace(call, model=started.model or call.model)
        writer = self._client.writing(named, self._ask).writer
        writer.write(events)
        return _cut(transcript, call, writer, self.usage_of(transcript.tokens))


def _cut(transcript: Transcript, call: Call, writer: EventWriter, usage: Usage) -> Cut | None:
    """What can be continued; None: it cannot."""
    text = transcript.text
    if not transcript.is_plain or not text.strip() or not is_continuable(call, usage.completion):
        return None
    return Cut(text, writer, usage)
