"""Gemini's answers in pieces: the data of server-sent events, each an answer of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock, short_id
from pointsman.core.content import Citation, ServerToolUse
from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import (
    Cited,
    CodeDelta,
    Event,
    Failed,
    Finished,
    LogprobsDelta,
    PartGiven,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.gemini.citations import read_citations, read_grounding, read_queries
from pointsman.dialects.gemini.errors import read_stream_error
from pointsman.dialects.gemini.given import read_code, read_media, with_result
from pointsman.dialects.gemini.logprobs import read_logprobs
from pointsman.dialects.gemini.reasons import BROKEN_REASONS, read_reason
from pointsman.dialects.gemini.signatures import pack_call_id
from pointsman.dialects.gemini.types import Candidate, Chunk, FunctionCall, Part
from pointsman.dialects.gemini.usage import read_usage
from pointsman.dialects.signatures import GEMINI
from pointsman.wire.limits import EVENT_BYTES_MAX
from pointsman.wire.upstream_errors import fit_to_repeat

__all__ = ["StreamReader"]

_decode: Final = msgspec.json.Decoder(Chunk).decode

_SHOWN_CHARACTERS_MAX: Final = 80
_NULL: Final = msgspec.Raw(b"null")


class _OpenChoice(msgspec.Struct):
    """A candidate under way: the ids of its calls so far, its text, what that rests on, and whether anything came.

    ``code`` is what Google ran, until its result comes.
    """

    ids: list[str] = []
    texts: list[str] = []
    characters: int = 0
    grounding: msgspec.Raw = _NULL
    repeated: msgspec.Raw = _NULL
    code: ServerToolUse | None = None
    begun: bool = False
    finished: bool = False

    def keep(self, text: str) -> None:
        """More of its text, of which sources are told at the end."""
        self.characters += len(text)
        if self.characters <= EVENT_BYTES_MAX:
            self.texts.append(text)

    def citations(self) -> Iterator[Citation]:
        """What it rests on."""
        text = "".join(self.texts)
        if self.grounding != _NULL:
            yield from read_grounding(self.grounding, text)
        if self.repeated != _NULL:
            yield from read_citations(self.repeated, text)


class StreamReader:
    """Reads the data of an upstream's server-sent events, one :meth:`feed` each; a whole answer is one.

    Gemini gives tool calls whole, says ``STOP`` after them, and counts anew on every event. Images of what it only
    thought about are passed over.

    Args:
        model: Gemini's name for the model, for the hint of an error.
        pack_signatures: Put the signatures of tool calls into their ids, for a client that only gives those back.
        single_tool_call: Keep the first tool call only (``parallel_tool_calls: false``).
        wave_files: Give sounds as files instead of samples.
        new_id: Makes ids for answers and tool calls that have none.
        clock: Tells when the answer began, which Gemini does not.
    """

    def __init__(
        self,
        model: str = "",
        *,
        pack_signatures: bool = False,
        single_tool_call: bool = False,
        wave_files: bool = False,
        new_id: Callable[[str], str] = short_id,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._model = model
        self._pack = pack_signatures
        self._single = single_tool_call
        self._wave_files = wave_files
        self._new_id = new_id
        self._clock = clock
        self._started = False
        self._over = False
        self._choices: dict[int, _OpenChoice] = {}
        self._usage: Usage | None = None

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame. Frames after a failure say nothing."""
        if self._over or not frame.strip():
            return []
        try:
            chunk = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._fail(Broken("Gemini sent something that is not one of its answers."))
        if isinstance(chunk.error, msgspec.Raw) and chunk.error != _NULL:
            return self._fail(read_stream_error(frame, self._model))
        self._usage = read_usage(chunk.usage_metadata) or self._usage
        feedback = chunk.prompt_feedback
        blocked = feedback.block_reason if feedback is not None and not chunk.candidates else None
        events: list[Event] = []
        if (chunk.candidates or blocked) and not self._started:
            self._started = True
            answer_id = chunk.response_id or self._new_id("gemini-")
            events.append(Started(answer_id, chunk.model_version or "", int(self._clock.wall())))
        if blocked and not self._choices:
            self._choices[0] = _OpenChoice(finished=True)
            events.append(Finished("content_filter", 0, blocked))
        for candidate in chunk.candidates or ():
            self._read_candidate(candidate, events)
            if events and isinstance(events[-1], Failed):
                break
        return events

    def end(self) -> list[Event]:
        """The last events, once Gemini closed its stream. A candidate that never finished is a failure."""
        if self._over:
            return []
        if not self._started or not all(choice.finished for choice in self._choices.values()):
            what = "was complete" if self._started else "had begun"
            return self._fail(Broken(f"Gemini ended its stream before the answer {what}."))
        self._over = True
        return [] if self._usage is None else [UsageReported(self._usage)]

    def _fail(self, error: GatewayError) -> list[Event]:
        self._over = True
        return [Failed(error)]

    def _read_candidate(self, candidate: Candidate, events: list[Event]) -> None:
        choice = self._choices.setdefault(candidate.index, _OpenChoice())
        if choice.finished:
            return
        if candidate.logprobs_result is not None and candidate.logprobs_result.chosen_candidates:
            events.append(LogprobsDelta(read_logprobs(candidate.logprobs_result), candidate.index))
        for part in (candidate.content.parts if candidate.content is not None else None) or ():
            self._read_part(part, candidate.index, choice, events)
            if self._over:
                return
        if isinstance(candidate.grounding_metadata, msgspec.Raw):
            choice.grounding = candidate.grounding_metadata
        if isinstance(candidate.citation_metadata, msgspec.Raw):
            choice.repeated = candidate.citation_metadata
        reason = candidate.finish_reason
        if not reason:
            return
        if reason in BROKEN_REASONS and not choice.begun:
            why = fit_to_repeat(candidate.finish_message or reason)
            events += self._fail(Broken(f"Gemini could not complete its answer: {why}", code=reason.lower()))
            return
        choice.finished = True
        self._tell_code(choice, candidate.index, events)
        searched = read_queries(choice.grounding, self._new_id("search_"), choice.characters)
        events += [Cited(citation, candidate.index) for citation in choice.citations()]
        if searched is not None:
            events.append(PartGiven(searched, candidate.index))
        events.append(read_reason(reason, candidate.index, has_calls=bool(choice.ids)))

    def _read_part(self, part: Part, index: int, choice: _OpenChoice, events: list[Event]) -> None:
        before = len(events)
        if part.code_execution_result is not None:
            told = with_result(choice.code, part.code_execution_result, self._new_id("code_"), choice.characters)
            choice.code = None
            events.append(PartGiven(told, index))
        else:
            self._tell_code(choice, index, events)
        if part.function_call is not None:
            self._read_call(part.function_call, part.thought_signature, (index, choice), events)
        else:
            self._read_said(part, index, choice, events)
        choice.begun = choice.begun or choice.code is not None or len(events) > before

    def _read_said(self, part: Part, index: int, choice: _OpenChoice, events: list[Event]) -> None:
        """What is neither a call nor a result."""
        if part.text:
            events.append(ThinkingDelta(part.text, index) if part.thought else TextDelta(part.text, index))
            if not part.thought:
                choice.keep(part.text)
        if part.executable_code is not None:
            choice.code = read_code(part.executable_code, self._new_id("code_"), choice.characters)
            events.append(CodeDelta(choice.code, index, complete=True))
        if part.thought_signature:
            events.append(ThinkingSigned(part.thought_signature, index, signer=GEMINI))
        media = part.inline_data or part.file_data
        if media is None or part.thought:
            return
        given = None if part.inline_data is None else read_media(part.inline_data, wave_files=self._wave_files)
        if given is not None:
            events.append(PartGiven(given, index))
        else:
            kind = (media.mime_type or "a file")[:_SHOWN_CHARACTERS_MAX]
            events += self._fail(Broken(f"Gemini answered with {kind}, which has no place in this answer."))

    def _tell_code(self, choice: _OpenChoice, index: int, events: list[Event]) -> None:
        """Code whose result does not come."""
        if choice.code is not None:
            events.append(PartGiven(choice.code, index))
            choice.code = None

    def _read_call(
        self, call: FunctionCall, signature: str | None, place: tuple[int, _OpenChoice], events: list[Event]
    ) -> None:
        index, choice = place
        slot = len(choice.ids)
        if self._single and slot:
            return
        call_id = call.id if call.id and call.id not in choice.ids else self._new_id("call_")
        choice.ids.append(call_id)
        told = pack_call_id(call_id, signature) if self._pack else call_id
        events.append(ToolCallStarted(slot, told, call.name, index, signature or None))
        events.append(ToolCallDelta(slot, _arguments(call), index))


def _arguments(call: FunctionCall) -> str:
    """The arguments as compact JSON text."""
    raw = call.args
    if not isinstance(raw, msgspec.Raw) or raw == _NULL:
        return "{}"
    try:
        return msgspec.json.format(bytes(raw), indent=-1).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return bytes(raw).decode("utf-8", "replace")
