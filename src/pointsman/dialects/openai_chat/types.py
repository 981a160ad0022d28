"""OpenAI Chat Completions on the wire, with the additions in common use.

Source: https://platform.openai.com/docs/api-reference/chat. Additions: ``reasoning_content`` (DeepSeek, vLLM,
LiteLLM), ``reasoning`` (OpenRouter, Ollama), ``thinking_blocks`` and ``thinking`` (LiteLLM), ``images`` of an answer
(OpenRouter, LiteLLM), ``cache_control`` in Anthropic's form on whatever can end a prefix (OpenRouter, LiteLLM),
``top_k`` and ``min_p`` (vLLM, llama.cpp). Null is taken for "not said" throughout, since SDKs send it for every unset
field.

A raw field that may be missing is typed ``Raw | UnsetType``: msgspec cannot decode ``Raw | None``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from pointsman.dialects.openai_fields import CHOICES_MAX
from pointsman.dialects.openai_usage import WireUsage

__all__ = [
    "AllowedTools",
    "AssistantMessage",
    "AudioFields",
    "AudioPart",
    "ChatRequest",
    "Chunk",
    "ChunkChoice",
    "ContentPiece",
    "CustomCall",
    "CustomDelta",
    "CustomFields",
    "CustomFormat",
    "CustomGrammar",
    "CustomName",
    "DeveloperMessage",
    "Effort",
    "FileFields",
    "FilePart",
    "FunctionCall",
    "FunctionDefinition",
    "FunctionDelta",
    "FunctionMessage",
    "FunctionName",
    "ImageFields",
    "ImagePart",
    "InputAudio",
    "JsonSchema",
    "Logprobs",
    "MessageDelta",
    "NamedChoice",
    "RawField",
    "ReasoningFields",
    "RefusalPart",
    "ResponseFormatFields",
    "StreamOptions",
    "SystemMessage",
    "TextPart",
    "ThinkingBlock",
    "ThinkingFields",
    "ToolCallDelta",
    "ToolCallFields",
    "ToolFields",
    "ToolMessage",
    "UserMessage",
    "UserPart",
    "VideoFields",
    "VideoPart",
    "WireMessage",
]

_UNSET: Final = msgspec.UNSET
RawField = msgspec.Raw | msgspec.UnsetType

# ── What messages are made of ────────────────────────────────────────────────────────────────────────────────────


class TextPart(msgspec.Struct, tag_field="type", tag="text", omit_defaults=True):
    """Text."""

    text: str
    cache_control: RawField = _UNSET


class ImageFields(msgspec.Struct, omit_defaults=True):
    """``url`` is http(s) or a ``data:`` URL."""

    url: str
    detail: str | None = None


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url", omit_defaults=True):
    """An image; some clients give the URL itself instead of an object."""

    image_url: ImageFields | str
    cache_control: RawField = _UNSET


class InputAudio(msgspec.Struct):
    """Base64 ``data``."""

    data: str
    format: str


class AudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    """A sound."""

    input_audio: InputAudio


class FileFields(msgspec.Struct, omit_defaults=True):
    """``file_data`` is a ``data:`` URL, or bare base64."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None
    format: str | None = None


class FilePart(msgspec.Struct, tag_field="type", tag="file", omit_defaults=True):
    """A document."""

    file: FileFields
    cache_control: RawField = _UNSET


class VideoFields(msgspec.Struct):
    """``url`` is http(s) or a ``data:`` URL."""

    url: str


class VideoPart(msgspec.Struct, tag_field="type", tag="video_url"):
    """A film, as vLLM, OpenRouter and LiteLLM have it."""

    video_url: VideoFields | str


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    """The model's words when it declined."""

    refusal: str


class FunctionCall(msgspec.Struct):
    """``arguments`` is JSON text."""

    name: str
    arguments: str = ""


class CustomCall(msgspec.Struct):
    """``input`` is any text."""

    name: str
    input: str = ""


class ToolCallFields(msgspec.Struct, omit_defaults=True):
    """A tool call of an assistant message: of a function, or of a custom tool."""

    id: str
    type: str | msgspec.UnsetType = _UNSET
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    cache_control: RawField = _UNSET


class ThinkingBlock(msgspec.Struct, omit_defaults=True):
    """Reasoning text with its signature, or ``redacted_thinking`` with ``data``, as LiteLLM passes it.

    ``index`` is for streams, where OpenAI's SDK puts lists together by it.
    """

    type: Annotated[str, msgspec.Meta(max_length=32)] | msgspec.UnsetType = _UNSET
    index: int | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


UserPart = TextPart | ImagePart | AudioPart | FilePart | VideoPart
_UserParts = Annotated[list[UserPart], msgspec.Meta(min_length=1)]


class SystemMessage(msgspec.Struct, tag_field="role", tag="system", omit_defaults=True):
    """What the operator of the conversation says."""

    content: str | list[TextPart]
    name: str | None = None
    cache_control: RawField = _UNSET


class DeveloperMessage(msgspec.Struct, tag_field="role", tag="developer", omit_defaults=True):
    """The same, since OpenAI's reasoning models."""

    content: str | list[TextPart]
    name: str | None = None
    cache_control: RawField = _UNSET


class UserMessage(msgspec.Struct, tag_field="role", tag="user", omit_defaults=True):
    """What the user says."""

    content: str | _UserParts
    name: str | None = None
    cache_control: RawField = _UNSET


class AudioFields(msgspec.Struct, omit_defaults=True):
    """An answer in sound, or a piece of one: base64 ``data``, what is said in it, and the ``id`` to name it by later.

    ``expires_at`` is when the provider forgets it, in seconds since the epoch.
    """

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: float | None = None


class AssistantMessage(msgspec.Struct, tag_field="role", tag="assistant", omit_defaults=True):
    """What the model said."""

    content: str | list[TextPart | RefusalPart] | msgspec.UnsetType | None = _UNSET
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallFields] | None = None
    function_call: FunctionCall | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    images: list[ImagePart] | None = None
    audio: AudioFields | None = None
    cache_control: RawField = _UNSET


class ToolMessage(msgspec.Struct, tag_field="role", tag="tool", omit_defaults=True):
    """What a tool answered."""

    tool_call_id: str
    content: str | list[TextPart | ImagePart] | None
    name: str | None = None
    cache_control: RawField = _UNSET


class FunctionMessage(msgspec.Struct, tag_field="role", tag="function", omit_defaults=True):
    """The same, before there were tools."""

    name: str
    content: str | None


WireMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage

# ── What a request asks for ──────────────────────────────────────────────────────────────────────────────────────


class FunctionDefinition(msgspec.Struct, omit_defaults=True):
    """``parameters`` is a JSON Schema."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    description: str | None = None
    parameters: RawField = _UNSET
    strict: bool | None = None
    cache_control: RawField = _UNSET


class CustomFormat(msgspec.Struct):
    """``grammar`` goes with a ``format`` of that type."""

    grammar: CustomGrammar | None = None


class CustomGrammar(msgspec.Struct):
    """What the input of a custom tool must be like."""

    syntax: str = ""
    definition: str = ""


class CustomFields(msgspec.Struct):
    """A custom tool, which takes free text."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    description: str | None = None
    format: CustomFormat | None = None


class ToolFields(msgspec.Struct, omit_defaults=True):
    """A function, a custom tool, or one of a provider's own, which has other fields beside these."""

    type: str | msgspec.UnsetType = _UNSET
    function: FunctionDefinition | None = None
    custom: CustomFields | None = None
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    description: str | None = None
    input_schema: RawField = _UNSET
    cache_control: RawField = _UNSET


class FunctionName(msgspec.Struct):
    """Names a function."""

    name: str


class CustomName(msgspec.Struct):
    """Names a custom tool."""

    name: str


class AllowedTools(msgspec.Struct):
    """A choice among some of the tools."""

    mode: Literal["auto", "required"]
    tools: list[NamedChoice]


class NamedChoice(msgspec.Struct, omit_defaults=True):
    """``tool_choice`` as an object: of type ``function``, ``custom`` or ``allowed_tools``."""

    type: Literal["function", "custom", "allowed_tools"] | msgspec.UnsetType = _UNSET
    function: FunctionName | None = None
    custom: CustomName | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(msgspec.Struct, omit_defaults=True):
    """A named JSON Schema."""

    name: str | None = None
    schema: RawField = _UNSET
    strict: bool | None = None
    description: str | None = None


class ResponseFormatFields(msgspec.Struct, omit_defaults=True):
    """``response_format``."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra", "default"]


class ReasoningFields(msgspec.Struct, omit_defaults=True):
    """OpenRouter's ``reasoning`` object; OpenAI's and LiteLLM's have ``effort`` alone."""

    effort: Effort | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    enabled: bool | None = None


class ThinkingFields(msgspec.Struct, omit_defaults=True):
    """Anthropic's ``thinking`` object, which LiteLLM accepts here too."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None


class StreamOptions(msgspec.Struct, omit_defaults=True):
    """``include_usage`` asks for a last chunk with the counts."""

    include_usage: bool | None = None


_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Bias = Annotated[float, msgspec.Meta(ge=-100, le=100)]
_Limit = Annotated[int, msgspec.Meta(ge=-1)]


class ChatRequest(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The body of a request. Ranges are OpenAI's; -1 as a limit means none."""

    model: str | None = None
    messages: Annotated[list[WireMessage], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: _Share | None = None
    top_k: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    min_p: _Share | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, _Bias] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: list[FunctionDefinition] | None = None
    function_call: Literal["none", "auto"] | FunctionName | None = None
    response_format: ResponseFormatFields | None = None
    reasoning_effort: Effort | ReasoningFields | None = None
    reasoning: ReasoningFields | None = None
    thinking: ThinkingFields | None = None
    user: str | None = None


# ── What an answer, whole or in pieces, consists of ──────────────────────────────────────────────────────────────


class FunctionDelta(msgspec.Struct):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class CustomDelta(msgspec.Struct):
    """A piece of a custom tool's call."""

    name: str | None = None
    input: str | None = None


class ToolCallDelta(msgspec.Struct):
    """A piece of a tool call; in a whole answer, all of it and without ``index``."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None
    custom: CustomDelta | None = None


class ContentPiece(msgspec.Struct):
    """A piece of an answer's content, for servers that give a list of them (Mistral, with the model's thoughts)."""

    type: str = ""
    text: str | None = None
    thinking: list[ContentPiece] | str | None = None
    signature: str | None = None


class MessageDelta(msgspec.Struct):
    """``delta`` of a chunk, or ``message`` of a whole answer."""

    content: str | list[ContentPiece] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionDelta | None = None
    annotations: RawField = _UNSET
    images: RawField = _UNSET
    audio: AudioFields | None = None


class Logprobs(msgspec.Struct):
    """``content`` is a list with one object per token."""

    content: list[msgspec.Raw] | None = None


class ChunkChoice(msgspec.Struct):
    """One choice of a chunk (``delta``) or of a whole answer (``message``).

    ``stop_reason`` (vLLM) and ``matched_stop`` (SGLang) are the stop sequence that was met, or the number of a token.
    """

    index: int = 0
    delta: MessageDelta | None = None
    message: MessageDelta | None = None
    finish_reason: str | None = None
    stop_reason: object = None
    matched_stop: object = None
    logprobs: Logprobs | None = None


class Chunk(msgspec.Struct):
    """A chunk of a stream, or a whole answer."""

    id: str | None = None
    created: float | None = None
    model: str | None = None
    choices: list[ChunkChoice] | None = None
    citations: RawField = _UNSET
    search_results: RawField = _UNSET
    usage: WireUsage | None = None
    error: RawField = _UNSET
