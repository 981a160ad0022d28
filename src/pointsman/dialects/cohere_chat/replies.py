"""Whole answers of Cohere, read as a stream is: https://docs.cohere.com/v2/reference/chat#response."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken
from pointsman.core.reply import Reply
from pointsman.dialects.cohere_chat.streams import StreamReader
from pointsman.dialects.cohere_chat.types import WholeReply
from pointsman.dialects.folding import fold

__all__ = ["read_reply"]

_decode: Final = msgspec.json.Decoder(WholeReply).decode


def read_reply(body: bytes, reader: StreamReader) -> Reply:
    """An answer; ``reader`` is a new one, which knows what was asked for.

    Raises:
        UpstreamFailed: the body cannot be read, or tells of a failure.
    """
    try:
        reply = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Cohere's answer is not one of its chat's.") from None
    if reply.message is None:
        raise Broken("Cohere's answer has no message.")
    return fold(reader.whole(reply))
