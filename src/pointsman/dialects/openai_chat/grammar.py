"""The grammar of a chat stream: what clients may rely on, as a checker for any server's stream.

Rules, for a stream that was answered with status 200:

* Every event is ``data:`` with a JSON object, save the last, which is ``[DONE]``; comments may stand anywhere.
* All chunks have the same ``id``, ``object`` (``chat.completion.chunk``), ``created`` and ``model``.
* The first chunk of each choice, and no other, has the role ``assistant``.
* Each choice ends with exactly one ``finish_reason``, in a chunk without further content; nothing follows it.
* Tool calls are numbered from 0 without gaps. The first piece of each, and no other, has id, type and name; ids are
  unique; the arguments of a choice that ends with ``tool_calls`` are JSON objects, save those of custom tools, whose
  input is any text. No call is of both kinds.
* ``tool_calls`` is the reason if and only if there are tool calls, except that ``length`` and ``content_filter``
  may cut them off.
* ``usage`` is on every chunk or on none: null until a last chunk with no choices, whose sum is right.
* An error object ends a stream: only ``[DONE]`` follows.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.dialects.stream_checks import EventStreamChecker, Violation, is_json_object
from pointsman.wire.sse import ServerSentEvent

__all__ = ["check", "violations"]

_REASONS: Final = frozenset({"stop", "length", "tool_calls", "content_filter"})
_CUT_OFF: Final = frozenset({"length", "content_filter"})


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Custom(msgspec.Struct):
    name: str | None = None
    input: str | None = None


class _ToolCall(msgspec.Struct):
    index: int
    id: str | None = None
    type: str | None = None
    function: _Function | None = None
    custom: _Custom | None = None


class _Delta(msgspec.Struct):
    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int
    delta: _Delta
    finish_reason: str | None = None


class _Counts(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _Chunk(msgspec.Struct):
    id: str
    object: str
    created: int
    model: str
    choices: list[_Choice]
    usage: _Counts | msgspec.UnsetType | None = msgspec.UNSET


class _Failure(msgspec.Struct):
    message: str
    type: str


class _FailureChunk(msgspec.Struct):
    error: _Failure


class _Call(msgspec.Struct):
    """A tool call as put together so far."""

    id: str
    arguments: str = ""
    kind: str | None = "function"


class _Progress(msgspec.Struct):
    """A choice as put together so far."""

    calls: list[_Call] = []
    reason: str | None = None


_decode_chunk: Final = msgspec.json.Decoder(_Chunk).decode
_decode_failure: Final = msgspec.json.Decoder(_FailureChunk).decode


def violations(stream: bytes, *, include_usage: bool | None = None) -> list[str]:
    """What is wrong with a whole stream, in words; empty if nothing is.

    Args:
        stream: The body of the answer.
        include_usage: Whether the client asked for usage; None: do not care.
    """
    return [str(one) for one in check(stream, include_usage=include_usage)]


def check(stream: bytes, *, include_usage: bool | None = None) -> list[Violation]:
    """What is wrong with a whole stream, and what was expected; empty if nothing is. Arguments as `violations` has."""
    return _Checker(include_usage).check(stream)


class _Checker(EventStreamChecker):
    """Holds what has been seen of one stream, and what was wrong with it."""

    def __init__(self, include_usage: bool | None) -> None:  # noqa: FBT001 - three answers: yes, no, do not care
        super().__init__()
        self._include_usage = include_usage
        self._first: _Chunk | None = None
        self._choices: dict[int, _Progress] = {}
        self._done = False
        self._counted = False

    def take(self, event: ServerSentEvent) -> None:
        """One event."""
        data = event.data
        self._taken += 1
        if self._done:
            self._object("something follows [DONE]", "nothing after [DONE]")
        elif data == b"[DONE]":
            self._done = True
        elif self._failed:
            self._object("something follows an error", "only [DONE] after an error")
        else:
            self._take_object(data)

    def finish(self) -> None:
        """The end of the stream."""
        if not self._done:
            self.miss("the stream does not end with [DONE]", "data: [DONE] at the end")
        if self._failed:
            return
        if not self._choices:
            self.miss("there is no choice", "at least one choice")
        for index, seen in self._choices.items():
            if seen.reason is None:
                self.miss(f"choice {index} has no finish_reason", "a finish_reason for every choice")
        if self._include_usage is not None and self._include_usage != self._counted:
            if self._include_usage:
                self.miss("usage is missing", "a last chunk with the usage")
            else:
                self.miss("usage was not asked for", "no usage")

    def _take_object(self, data: bytes) -> None:
        chunk = self._read(data, _decode_chunk, _decode_failure, "a chunk")
        if chunk is None:
            return
        self._check_head(chunk)
        self._check_usage(chunk)
        for choice in chunk.choices:
            self._check_choice(choice)

    def _check_head(self, chunk: _Chunk) -> None:
        first = self._first
        if first is None:
            self._first = first = chunk
            if not chunk.id:
                self._object("the id is empty", "an id")
            if chunk.object != "chat.completion.chunk":
                self._object(f"object is {chunk.object!r}", "chat.completion.chunk")
        for name in ("id", "object", "created", "model"):
            if getattr(chunk, name) != getattr(first, name):
                self._object(f"{name} has changed", f"that of the first chunk, {getattr(first, name)!r}")
        if (chunk.usage is msgspec.UNSET) != (first.usage is msgspec.UNSET):
            self._object(
                "usage is on some chunks and not on others", "usage on every chunk (null but on the last), or on none"
            )

    def _check_usage(self, chunk: _Chunk) -> None:
        if self._counted:
            self._object("a chunk follows the usage", "[DONE] after the chunk with the usage")
        usage = chunk.usage
        if isinstance(usage, _Counts):
            self._counted = True
            if chunk.choices:
                self._object("the chunk with the usage has choices", "an empty list of choices beside the usage")
            if usage.prompt_tokens + usage.completion_tokens != usage.total_tokens:
                self._object(
                    "the sum of the usage is wrong", f"total_tokens {usage.prompt_tokens + usage.completion_tokens}"
                )
        elif not chunk.choices:
            self._object("a chunk without usage has no choices", "choices, or the usage")

    def _check_choice(self, choice: _Choice) -> None:
        delta = choice.delta
        seen = self._choices.get(choice.index)
        if seen is None:
            seen = self._choices[choice.index] = _Progress()
            if delta.role != "assistant":
                self._object(
                    f"choice {choice.index} begins without its role",
                    "the role assistant in the first chunk of a choice",
                )
        elif delta.role is not None:
            self._object(f"choice {choice.index} has its role again", "the role in the first chunk of a choice only")
        if seen.reason is not None:
            self._object(
                f"choice {choice.index} goes on after its finish_reason", "nothing of a choice after its finish_reason"
            )
        for call in delta.tool_calls or ():
            self._check_call(call, seen)
        if choice.finish_reason is not None:
            self._check_reason(choice.finish_reason, delta, seen)
            seen.reason = choice.finish_reason

    def _check_call(self, call: _ToolCall, seen: _Progress) -> None:
        piece = call.function or call.custom
        name = piece.name if piece is not None else None
        if call.index == len(seen.calls):
            if not call.id or call.type not in {"function", "custom"} or not name:
                self._object(
                    f"tool call {call.index} begins without id, type or name",
                    "id, type function or custom, and name in the first piece of a call",
                )
            elif any(call.id == other.id for other in seen.calls):
                self._object(
                    f"tool call {call.index} has the id of another", "an id that no other call of the choice has"
                )
            seen.calls.append(_Call(call.id or "", kind=call.type))
        elif not 0 <= call.index < len(seen.calls):
            self._object(
                f"tool call {call.index} comes after {len(seen.calls)} others", f"an index from 0 to {len(seen.calls)}"
            )
            return
        elif call.id or name:
            self._object(
                f"tool call {call.index} has its id or name again", "id and name in the first piece of a call only"
            )
        if piece is not None and (seen.calls[call.index].kind == "custom") != (call.custom is not None):
            self._object(
                f"tool call {call.index} is not of the kind that it began as", "pieces of one kind, function or custom"
            )
        if call.function is not None:
            seen.calls[call.index].arguments += call.function.arguments or ""

    def _check_reason(self, reason: str, delta: _Delta, seen: _Progress) -> None:
        if reason not in _REASONS:
            self._object(f"finish_reason is {reason!r}", f"one of {', '.join(sorted(_REASONS))}")
        if delta.content or delta.tool_calls or delta.reasoning_content or delta.refusal:
            self._object("the chunk with the finish_reason has content", "the finish_reason in a chunk of its own")
        if reason not in _CUT_OFF and bool(seen.calls) != (reason == "tool_calls"):
            self._object(
                f"finish_reason is {reason!r} with {len(seen.calls)} tool calls",
                "tool_calls if there are tool calls, and only then",
            )
        if reason == "tool_calls":
            for index, call in enumerate(seen.calls):
                if call.kind == "function" and not is_json_object(call.arguments):
                    self._object(
                        f"the arguments of tool call {index} are not a JSON object", "pieces that make up a JSON object"
                    )
