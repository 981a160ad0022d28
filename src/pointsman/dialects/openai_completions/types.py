"""OpenAI's legacy completions on the wire. Null is taken for "not said" throughout."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pointsman.dialects.openai_fields import CHOICES_MAX
from pointsman.dialects.openai_usage import WireUsage

__all__ = ["Chunk", "ChunkChoice", "CompletionRequest", "ListedLogprobs", "StreamOptions", "TokenLogprob", "TopLogprob"]


class StreamOptions(msgspec.Struct):
    """``include_usage`` asks for a last chunk with the counts."""

    include_usage: bool | None = None


_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Tokens = Annotated[list[int], msgspec.Meta(min_length=1)]


_Bias = Annotated[float, msgspec.Meta(ge=-100, le=100)]


class CompletionRequest(msgspec.Struct, kw_only=True):
    """The body of a request. ``logprobs`` is how many alternatives to show for each token."""

    model: str | None = None
    prompt: str | Annotated[list[str | int | _Tokens], msgspec.Meta(min_length=1)]
    suffix: str | None = None
    echo: bool | None = None
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
    max_tokens: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)] | None = None
    best_of: Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)] | None = None
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, _Bias] | None = None
    user: str | None = None


class TopLogprob(msgspec.Struct):
    """An alternative to a token, in the form of chat completions, which events carry."""

    token: str
    logprob: float


class TokenLogprob(msgspec.Struct):
    """A token that was chosen, in the form of chat completions, which events carry."""

    token: str
    logprob: float
    top_logprobs: list[TopLogprob] | None = None


class ListedLogprobs(msgspec.Struct):
    """``logprobs`` of a choice as an upstream sends it; the lists run in parallel."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class ChunkChoice(msgspec.Struct):
    """A choice of an answer, or a piece of it."""

    index: int = 0
    text: str | None = None
    finish_reason: str | None = None
    logprobs: ListedLogprobs | None = None


class Chunk(msgspec.Struct):
    """A whole answer, or a piece of one. ``error`` is there in place of an answer."""

    id: str | None = None
    created: float | None = None
    model: str | None = None
    choices: list[ChunkChoice] | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
