"""The client's side of OpenAI's Responses dialect."""

from __future__ import annotations

import msgspec

from pointsman.core.call import Call
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Ask
from pointsman.dialects.openai_responses.compaction import compacting_call, write_compaction
from pointsman.dialects.openai_responses.items import read_input
from pointsman.dialects.openai_responses.replies import write_reply
from pointsman.dialects.openai_responses.requests import read_request
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.dialects.openai_responses.streams import StreamWriter
from pointsman.providers.translated.sides import Writing

__all__ = ["CompactionClient", "ResponsesClient"]


class ResponsesClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol. Where nothing was looked up before, nothing is kept of the response either."""
        body, request = ask.body(), ask.notes
        if not isinstance(request, ResponseRequest):
            ask.notes = request = msgspec.structs.replace(read_response_request(body), store=False)
            _demand_complete(request)
        return read_request(body, ask.model, history=read_input(request.history))

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        request = _request(ask)
        return Writing(StreamWriter(call, request), lambda reply: write_reply(reply, call, request))


class CompactionClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`; a conversation to be summed up."""

    def __init__(self) -> None:
        self._responses = ResponsesClient()

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        if ask.stream:
            raise Unsupported("A compaction cannot be streamed.", hint="Leave stream out.", param="stream")
        return compacting_call(self._responses.read(ask))

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        request = _request(ask)
        return Writing(StreamWriter(call, request), lambda reply: write_compaction(reply, request))


def _request(ask: Ask) -> ResponseRequest:
    if not isinstance(ask.notes, ResponseRequest):
        message = "a response is written without its request"
        raise TypeError(message)
    return ask.notes


def _demand_complete(request: ResponseRequest) -> None:
    """Raise where the request leans on something that was to be kept.

    Raises:
        Unsupported: the message names the field.
    """
    for name, value in (
        ("previous_response_id", request.previous_response_id),
        ("conversation", request.conversation),
        ("background", request.background),
    ):
        if value:
            raise Unsupported(
                f"{name}: this gateway stores no responses.",
                hint="Send the whole conversation as input.",
                param=name,
            )
