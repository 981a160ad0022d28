"""OpenAI Responses on the wire: what answers and their streams are read as.

Source: https://platform.openai.com/docs/api-reference/responses (object, streaming). Null is taken for "not said"
throughout, and a raw field that may be missing is typed as in :mod:`.types`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.dialects.openai_responses.types import RawField, ReasoningText

__all__ = [
    "AnnotationAdded",
    "ArgumentsDelta",
    "CodeDelta",
    "CodeDone",
    "Completed",
    "Created",
    "Ended",
    "ErrorEvent",
    "Failed",
    "Failure",
    "InProgress",
    "Incomplete",
    "IncompleteDetails",
    "InputDelta",
    "InputDetails",
    "ItemAdded",
    "ItemDone",
    "OutputDetails",
    "OutputItemFields",
    "OutputPartFields",
    "ReasoningDelta",
    "RefusalDelta",
    "StreamHead",
    "StreamedEvent",
    "SummaryDelta",
    "SummaryPartAdded",
    "TextDelta",
    "WireResponse",
    "WireUsage",
]

_UNSET: Final = msgspec.UNSET

# ── Whole answers ────────────────────────────────────────────────────────────────────────────────────────────────


class InputDetails(msgspec.Struct):
    """``input_tokens_details``."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    """``output_tokens_details``."""

    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct):
    """``usage``. Everything may be null or missing in what other servers send."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class OutputPartFields(msgspec.Struct):
    """A part of an item of the output, of any kind."""

    text: str | None = None
    refusal: str | None = None
    logprobs: RawField = _UNSET
    annotations: RawField = _UNSET


class OutputItemFields(msgspec.Struct):
    """An item of the output, of any of the kinds that we know."""

    type: str
    id: str | None = None
    content: list[OutputPartFields] | None = None
    summary: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None


class Failure(msgspec.Struct):
    """``error`` of a response."""

    code: str | None = None
    message: str | None = None


class IncompleteDetails(msgspec.Struct):
    """Why an answer is not whole."""

    reason: str | None = None


class WireResponse(msgspec.Struct):
    """An upstream's response object, whole or under way."""

    id: str | None = None
    created_at: float | None = None
    model: str | None = None
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    usage: WireUsage | None = None
    error: RawField = _UNSET
    incomplete_details: IncompleteDetails | None = None


# ── Streams ──────────────────────────────────────────────────────────────────────────────────────────────────────


class StreamHead(msgspec.Struct):
    """What tells the events of a stream apart."""

    type: str | None = None
    error: RawField = _UNSET


class Created(msgspec.Struct, tag_field="type", tag="response.created"):
    """The answer begins."""

    response: WireResponse


class InProgress(msgspec.Struct, tag_field="type", tag="response.in_progress"):
    """The same, for servers that leave out the event before."""

    response: WireResponse


class ItemAdded(msgspec.Struct, tag_field="type", tag="response.output_item.added"):
    """An item begins."""

    item: msgspec.Raw
    output_index: int


class ItemDone(msgspec.Struct, tag_field="type", tag="response.output_item.done"):
    """An item is complete."""

    item: msgspec.Raw
    output_index: int


class TextDelta(msgspec.Struct, tag_field="type", tag="response.output_text.delta"):
    """More text."""

    delta: str
    output_index: int = 0
    logprobs: RawField = _UNSET


class AnnotationAdded(msgspec.Struct, tag_field="type", tag="response.output_text.annotation.added"):
    """A source of the text."""

    annotation: msgspec.Raw
    output_index: int = 0


class RefusalDelta(msgspec.Struct, tag_field="type", tag="response.refusal.delta"):
    """More of the words with which the model declines."""

    delta: str
    output_index: int = 0


class SummaryPartAdded(msgspec.Struct, tag_field="type", tag="response.reasoning_summary_part.added"):
    """A part of a summary begins."""

    output_index: int = 0
    summary_index: int = 0


class SummaryDelta(msgspec.Struct, tag_field="type", tag="response.reasoning_summary_text.delta"):
    """More of a summary of the reasoning."""

    delta: str
    output_index: int = 0


class ReasoningDelta(msgspec.Struct, tag_field="type", tag="response.reasoning_text.delta"):
    """More of the reasoning itself, from models that show it."""

    delta: str
    output_index: int = 0


class ArgumentsDelta(msgspec.Struct, tag_field="type", tag="response.function_call_arguments.delta"):
    """More of a function call's arguments."""

    delta: str
    output_index: int = 0


class InputDelta(msgspec.Struct, tag_field="type", tag="response.custom_tool_call_input.delta"):
    """More of a custom tool call's input."""

    delta: str
    output_index: int = 0


class CodeDelta(msgspec.Struct, tag_field="type", tag="response.code_interpreter_call_code.delta"):
    """More of the code that is to be run."""

    delta: str
    output_index: int = 0


class CodeDone(msgspec.Struct, tag_field="type", tag="response.code_interpreter_call_code.done"):
    """That was all of it."""

    output_index: int = 0


class Completed(msgspec.Struct, tag_field="type", tag="response.completed"):
    """The answer is whole."""

    response: WireResponse


class Incomplete(msgspec.Struct, tag_field="type", tag="response.incomplete"):
    """The answer was cut off by a limit or a filter."""

    response: WireResponse


class Failed(msgspec.Struct, tag_field="type", tag="response.failed"):
    """The upstream failed."""

    response: WireResponse


class ErrorEvent(msgspec.Struct, tag_field="type", tag="error"):
    """The upstream failed outside of an answer; its fields stand here, or in an object below ``error``."""

    code: str | int | None = None
    message: str | None = None
    error: RawField = _UNSET


Ended = Completed | Incomplete | Failed
StreamedEvent = (
    Created
    | InProgress
    | ItemAdded
    | ItemDone
    | TextDelta
    | AnnotationAdded
    | RefusalDelta
    | SummaryPartAdded
    | SummaryDelta
    | ReasoningDelta
    | ArgumentsDelta
    | InputDelta
    | CodeDelta
    | CodeDone
    | Completed
    | Incomplete
    | Failed
    | ErrorEvent
)
