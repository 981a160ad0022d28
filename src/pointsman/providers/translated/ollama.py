"""The client's side of Ollama's native dialect."""

from __future__ import annotations

from pointsman.core.call import Call
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.upstream import Ask
from pointsman.dialects.ollama.client_replies import write_chat_reply
from pointsman.dialects.ollama.client_requests import read_chat_request
from pointsman.dialects.ollama.client_streams import ChatStreamWriter
from pointsman.providers.translated.sides import Writing

__all__ = ["OllamaChatClient"]


class OllamaChatClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_chat_request(ask.body(), ask.model)

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        clock = SYSTEM_CLOCK
        began = clock.monotonic()
        return Writing(
            ChatStreamWriter(call),
            lambda reply: write_chat_reply(reply, call, seconds=clock.monotonic() - began),
        )
