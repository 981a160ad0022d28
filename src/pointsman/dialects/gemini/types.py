"""The Gemini API on the wire.

Source: https://ai.google.dev/api/generate-content, https://ai.google.dev/api/caching (``Content``, ``Part``, ``Tool``),
https://ai.google.dev/api/embeddings, https://ai.google.dev/api/tokens. Names are in camel case here; the same in snake
case are read too (:mod:`.names`). Null is taken for "not said" throughout.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "Blob",
    "Candidate",
    "Chunk",
    "CodeExecutionResult",
    "Content",
    "CountBody",
    "EmbedBody",
    "Embedding",
    "EmbeddingsBody",
    "ExecutableCode",
    "FileData",
    "FunctionCall",
    "FunctionCallingConfig",
    "FunctionDeclaration",
    "FunctionResponse",
    "GeminiTarget",
    "GenerateBody",
    "GenerationConfig",
    "LogprobsCandidate",
    "LogprobsResult",
    "ModalityCount",
    "Part",
    "PromptFeedback",
    "RawField",
    "ThinkingConfig",
    "ToolConfig",
    "TopCandidates",
    "UsageMetadata",
]

_UNSET: Final = msgspec.UNSET
RawField = msgspec.Raw | msgspec.UnsetType
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None
_Choices = Annotated[int, msgspec.Meta(ge=1, le=128)] | None


class GeminiTarget(msgspec.Struct, frozen=True):
    """What the gateway decides for a request, rather than its client.

    Attributes:
        model: Gemini's name for the model, without ``models/``.
        thinks_in_levels: Whether it is told how hard to think by a word (Gemini 3 and later) or by a budget of tokens;
            None: judged by its name.
        json_schemas: Whether schemas go as JSON Schema, untouched, instead of in Gemini's subset of OpenAPI's.
        call_ids: Whether tool calls and results are sent with their ids.
        sign_missing: Whether a tool call whose signature was lost on the way gets the placeholder that Google documents
            for it. Gemini 3 and later refuse such a call without.
    """

    model: str
    thinks_in_levels: bool | None = None
    json_schemas: bool = False
    call_ids: bool = True
    sign_missing: bool = True


# ── What messages are made of ────────────────────────────────────────────────────────────────────────────────────


class Blob(msgspec.Struct, rename="camel", omit_defaults=True):
    """``data`` is base64."""

    mime_type: str = ""
    data: str = ""


class FileData(msgspec.Struct, rename="camel", omit_defaults=True):
    """``file_uri`` is that of an upload, a bucket's object or a video."""

    file_uri: str = ""
    mime_type: str | None = None


class FunctionCall(msgspec.Struct, rename="camel", omit_defaults=True):
    """``args`` is an object."""

    name: str
    args: RawField = _UNSET
    id: str | None = None


class FunctionResponse(msgspec.Struct, rename="camel", omit_defaults=True):
    """``response`` is an object; ``output`` and ``error`` are its usual keys. ``parts`` are media."""

    name: str
    response: RawField = _UNSET
    id: str | None = None
    parts: list[Part] | None = None


class ExecutableCode(msgspec.Struct, rename="camel"):
    """Code that the model wrote and ran on Google's side."""

    code: str = ""
    language: str | None = None


class CodeExecutionResult(msgspec.Struct, rename="camel"):
    """What that code gave."""

    output: str | None = None
    outcome: str | None = None


class Part(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One of the fields below; ``thought`` marks reasoning, ``thought_signature`` may stand on any part."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None


class Content(msgspec.Struct, rename="camel", omit_defaults=True):
    """A turn: ``user`` or ``model``; tool results come from ``user``, or ``function`` in old clients."""

    parts: list[Part] | None = None
    role: str | None = None


# ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────


class FunctionDeclaration(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """``parameters`` is in Gemini's own form of a schema, ``parameters_json_schema`` in JSON Schema."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    description: str | None = None
    parameters: RawField = _UNSET
    parameters_json_schema: RawField = _UNSET


class FunctionCallingConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """Whether functions may, must or must not be called."""

    mode: Literal["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"] | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """What goes with the tools."""

    function_calling_config: FunctionCallingConfig | None = None


class ThinkingConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """A budget of 0 is off, of -1 is the model's choice."""

    include_thoughts: bool | None = None
    thinking_budget: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    thinking_level: str | None = None


_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)] | None


class GenerationConfig(msgspec.Struct, rename="camel", kw_only=True):
    """The fields that the common vocabulary knows."""

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_k: Annotated[float, msgspec.Meta(ge=0)] | None = None
    seed: int | None = None
    stop_sequences: list[str] | None = None
    presence_penalty: _Penalty = None
    frequency_penalty: _Penalty = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    candidate_count: _Choices = None
    response_logprobs: bool | None = None
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    response_mime_type: str | None = None
    response_schema: RawField = _UNSET
    response_json_schema: RawField = _UNSET
    thinking_config: ThinkingConfig | None = None


class GenerateBody(msgspec.Struct, rename="camel", kw_only=True):
    """The body for ``generateContent`` and ``streamGenerateContent``. A tool is a set of functions, or a native one."""

    contents: list[Content] | Content | None = None
    system_instruction: Content | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None


class CountBody(msgspec.Struct, rename="camel", kw_only=True):
    """The body for ``countTokens``: contents, or a whole request."""

    contents: RawField = _UNSET
    generate_content_request: RawField = _UNSET


class EmbedBody(msgspec.Struct, rename="camel", kw_only=True):
    """The body for ``embedContent``, and one of the requests of ``batchEmbedContents``."""

    content: Content
    model: str | None = None
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: Annotated[int, msgspec.Meta(ge=1)] | None = None


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


class LogprobsCandidate(msgspec.Struct, rename="camel"):
    """A token; what is zero or empty is left out."""

    token: str = ""
    log_probability: float = 0.0


class TopCandidates(msgspec.Struct, rename="camel"):
    """The likeliest tokens at one place."""

    candidates: list[LogprobsCandidate] = []


class LogprobsResult(msgspec.Struct, rename="camel"):
    """The tokens chosen, and the likeliest ones at each place."""

    chosen_candidates: list[LogprobsCandidate] = []
    top_candidates: list[TopCandidates] = []


class Candidate(msgspec.Struct, rename="camel", kw_only=True):
    """One answer, or a piece of it."""

    index: int = 0
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    logprobs_result: LogprobsResult | None = None
    grounding_metadata: RawField = _UNSET
    citation_metadata: RawField = _UNSET


class PromptFeedback(msgspec.Struct, rename="camel"):
    """Why there is no candidate."""

    block_reason: str | None = None


class ModalityCount(msgspec.Struct, rename="camel"):
    """How many tokens are of a kind: ``TEXT``, ``IMAGE``, ``VIDEO``, ``AUDIO``, ``DOCUMENT``."""

    modality: str = ""
    token_count: _Count = None


class UsageMetadata(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """``candidates_token_count`` does not include the thoughts, ``prompt_token_count`` includes what was cached."""

    prompt_token_count: _Count = None
    candidates_token_count: _Count = None
    total_token_count: _Count = None
    cached_content_token_count: _Count = None
    thoughts_token_count: _Count = None
    tool_use_prompt_token_count: _Count = None
    prompt_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None


class Chunk(msgspec.Struct, rename="camel", kw_only=True):
    """An answer, or an event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: RawField = _UNSET


class Embedding(msgspec.Struct):
    """A vector."""

    values: tuple[float, ...] = ()


class EmbeddingsBody(msgspec.Struct, rename="camel"):
    """The answer of ``batchEmbedContents``, or of ``embedContent`` (``embedding``)."""

    embeddings: list[Embedding] | None = None
    embedding: Embedding | None = None
    usage_metadata: UsageMetadata | None = None
