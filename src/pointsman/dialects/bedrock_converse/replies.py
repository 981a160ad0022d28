"""Whole answers: read as the events that a stream would have told.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken
from pointsman.core.reply import Reply
from pointsman.dialects.bedrock_converse.streams import Expected, StreamReader
from pointsman.dialects.bedrock_converse.types import ConverseReply
from pointsman.dialects.folding import fold

__all__ = ["read_reply"]

_decode: Final = msgspec.json.Decoder(ConverseReply).decode


def read_reply(body: bytes, expected: Expected | None = None) -> Reply:
    """An upstream's whole answer.

    Raises:
        UpstreamFailed: the body cannot be read, or is no answer.
    """
    try:
        reply = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("Bedrock answered with something that is not an answer.") from None
    return fold(StreamReader(expected).read_whole(reply))
