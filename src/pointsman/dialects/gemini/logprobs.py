"""Log probabilities: Gemini's two lists, and OpenAI's one, which the common vocabulary has.

Source: https://ai.google.dev/api/generate-content#LogprobsResult. Gemini gives no bytes; they are those of the token.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Final

import msgspec

from pointsman.dialects.gemini.types import LogprobsCandidate, LogprobsResult, TopCandidates

__all__ = ["read_logprobs", "write_logprobs"]


class _Token(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Chosen(_Token, kw_only=True):
    top_logprobs: list[_Token] = []


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[_Chosen]).decode


def read_logprobs(result: LogprobsResult) -> msgspec.Raw:
    """OpenAI's ``logprobs.content``, as raw JSON."""
    places = zip_longest(result.chosen_candidates, result.top_candidates)
    return msgspec.Raw(_encode([_read(chosen, top) for chosen, top in places if chosen is not None]))


def write_logprobs(arrays: Iterable[msgspec.Raw]) -> LogprobsResult | None:
    """The same as Gemini has it, or None where it cannot be read."""
    try:
        tokens = [token for raw in arrays for token in _decode(raw)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return LogprobsResult(
        [LogprobsCandidate(token.token, token.logprob) for token in tokens],
        [TopCandidates([LogprobsCandidate(one.token, one.logprob) for one in token.top_logprobs]) for token in tokens],
    )


def _read(chosen: LogprobsCandidate, top: TopCandidates | None) -> _Chosen:
    others = [] if top is None else [_token(one) for one in top.candidates]
    return _Chosen(chosen.token, chosen.log_probability, _bytes(chosen.token), top_logprobs=others)


def _token(candidate: LogprobsCandidate) -> _Token:
    return _Token(candidate.token, candidate.log_probability, _bytes(candidate.token))


def _bytes(token: str) -> list[int]:
    return list(token.encode("utf-8", "replace"))
