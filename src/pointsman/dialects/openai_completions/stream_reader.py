"""Legacy completions of an upstream, streamed or whole, read as events.

Source: https://platform.openai.com/docs/api-reference/completions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import Event, Failed, Finished, LogprobsDelta, Started, TextDelta, UsageReported
from pointsman.core.reply import Reply
from pointsman.core.usage import Usage
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_completions.logprobs import read_logprobs
from pointsman.dialects.openai_completions.types import Chunk, ChunkChoice
from pointsman.dialects.openai_errors import given_up, read_stream_error
from pointsman.dialects.openai_usage import read_usage

__all__ = ["StreamReader", "read_reply"]

_decode: Final = msgspec.json.Decoder(Chunk).decode

_TIME_MAX: Final = 2**53


class StreamReader:
    """Reads the data of an upstream's server-sent events, one :meth:`feed` each.

    Args:
        whole: The one frame is a whole answer, which needs no end to be complete.
        new_id: Makes an id for an answer that has none.
    """

    def __init__(self, *, whole: bool = False, new_id: Callable[[str], str] = short_id) -> None:
        self._new_id = new_id
        self._whole = whole
        self._started = False
        self._over = False
        self._done = False
        self._finished: dict[int, bool] = {}
        self._usage: Usage | None = None

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        if self._over or self._done or not frame.strip():
            return []
        if frame.strip() == b"[DONE]":
            self._done = True
            return []
        try:
            chunk = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._fail(Broken("The upstream sent something that is not a piece of a completion."))
        if isinstance(chunk.error, msgspec.Raw) and bytes(chunk.error) != b"null" and not chunk.choices:
            return self._fail(read_stream_error(frame))
        self._usage = read_usage(chunk.usage) or self._usage
        events: list[Event] = []
        for choice in chunk.choices or ():
            if not self._started:
                self._started = True
                created = int(min(max(chunk.created or 0, 0), _TIME_MAX))
                events.append(Started(chunk.id or self._new_id("cmpl-"), chunk.model or "", created))
            self._read_choice(choice, events)
        return events

    def end(self) -> list[Event]:
        """The last events, once the upstream closed its stream. A choice that never finished is a failure."""
        if self._over:
            return []
        unfinished = [index for index, finished in self._finished.items() if not finished]
        if not self._started or (unfinished and not (self._done or self._whole)):
            what = "was complete" if self._started else "had begun"
            return self._fail(Broken(f"The upstream ended its stream before the answer {what}."))
        self._over = True
        events: list[Event] = [Finished("stop", index) for index in unfinished]
        if self._usage is not None:
            events.append(UsageReported(self._usage))
        return events

    def _read_choice(self, choice: ChunkChoice, events: list[Event]) -> None:
        index = choice.index
        if self._finished.get(index):
            return
        logprobs = None if choice.logprobs is None else read_logprobs(choice.logprobs)
        if logprobs is not None:
            events.append(LogprobsDelta(logprobs, index))
        if choice.text:
            events.append(TextDelta(choice.text, index))
        self._finished[index] = bool(choice.finish_reason)
        match choice.finish_reason:
            case None | "":
                return
            case "length":
                events.append(Finished("length", index))
            case "content_filter":
                events.append(Finished("content_filter", index))
            case "abort":
                events += self._fail(given_up())
            case _:
                events.append(Finished("stop", index))

    def _fail(self, error: GatewayError) -> list[Event]:
        self._over = True
        return [Failed(error)]


def read_reply(body: bytes) -> Reply:
    """An upstream's whole answer, read as a stream of one piece.

    Raises:
        UpstreamFailed: the body cannot be read, is an error, or has no choices.
    """
    reader = StreamReader(whole=True)
    return fold([*reader.feed(body), *reader.end()])
