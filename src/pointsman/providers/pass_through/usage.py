"""Usage in the words of whoever answers: OpenAI, Anthropic, Gemini, Bedrock, Cohere or Ollama.

Sources: https://platform.openai.com/docs/api-reference, https://docs.claude.com/en/api/messages (streams count on in
``message_delta``), https://ai.google.dev/api/generate-content#UsageMetadata, https://docs.cohere.com/reference/chat,
https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

from __future__ import annotations

import binascii
from contextlib import suppress
from typing import Annotated, Final

import msgspec

from pointsman.core.usage import NO_USAGE

__all__ = ["UsageReading"]

_COUNT_MAX: Final = 2**53
_Count = Annotated[int, msgspec.Meta(ge=0, le=_COUNT_MAX)]
_Amount = Annotated[float, msgspec.Meta(ge=0, le=_COUNT_MAX)]


class _Details(msgspec.Struct):
    cached_tokens: _Count | None = None
    audio_tokens: _Count | None = None
    reasoning_tokens: _Count | None = None


class _CohereTokens(msgspec.Struct):
    input_tokens: _Amount | None = None
    output_tokens: _Amount | None = None


class _UsageWire(msgspec.Struct):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    cache_creation_input_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    total_tokens: _Count | None = None
    bedrock_input: _Count | None = msgspec.field(default=None, name="inputTokens")
    bedrock_output: _Count | None = msgspec.field(default=None, name="outputTokens")
    bedrock_read: _Count | None = msgspec.field(default=None, name="cacheReadInputTokens")
    bedrock_written: _Count | None = msgspec.field(default=None, name="cacheWriteInputTokens")
    tokens: _CohereTokens | None = None


class _GeminiUsage(msgspec.Struct, rename="camel"):
    prompt_token_count: _Count | None = None
    candidates_token_count: _Count | None = None
    thoughts_token_count: _Count | None = None
    cached_content_token_count: _Count | None = None


class _Meta(msgspec.Struct):
    tokens: _CohereTokens | None = None


class _Bearer(msgspec.Struct):
    usage: _UsageWire | None = None


class _Whole(msgspec.Struct):
    usage: _UsageWire | None = None
    usage_metadata: _GeminiUsage | None = msgspec.field(default=None, name="usageMetadata")
    message: _Bearer | None = None
    response: _Bearer | None = None
    delta: _Bearer | None = None
    meta: _Meta | None = None
    prompt_eval_count: _Count | None = None
    eval_count: _Count | None = None
    chunk: str | None = msgspec.field(default=None, name="bytes")


_decode: Final = msgspec.json.Decoder(_Whole).decode
_MARKS: Final = (b'"bytes"', b"sage", b'"meta"', b"eval_count")


class UsageReading:
    """Takes pieces of an answer; the last word on each count holds."""

    __slots__ = ("usage",)

    def __init__(self) -> None:
        self.usage = NO_USAGE

    def take(self, data: bytes | msgspec.Raw) -> None:
        """One JSON object; what is none, or says nothing, changes nothing."""
        raw = bytes(data)
        if not any(mark in raw for mark in _MARKS):
            return
        try:
            found = _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if found.chunk is not None:
            # What a model says in its own words, in a message of Bedrock's stream.
            with suppress(ValueError):
                self.take(binascii.a2b_base64(found.chunk))
            return
        bearers = (found.message, found.response, found.delta)
        for wire in (found.usage, *(bearer.usage for bearer in bearers if bearer is not None)):
            if wire is not None:
                self._take(wire)
        if found.usage_metadata is not None:
            self._take_gemini(found.usage_metadata)
        if found.meta is not None and found.meta.tokens is not None:
            self._count(found.meta.tokens.input_tokens, found.meta.tokens.output_tokens)
        self._count(found.prompt_eval_count, found.eval_count)

    def _take(self, wire: _UsageWire) -> None:
        if wire.tokens is not None:
            self._count(wire.tokens.input_tokens, wire.tokens.output_tokens)
            return
        written = _first(wire.cache_creation_input_tokens, wire.bedrock_written)
        read = _first(wire.cache_read_input_tokens, wire.bedrock_read)
        prompt = _first(wire.prompt_tokens, wire.input_tokens, wire.bedrock_input)
        completion = _first(wire.completion_tokens, wire.output_tokens, wire.bedrock_output)
        if prompt is None and completion is None:
            prompt = wire.total_tokens
        inputs = wire.prompt_tokens_details or wire.input_tokens_details or _Details()
        outputs = wire.completion_tokens_details or wire.output_tokens_details or _Details()
        if prompt is not None and wire.prompt_tokens is None:
            prompt += (written or 0) + (read or 0)  # Anthropic and Bedrock count these apart
        self._count(prompt, completion)
        self._detail(
            cached=_first(inputs.cached_tokens, read),
            cache_write=written,
            audio_input=inputs.audio_tokens,
            audio_output=outputs.audio_tokens,
            reasoning=outputs.reasoning_tokens,
        )

    def _take_gemini(self, wire: _GeminiUsage) -> None:
        thoughts = wire.thoughts_token_count or 0
        self._count(wire.prompt_token_count, (wire.candidates_token_count or 0) + thoughts)
        self._detail(cached=wire.cached_content_token_count, reasoning=thoughts or None)

    def _count(self, prompt: float | None, completion: float | None) -> None:
        if prompt is None and completion is None:
            return
        usage = self.usage
        self.usage = msgspec.structs.replace(
            usage,
            prompt=usage.prompt if prompt is None else round(prompt),
            completion=usage.completion if completion is None else round(completion),
            source="measured",
        )

    def _detail(self, **counts: int | None) -> None:
        given = {name: count for name, count in counts.items() if count is not None}
        if given:
            self.usage = msgspec.structs.replace(self.usage, **given)


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)
