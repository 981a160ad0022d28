"""Anthropic Messages on the wire.

Sources: https://platform.claude.com/docs/en/api/messages (requests and answers),
https://platform.claude.com/docs/en/build-with-claude/streaming (events). Null is taken for "not said" throughout.

What the middle has no word for is left out when it is read: citations (asked for, or on a text of a request),
``display`` of ``thinking``, and the hints on custom tools (``input_examples``, ``defer_loading``,
``eager_input_streaming``, ``allowed_callers``).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "AssistantMessage",
    "Base64Source",
    "ContentSource",
    "DocumentBlock",
    "Effort",
    "FileSource",
    "FormatFields",
    "ImageBlock",
    "MessagesRequest",
    "MetadataFields",
    "OutputConfig",
    "OutputDetails",
    "RawField",
    "RedactedThinkingBlock",
    "ServerResultBlock",
    "ServerUseBlock",
    "StreamEvent",
    "StreamMessage",
    "SystemMessage",
    "TextBlock",
    "TextSource",
    "ThinkingBlock",
    "ThinkingFields",
    "ToolChoiceFields",
    "ToolFields",
    "ToolResultBlock",
    "ToolUseBlock",
    "UrlSource",
    "UserMessage",
    "WireBlock",
    "WireDelta",
    "WireMessage",
    "WireUsage",
    "said",
]

_UNSET: Final = msgspec.UNSET
_NULL: Final = msgspec.Raw(b"null")
RawField = msgspec.Raw | msgspec.UnsetType


def said(raw: RawField) -> msgspec.Raw | None:
    """A raw field, or None where it is missing or null."""
    return raw if isinstance(raw, msgspec.Raw) and raw != _NULL else None


# ── What messages are made of ────────────────────────────────────────────────────────────────────────────────────────


class TextBlock(msgspec.Struct, tag_field="type", tag="text", omit_defaults=True):
    """Text."""

    text: str
    cache_control: RawField = _UNSET


class Base64Source(msgspec.Struct, tag_field="type", tag="base64"):
    """An image or a PDF itself."""

    media_type: str
    data: str


class UrlSource(msgspec.Struct, tag_field="type", tag="url"):
    """Where Anthropic shall fetch it."""

    url: str


class FileSource(msgspec.Struct, tag_field="type", tag="file"):
    """An earlier upload."""

    file_id: str


class TextSource(msgspec.Struct, tag_field="type", tag="text"):
    """A document of plain text."""

    media_type: str
    data: str


class ImageBlock(msgspec.Struct, tag_field="type", tag="image", omit_defaults=True):
    """An image."""

    source: Base64Source | UrlSource | FileSource
    cache_control: RawField = _UNSET


class ContentSource(msgspec.Struct, tag_field="type", tag="content"):
    """A document made of blocks."""

    content: str | list[TextBlock | ImageBlock]


class DocumentBlock(msgspec.Struct, tag_field="type", tag="document", omit_defaults=True):
    """A document; ``context`` is told to the model beside it."""

    source: Base64Source | UrlSource | FileSource | TextSource | ContentSource
    title: str | None = None
    context: str | None = None
    cache_control: RawField = _UNSET


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use", omit_defaults=True):
    """The model calls a tool; ``input`` is a JSON object."""

    id: str
    name: str
    input: msgspec.Raw
    cache_control: RawField = _UNSET


class ToolResultBlock(msgspec.Struct, tag_field="type", tag="tool_result", omit_defaults=True):
    """What the tool answered."""

    tool_use_id: str
    content: str | list[TextBlock | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None
    cache_control: RawField = _UNSET


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    """Reasoning, to come back unchanged."""

    thinking: str
    signature: str = ""


class RedactedThinkingBlock(msgspec.Struct, tag_field="type", tag="redacted_thinking"):
    """Reasoning that Anthropic keeps to itself."""

    data: str


class _ServerToolUseBlock(msgspec.Struct, tag_field="type", tag="server_tool_use", omit_defaults=True):
    """Anthropic runs a tool of its own; ``input`` is a JSON object."""

    id: str
    name: str
    input: msgspec.Raw
    caller: RawField = _UNSET
    cache_control: RawField = _UNSET


class _McpToolUseBlock(msgspec.Struct, tag_field="type", tag="mcp_tool_use", omit_defaults=True):
    """Anthropic calls a tool of an MCP server."""

    id: str
    name: str
    input: msgspec.Raw
    server_name: str = ""
    cache_control: RawField = _UNSET


class _ServerResult(msgspec.Struct, tag_field="type", omit_defaults=True):
    tool_use_id: str
    content: RawField = _UNSET
    is_error: bool | None = None
    caller: RawField = _UNSET
    cache_control: RawField = _UNSET


class _SearchResultBlock(_ServerResult, tag="web_search_tool_result"):
    """What a search of the web found."""


class _FetchResultBlock(_ServerResult, tag="web_fetch_tool_result"):
    """A page of the web."""


class _CodeResultBlock(_ServerResult, tag="code_execution_tool_result"):
    """What code gave."""


class _BashResultBlock(_ServerResult, tag="bash_code_execution_tool_result"):
    """What a command gave."""


class _EditorResultBlock(_ServerResult, tag="text_editor_code_execution_tool_result"):
    """What became of a file."""


class _ToolSearchResultBlock(_ServerResult, tag="tool_search_tool_result"):
    """Tools that were found."""


class _McpResultBlock(_ServerResult, tag="mcp_tool_result"):
    """What a tool of an MCP server answered."""


ServerResultBlock = (
    _SearchResultBlock | _FetchResultBlock | _CodeResultBlock | _BashResultBlock | _EditorResultBlock
    | _ToolSearchResultBlock | _McpResultBlock
)  # fmt: skip
ServerUseBlock = _ServerToolUseBlock | _McpToolUseBlock


class UserMessage(msgspec.Struct, tag_field="role", tag="user"):
    """What the user says, and what tools answered."""

    content: str | list[TextBlock | ImageBlock | DocumentBlock | ToolResultBlock]


class AssistantMessage(msgspec.Struct, tag_field="role", tag="assistant"):
    """What the model said."""

    content: (
        str
        | list[TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ServerUseBlock | ServerResultBlock]
    )


class SystemMessage(msgspec.Struct, tag_field="role", tag="system"):
    """What the operator of the conversation says from here on.

    Source: https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages.
    """

    content: str | list[TextBlock]


WireMessage = UserMessage | AssistantMessage | SystemMessage

# ── What a request asks for ──────────────────────────────────────────────────────────────────────────────────────────


class ToolFields(msgspec.Struct, omit_defaults=True):
    """A tool of the client's own; one of another ``type`` is Anthropic's and has fields of its own."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    type: str | None = None
    description: str | None = None
    input_schema: RawField = _UNSET
    strict: bool | None = None
    cache_control: RawField = _UNSET


class ToolChoiceFields(msgspec.Struct, omit_defaults=True):
    """``tool_choice``; ``tool`` goes with ``name``."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingFields(msgspec.Struct, omit_defaults=True):
    """``thinking``; ``enabled`` goes with ``budget_tokens``."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None


class FormatFields(msgspec.Struct):
    """The JSON Schema that the answer must follow."""

    schema: msgspec.Raw
    type: Literal["json_schema"] = "json_schema"


Effort = Literal["low", "medium", "high", "xhigh", "max"]


class OutputConfig(msgspec.Struct, omit_defaults=True):
    """``output_config``."""

    effort: Effort | None = None
    format: FormatFields | None = None


class MetadataFields(msgspec.Struct, omit_defaults=True):
    """``metadata``."""

    user_id: str | None = None


_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class MessagesRequest(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The body of a request, to answer it or to count its tokens. Ranges are Anthropic's.

    ``max_tokens`` may be missing here, since counting knows none. ``output_format`` is the older name of
    ``output_config.format``.
    """

    model: str | None = None
    messages: Annotated[list[WireMessage], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    system: str | list[TextBlock] | None = None
    stream: bool | None = None
    temperature: _Share | None = None
    top_p: _Share | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0)] | None = None
    stop_sequences: list[Annotated[str, msgspec.Meta(min_length=1)]] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: ToolChoiceFields | None = None
    thinking: ThinkingFields | None = None
    output_config: OutputConfig | None = None
    output_format: FormatFields | None = None
    metadata: MetadataFields | None = None


# ── What an answer, whole or in pieces, consists of ──────────────────────────────────────────────────────────────────


class OutputDetails(msgspec.Struct):
    """``output_tokens_details``."""

    thinking_tokens: int | None = None


class WireUsage(msgspec.Struct):
    """``usage``: ``input_tokens`` counts neither what was read from the cache nor what was written to it."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


class WireBlock(msgspec.Struct):
    """A block of an answer, of any type; in a stream, its beginning."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: RawField = _UNSET
    citations: RawField = _UNSET


class WireDelta(msgspec.Struct):
    """More of a block, or of the message itself."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: RawField = _UNSET
    stop_reason: str | None = None
    stop_sequence: str | None = None


class StreamMessage(msgspec.Struct):
    """The message as a stream begins it."""

    id: str | None = None
    model: str | None = None
    content: list[msgspec.Raw] | None = None
    usage: WireUsage | None = None


class StreamEvent(msgspec.Struct):
    """An event of a stream, of any type, or a whole answer (``message``)."""

    type: str | None = None
    index: int = 0
    message: StreamMessage | None = None
    content_block: RawField = _UNSET
    delta: WireDelta | None = None
    usage: WireUsage | None = None
    error: RawField = _UNSET
    id: str | None = None
    model: str | None = None
    content: list[msgspec.Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
