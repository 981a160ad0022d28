"""Converse and ConverseStream on the wire.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and …_ConverseStream.html.
Blobs are base64. A union is an object of which one field is set. Null is taken for "not said" throughout.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "AnswerMessage",
    "BlockDelta",
    "BlockStart",
    "BytesSource",
    "CachePoint",
    "CitationsContent",
    "ContentBlock",
    "ContentBlockDelta",
    "ContentBlockStart",
    "ContentBlockStop",
    "ConverseOutput",
    "ConverseReply",
    "ConverseRequest",
    "DocumentFields",
    "ExceptionFrame",
    "ImageFields",
    "InferenceConfig",
    "MessageStart",
    "MessageStop",
    "Metadata",
    "Metrics",
    "NamedTool",
    "OutputConfig",
    "ReasoningContent",
    "ReasoningText",
    "SchemaFields",
    "SchemaStructure",
    "StreamFrame",
    "TextFormat",
    "ToolChoiceFields",
    "ToolConfig",
    "ToolEntry",
    "ToolInputSchema",
    "ToolResultFields",
    "ToolSpec",
    "ToolUseDelta",
    "ToolUseFields",
    "TurnFields",
    "WireUsage",
]


class _Wire(msgspec.Struct, rename="camel", omit_defaults=True):
    pass


# ── What messages are made of ────────────────────────────────────────────────────────────────────────────────────────


class BytesSource(_Wire):
    """``bytes`` as base64."""

    bytes: str


class ImageFields(_Wire):
    """``format`` is ``png``, ``jpeg``, ``gif`` or ``webp``."""

    format: str
    source: BytesSource


class DocumentFields(_Wire):
    """``format`` is ``pdf``, ``txt`` and the like; ``name`` is shown to the model, once in a request."""

    format: str
    name: str
    source: BytesSource


class CachePoint(_Wire):
    """The end of a prefix that shall be cached, for ``5m`` or ``1h``."""

    type: Literal["default"]
    ttl: str | None = None


class ToolUseFields(_Wire):
    """The model calls a tool."""

    tool_use_id: str = ""
    name: str = ""
    input: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ToolResultFields(_Wire):
    """The answer of a tool; ``status`` is ``error`` where it failed. An empty list of content is sent, too."""

    tool_use_id: str
    content: list[ContentBlock] | msgspec.UnsetType = msgspec.UNSET
    status: str | None = None


class ReasoningText(_Wire):
    """Reasoning, and the signature with which it comes back."""

    text: str | msgspec.UnsetType = msgspec.UNSET
    signature: str | None = None


class ReasoningContent(_Wire):
    """Reasoning; ``redacted_content`` cannot be read, ``text`` and ``signature`` are pieces of a stream."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None
    text: str | None = None
    signature: str | None = None


class CitationsContent(_Wire):
    """Text with what it rests on."""

    content: list[ContentBlock] | None = None
    citations: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ContentBlock(_Wire):
    """A union. An empty text is sent, too: it may be all that a tool said."""

    text: str | msgspec.UnsetType | None = msgspec.UNSET
    image: ImageFields | None = None
    document: DocumentFields | None = None
    tool_use: ToolUseFields | None = None
    tool_result: ToolResultFields | None = None
    reasoning_content: ReasoningContent | None = None
    citations_content: CitationsContent | None = None
    cache_point: CachePoint | None = None


class TurnFields(_Wire):
    """A message; ``role`` is ``user`` or ``assistant``."""

    role: str
    content: list[ContentBlock]


# ── The request ──────────────────────────────────────────────────────────────────────────────────────────────────────


class InferenceConfig(_Wire):
    """The knobs that all models share."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] | None = None


class ToolInputSchema(_Wire):
    """A JSON Schema."""

    json: msgspec.Raw


class ToolSpec(_Wire):
    """A function."""

    name: str
    input_schema: ToolInputSchema
    description: str | None = None
    strict: bool | None = None


class ToolEntry(_Wire):
    """A union."""

    tool_spec: ToolSpec | None = None
    cache_point: CachePoint | None = None


class NamedTool(_Wire):
    """The tool to be called."""

    name: str


class ToolChoiceFields(_Wire):
    """A union, of which ``auto`` and ``any`` are empty objects."""

    auto: dict[str, str] | None = None
    any: dict[str, str] | None = None
    tool: NamedTool | None = None


class ToolConfig(_Wire):
    """The tools, at least one."""

    tools: list[ToolEntry]
    tool_choice: ToolChoiceFields | None = None


class SchemaFields(_Wire):
    """``schema`` is JSON as text."""

    schema: str
    name: str | None = None


class SchemaStructure(_Wire):
    """A union of one."""

    json_schema: SchemaFields


class TextFormat(_Wire):
    """``type`` is ``json_schema``."""

    type: str
    structure: SchemaStructure


class OutputConfig(_Wire):
    """The shape of the answer."""

    text_format: TextFormat


class ConverseRequest(_Wire):
    """The body of both operations; what is left out here is passed on as it is."""

    messages: list[TurnFields]
    system: list[ContentBlock] | None = None
    inference_config: InferenceConfig | None = None
    tool_config: ToolConfig | None = None
    output_config: OutputConfig | msgspec.Raw | None = None
    additional_model_request_fields: dict[str, object] | None = None
    additional_model_response_field_paths: list[str] | msgspec.Raw | None = None


# ── The answer ───────────────────────────────────────────────────────────────────────────────────────────────────────


class WireUsage(_Wire):
    """What was counted. ``input_tokens`` does not include what was cached."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class Metrics(_Wire):
    """How long the model took, in milliseconds."""

    latency_ms: float | None = None


class AnswerMessage(_Wire):
    """The model's message."""

    content: list[ContentBlock] | None = None


class ConverseOutput(_Wire):
    """A union of one."""

    message: AnswerMessage | None = None


class ConverseReply(_Wire):
    """A whole answer."""

    output: ConverseOutput | None = None
    stop_reason: str | None = None
    usage: WireUsage | None = None
    metrics: Metrics | None = None
    additional_model_response_fields: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


# ── The events of a stream ───────────────────────────────────────────────────────────────────────────────────────────


class MessageStart(_Wire):
    """The answer begins."""

    role: str | None = None


class BlockStart(_Wire):
    """A union; only a tool call says anything at its beginning."""

    tool_use: ToolUseFields | None = None


class ContentBlockStart(_Wire):
    """A block begins; blocks of text mostly do without."""

    content_block_index: int = 0
    start: BlockStart | None = None


class ToolUseDelta(_Wire):
    """More of the JSON text of a tool's input."""

    input: str | None = None


class BlockDelta(_Wire):
    """A union."""

    text: str | None = None
    tool_use: ToolUseDelta | None = None
    reasoning_content: ReasoningContent | None = None
    citation: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ContentBlockDelta(_Wire):
    """More of a block."""

    content_block_index: int = 0
    delta: BlockDelta | None = None


class ContentBlockStop(_Wire):
    """A block is complete."""

    content_block_index: int = 0


class MessageStop(_Wire):
    """The answer is complete."""

    stop_reason: str | None = None
    additional_model_response_fields: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Metadata(_Wire):
    """What the answer cost, behind everything else."""

    usage: WireUsage | None = None
    metrics: Metrics | None = None


class ExceptionFrame(_Wire):
    """A failure in the middle: its name (``throttlingException``) and what it says."""

    type: str
    detail: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class StreamFrame(_Wire):
    """One event under its name, as :mod:`.frames` puts it."""

    message_start: MessageStart | None = None
    content_block_start: ContentBlockStart | None = None
    content_block_delta: ContentBlockDelta | None = None
    content_block_stop: ContentBlockStop | None = None
    message_stop: MessageStop | None = None
    metadata: Metadata | None = None
    exception: ExceptionFrame | None = None
