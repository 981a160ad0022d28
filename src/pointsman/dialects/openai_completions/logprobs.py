"""Log probabilities in the form of legacy completions, made of the form that events carry, and the other way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.dialects.openai_completions.types import ListedLogprobs, TokenLogprob, TopLogprob

__all__ = ["TextLogprobs", "read_logprobs", "write_logprobs"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[TokenLogprob]).decode


class TextLogprobs(msgspec.Struct, frozen=True):
    """``logprobs`` of a choice; the lists run in parallel. ``text_offset`` counts characters of the answer."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


def write_logprobs(arrays: Iterable[msgspec.Raw], offset: int = 0) -> TextLogprobs:
    """The log probabilities of some tokens, the first of which stands at ``offset`` in the answer."""
    written = TextLogprobs([], [], [], [])
    for raw in arrays:
        for token in _decode(raw):
            written.tokens.append(token.token)
            written.token_logprobs.append(token.logprob)
            written.top_logprobs.append({other.token: other.logprob for other in token.top_logprobs or ()})
            written.text_offset.append(offset)
            offset += len(token.token)
    return written


def read_logprobs(listed: ListedLogprobs) -> msgspec.Raw | None:
    """The log probabilities of some tokens in the form that events carry; None for none.

    The first token of an echoed prompt has none, and is left out.
    """
    tops = listed.top_logprobs or []
    tokens = []
    for position, (token, logprob) in enumerate(zip(listed.tokens or (), listed.token_logprobs or (), strict=False)):
        if logprob is None:
            continue
        top = (tops[position] if position < len(tops) else None) or {}
        tokens.append(TokenLogprob(token, logprob, [TopLogprob(other, value) for other, value in top.items()]))
    return msgspec.Raw(_encode(tokens)) if tokens else None
