"""Reads the whole answers of Gemini."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken
from pointsman.core.reply import Embeddings, Reply
from pointsman.core.usage import NO_USAGE
from pointsman.dialects.folding import fold
from pointsman.dialects.gemini.streams import StreamReader
from pointsman.dialects.gemini.types import EmbeddingsBody
from pointsman.dialects.gemini.usage import read_usage

__all__ = ["read_count", "read_embeddings", "read_reply"]


class _Count(msgspec.Struct, rename="camel"):
    total_tokens: int


_decode_embeddings: Final = msgspec.json.Decoder(EmbeddingsBody).decode
_decode_count: Final = msgspec.json.Decoder(_Count).decode


def read_reply(body: bytes, reader: StreamReader | None = None) -> Reply:
    """The answer of ``generateContent``: a stream of one event.

    Args:
        body: The body of the answer.
        reader: A fresh reader, where the ordinary one is not the right one.

    Raises:
        UpstreamFailed: the body cannot be read, is an error, or is not complete.
    """
    reader = reader or StreamReader()
    return fold([*reader.feed(body), *reader.end()])


def read_embeddings(body: bytes, model: str, count: int | None = None) -> Embeddings:
    """The answer of ``batchEmbedContents`` or ``embedContent``; ``count`` is how many inputs were sent.

    Raises:
        Broken: the body cannot be read, or has another number of vectors.
    """
    try:
        answer = _decode_embeddings(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Gemini's answer is not a list of embeddings.") from None
    found = answer.embeddings if answer.embeddings is not None else [answer.embedding] if answer.embedding else []
    if count is not None and len(found) != count:
        raise Broken(f"Gemini answered {count} inputs with {len(found)} embeddings.")
    usage = read_usage(answer.usage_metadata) or NO_USAGE
    return Embeddings(model=model, vectors=tuple(one.values for one in found), usage=usage)


def read_count(body: bytes) -> int:
    """The answer of ``countTokens``.

    Raises:
        Broken: the body cannot be read.
    """
    try:
        return _decode_count(body).total_tokens
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Gemini's answer is not a count of tokens.") from None
