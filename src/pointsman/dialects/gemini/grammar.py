"""The grammar of Gemini's streams: what clients may rely on, as a checker for any server's stream.

Rules, for a stream of ``streamGenerateContent`` that was answered with status 200:

* As server-sent events: every event is ``data:`` with a JSON object; comments may stand anywhere. Without ``alt=sse``:
  one JSON array of such objects.
* All have the same ``modelVersion`` and ``responseId``.
* Every one has candidates, each with content of the role ``model`` whose parts are each one thing: text, a function
  call, data, a file, or code and its result.
* Each candidate ends with one ``finishReason``, and nothing of it follows.
* Function calls are whole: a name, an object for arguments. Ids, where there are some, are unique.
* ``usageMetadata`` is on the last one, and its sum is right.
* An object with ``error``, which has code, message and status, ends a stream at once.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from pointsman.core.errors import Broken
from pointsman.dialects.stream_checks import UNREADABLE, StreamChecker, Violation
from pointsman.wire.sse import SseParser

__all__ = ["check", "violations"]

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Word = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z_]+$")]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_NAMED_MAX: Final = 80
_KINDS: Final = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
)


class _FunctionCall(msgspec.Struct):
    name: _Name
    args: dict[str, msgspec.Raw] = {}
    id: str | None = None


class _Content(msgspec.Struct):
    role: Literal["model"]
    parts: list[dict[str, msgspec.Raw]] = []


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: _Word | None = None
    index: int = 0


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: _Count = 0
    candidates_token_count: _Count = 0
    thoughts_token_count: _Count = 0
    tool_use_prompt_token_count: _Count = 0
    total_token_count: _Count = 0


class _Answer(msgspec.Struct, rename="camel"):
    candidates: Annotated[list[_Candidate], msgspec.Meta(min_length=1)]
    model_version: _Name
    response_id: _Name
    usage_metadata: _Usage | None = None


class _Error(msgspec.Struct):
    code: int
    message: str
    status: _Word


class _Failure(msgspec.Struct, forbid_unknown_fields=True):
    error: _Error


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_failure: Final = msgspec.json.Decoder(_Failure).decode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_call: Final = msgspec.json.Decoder(_FunctionCall).decode


def violations(stream: bytes, *, array: bool = False) -> list[str]:
    """What is wrong with a whole stream, in words; empty if nothing is. ``array``: it was asked for without SSE."""
    return [str(one) for one in check(stream, array=array)]


def check(stream: bytes, *, array: bool = False) -> list[Violation]:
    """What is wrong with a whole stream, and what was expected; empty if nothing is. Arguments as `violations` has."""
    checker = _Checker()
    if array:
        try:
            items = _decode_items(stream)
        except UNREADABLE:
            return [Violation("the stream is not a JSON array", "a JSON array of answers")]
        for item in items:
            checker.take(bytes(item))
        checker.finish()
        return checker.found
    parser = SseParser()
    try:
        events = parser.feed(stream)
        rest = parser.end()
    except Broken as problem:
        return [Violation(problem.message, "shorter events")]
    for event in [*events, *rest]:
        checker.take(event.data)
    if rest:
        checker.miss("the last event is not closed by an empty line", "an empty line after every event")
    checker.finish()
    return checker.found


class _Checker(StreamChecker):
    """Holds what has been seen of one stream, and what was wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self._first: _Answer | None = None
        self._last: _Answer | None = None
        self._finished: dict[int, bool] = {}
        self._ids: set[str] = set()

    def take(self, data: bytes) -> None:
        """One event, or one element."""
        self._taken += 1
        if self._failed:
            self._object("something follows an error", "nothing after an error")
            return
        answer = self._read(data, _decode_answer, _decode_failure, "an answer")
        if answer is None:
            return
        first = self._first = self._first or answer
        self._last = answer
        if (answer.model_version, answer.response_id) != (first.model_version, first.response_id):
            self._object(
                "modelVersion or responseId has changed",
                f"those of the first: {first.model_version[:_NAMED_MAX]!r}, {first.response_id[:_NAMED_MAX]!r}",
            )
        for candidate in answer.candidates:
            self._check_candidate(candidate)

    def finish(self) -> None:
        """The end of the stream."""
        if self._failed:
            return
        if not self._finished:
            self.miss("there is no candidate", "at least one candidate")
        for index, done in self._finished.items():
            if not done:
                self.miss(f"candidate {index} has no finishReason", "a finishReason for every candidate")
        usage = None if self._last is None else self._last.usage_metadata
        if usage is None:
            self.miss("the last answer has no usageMetadata", "usageMetadata on the last")
            return
        counts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
        total = sum(counts) + usage.tool_use_prompt_token_count
        if total != usage.total_token_count:
            self.miss("the sum of the usage is wrong", f"totalTokenCount {total}")

    def _check_candidate(self, candidate: _Candidate) -> None:
        if self._finished.get(candidate.index):
            self._object(
                f"candidate {candidate.index} goes on after its finishReason",
                "nothing of a candidate after its finishReason",
            )
        self._finished[candidate.index] = candidate.finish_reason is not None
        for part in candidate.content.parts if candidate.content is not None else ():
            kinds = [name for name in _KINDS if name in part]
            if len(kinds) != 1:
                self._object(f"a part is {' and '.join(kinds) or 'nothing'}", f"exactly one of {', '.join(_KINDS)}")
            if "functionCall" in part:
                self._check_call(part["functionCall"])

    def _check_call(self, raw: msgspec.Raw) -> None:
        try:
            call = _decode_call(raw)
        except UNREADABLE as problem:
            self._object(f"a function call is not whole: {problem}", "a name, and an object for args")
            return
        if call.id and call.id in self._ids:
            self._object(f"the id {call.id[:_NAMED_MAX]!r} is given twice", "an id that no other call has")
        self._ids.add(call.id or "")
