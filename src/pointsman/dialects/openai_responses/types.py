"""OpenAI Responses on the wire: what requests, and the items of which talk consists, are read as.

Source: https://platform.openai.com/docs/api-reference/responses/create. Additions: the knobs of
sampling that Chat Completions has and vLLM accepts here too; ``client_metadata`` (Codex). Null is taken for "not said"
throughout, since SDKs send it for every unset field.

Items and tools come in more types than these, so each is looked at for its ``type`` first and then decoded as one of
the types here. A raw field that may be missing is typed ``Raw | UnsetType``: msgspec cannot decode ``Raw | None``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "AllowedTool",
    "CompactionItem",
    "ContentPart",
    "ConversationFields",
    "CustomCallItem",
    "FunctionCallItem",
    "InputAudioFields",
    "InputAudioPart",
    "InputFilePart",
    "InputImagePart",
    "InputTextPart",
    "ItemHead",
    "LogprobToken",
    "MessageItem",
    "Metadata",
    "OutputTextPart",
    "RawField",
    "ReasoningFields",
    "ReasoningItem",
    "ReasoningText",
    "RefusalPart",
    "ResponsesRequest",
    "ResultItem",
    "ResultPart",
    "TextConfig",
    "TextFormat",
    "ToolChoiceFields",
    "ToolFields",
    "TopLogprob",
]

_UNSET: Final = msgspec.UNSET
RawField = msgspec.Raw | msgspec.UnsetType

# ── What items are made of ───────────────────────────────────────────────────────────────────────────────────────


class InputTextPart(msgspec.Struct, tag_field="type", tag="input_text"):
    """Text for the model."""

    text: str


class InputImagePart(msgspec.Struct, tag_field="type", tag="input_image", omit_defaults=True):
    """An image: ``image_url`` is http(s) or a ``data:`` URL."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFilePart(msgspec.Struct, tag_field="type", tag="input_file", omit_defaults=True):
    """A document; ``file_data`` is a ``data:`` URL, or bare base64."""

    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None


class InputAudioFields(msgspec.Struct):
    """Base64 ``data``."""

    data: str
    format: str


class InputAudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    """A sound."""

    input_audio: InputAudioFields


class TopLogprob(msgspec.Struct):
    """One of the likeliest tokens at some place."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class LogprobToken(msgspec.Struct):
    """A token of the answer, with the likeliest at its place."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


class OutputTextPart(msgspec.Struct, tag_field="type", tag="output_text"):
    """Text of the model. ``logprobs`` is an array with one object per token."""

    text: str
    logprobs: RawField = _UNSET


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    """The model's words when it declined."""

    refusal: str


class ReasoningText(msgspec.Struct):
    """A part of a reasoning item: ``summary_text`` or ``reasoning_text``."""

    text: str


ContentPart = InputTextPart | InputImagePart | InputFilePart | InputAudioPart | OutputTextPart | RefusalPart
ResultPart = InputTextPart | InputImagePart | InputFilePart | OutputTextPart

# ── Items ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ItemHead(msgspec.Struct):
    """What tells items apart; an item without ``type`` is a message."""

    type: str | None = None


class MessageItem(msgspec.Struct):
    """A message of any side."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[ContentPart]


class ReasoningItem(msgspec.Struct):
    """What the model thought; ``encrypted_content`` is opaque."""

    summary: list[ReasoningText] | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None


class CompactionItem(msgspec.Struct):
    """What stands for a part of a conversation; opaque to clients."""

    encrypted_content: str


_CallId = Annotated[str, msgspec.Meta(min_length=1)]


class FunctionCallItem(msgspec.Struct):
    """A call of a function; ``arguments`` is JSON text."""

    call_id: _CallId
    name: str
    arguments: str
    namespace: str | None = None


class CustomCallItem(msgspec.Struct):
    """A call of a custom tool; ``input`` is free text."""

    call_id: _CallId
    name: str
    input: str
    namespace: str | None = None


class ResultItem(msgspec.Struct):
    """What a function or a custom tool answered."""

    call_id: _CallId
    output: str | list[ResultPart]


# ── What a request asks for ──────────────────────────────────────────────────────────────────────────────────────


class ToolFields(msgspec.Struct, omit_defaults=True):
    """A tool of any type; all but functions, custom tools and namespaces (of ``tools``) belong to a provider."""

    type: str
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    description: str | None = None
    parameters: RawField = _UNSET
    strict: bool | None = None
    format: RawField = _UNSET
    tools: list[msgspec.Raw] | None = None


class AllowedTool(msgspec.Struct):
    """Names a tool by its type, and by its name where it has one."""

    type: str
    name: str | None = None


class ToolChoiceFields(msgspec.Struct):
    """``tool_choice`` as an object; ``mode`` and ``tools`` go with the type ``allowed_tools``."""

    type: str
    name: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list[AllowedTool] | None = None


class TextFormat(msgspec.Struct, omit_defaults=True):
    """``text.format``; all but ``type`` goes with ``json_schema``."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: RawField = _UNSET
    strict: bool | None = None
    description: str | None = None


class TextConfig(msgspec.Struct, omit_defaults=True):
    """``text``."""

    format: TextFormat | None = None
    verbosity: str | None = None


class ReasoningFields(msgspec.Struct, omit_defaults=True):
    """``reasoning``."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra", "default"] | None = None
    summary: str | None = None
    generate_summary: str | None = None


class ConversationFields(msgspec.Struct):
    """``conversation`` as an object."""

    id: str


_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
Metadata = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=64)], Annotated[str, msgspec.Meta(max_length=512)]],
    msgspec.Meta(max_length=16),
]
"""What clients may hang on to an object."""


class ResponsesRequest(msgspec.Struct, kw_only=True):
    """The body of a request. Ranges are OpenAI's; -1 as a limit means none."""

    model: str | None = None
    input: str | list[msgspec.Raw] | None = None
    instructions: str | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoiceFields | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningFields | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: _Share | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    min_p: _Share | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    stream: bool | None = None
    stream_options: dict[str, msgspec.Raw] | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationFields | None = None
    store: bool | None = None
    background: bool | None = None
    metadata: Metadata | None = None
    client_metadata: dict[str, msgspec.Raw] | None = None
    user: str | None = None
