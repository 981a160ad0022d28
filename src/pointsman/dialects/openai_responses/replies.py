"""Whole responses: written for a client, read from an upstream."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.reply import Choice, Reply
from pointsman.dialects.custom_tools import custom_names
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_responses.groups import groups_of
from pointsman.dialects.openai_responses.output import choice_items, was_cut_off
from pointsman.dialects.openai_responses.response import ResponseRequest, write_response
from pointsman.dialects.openai_responses.stream_reader import StreamReader
from pointsman.dialects.openai_responses.tools import DIALECT

__all__ = ["read_reply", "write_reply"]

_encode: Final = msgspec.json.Encoder().encode


def write_reply(reply: Reply, call: Call, request: ResponseRequest) -> bytes:
    """The response for a client; it sees the model under the name that it asked for.

    The API gives one answer at a time: further choices are left out.
    """
    choice = reply.choices[0] if reply.choices else Choice()
    items = choice_items(choice, request.id, custom_names(call.tools, DIALECT))
    groups = groups_of(call.tools)
    for item in items:
        item.group = groups.get(item.name)
    return _encode(
        write_response(
            request,
            call,
            "incomplete" if was_cut_off(choice.finish_reason) else "completed",
            output=[item.wire() for item in items],
            usage=reply.usage,
            reason=choice.finish_reason,
        )
    )


def read_reply(body: bytes) -> Reply:
    """An upstream's whole answer, read as the last event of a stream.

    Raises:
        UpstreamFailed: the body cannot be read, is an error, or has no output.
    """
    reader = StreamReader()
    return fold([*reader.feed_whole(body), *reader.end()])
