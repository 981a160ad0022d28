"""Reads the whole answers of Ollama."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken
from pointsman.core.reply import Embeddings, Reply
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.folding import fold
from pointsman.dialects.ollama.streams import StreamReader
from pointsman.dialects.ollama.types import EmbeddingLine

__all__ = ["read_embeddings", "read_reply"]

_decode: Final = msgspec.json.Decoder(EmbeddingLine).decode


def read_reply(body: bytes, reader: StreamReader | None = None) -> Reply:
    """The answer of an unstreamed ``/api/chat`` or ``/api/generate``: a stream of one line.

    Args:
        body: The body of the answer.
        reader: A fresh reader, where the ordinary one for ``/api/chat`` is not the right one.

    Raises:
        UpstreamFailed: the body cannot be read, is an error, or is not complete.
    """
    reader = reader or StreamReader()
    return fold([*reader.feed(body), *reader.end()])


def read_embeddings(body: bytes, count: int | None = None) -> Embeddings:
    """The answer of ``/api/embed``; ``count`` is how many inputs were sent.

    Raises:
        Broken: the body cannot be read, or has another number of vectors.
    """
    try:
        line = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Ollama's answer is not a list of embeddings.") from None
    if count is not None and len(line.embeddings) != count:
        raise Broken(f"Ollama answered {count} inputs with {len(line.embeddings)} embeddings.")
    counted = line.prompt_eval_count
    usage = Usage(counted, source="measured") if counted else NO_USAGE
    return Embeddings(model=line.model, vectors=tuple(line.embeddings), usage=usage)
