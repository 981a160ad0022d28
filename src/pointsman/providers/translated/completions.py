"""Text completions: to upstreams that have them, and as a chat of one turn to those that only chat."""

from __future__ import annotations

from typing import Protocol

from pointsman.core.call import Call, CompletionCall
from pointsman.core.content import Message, Text
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_completions.replies import write_reply
from pointsman.dialects.openai_completions.requests import read_request, write_request
from pointsman.dialects.openai_completions.stream_reader import StreamReader, read_reply
from pointsman.dialects.openai_completions.streams import StreamWriter
from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.sides import Reading, SseFrames, Writing

__all__ = [
    "CompletionAsChat",
    "CompletionClient",
    "OpenAICompletionClient",
    "TranslatedCompletionLane",
    "read_completion_call",
]


class CompletionClient(Protocol):
    """The near half of a dialect."""

    def read(self, ask: Ask) -> CompletionCall:
        """The request.

        Raises:
            Malformed, Unsupported: the message names the field.
        """
        ...

    def writing(self, call: CompletionCall) -> Writing:
        """How the answer is given."""
        ...


class OpenAICompletionClient:
    """See :class:`CompletionClient`."""

    def read(self, ask: Ask) -> CompletionCall:
        """See the protocol."""
        return read_request(ask.body(), ask.model)

    def writing(self, call: CompletionCall) -> Writing:
        """See the protocol."""
        return Writing(StreamWriter(call), lambda reply: write_reply(reply, call))


class CompletionAsChat:
    """A client of completions before an upstream of chats; see :class:`~.sides.ClientSide`.

    A chat model continues a text as well as it is told to, and cannot be shown what shall follow it.
    """

    def __init__(self, client: CompletionClient) -> None:
        self._client = client

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        completion = read_completion_call(self._client, ask)
        _demand_plain(completion)
        return Call(
            model=completion.model,
            messages=(Message("user", (Text(completion.prompts[0]),)),),
            sampling=completion.sampling,
            stream=completion.stream,
            include_usage=completion.include_usage,
            user=completion.user,
            extra=completion.extra,
        )

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        return self._client.writing(read_completion_call(self._client, ask))


class TranslatedCompletionLane:
    """From any client of completions to an OpenAI-compatible upstream; see :class:`pointsman.core.upstream.Lane`."""

    prepares = False

    def __init__(self, client: CompletionClient, deployment: Deployment) -> None:
        self._client = client
        self._deployment = deployment

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        call = read_completion_call(self._client, ask)
        _demand_openai(call)
        return Outbound(b"/completions", write_request(call, self._deployment.model))

    def answer(self, ask: Ask) -> TranslatedAnswer:
        """See the protocol; the request has been written by now."""
        reading = Reading(SseFrames(), StreamReader(), read_reply, read_error)
        writing = self._client.writing(read_completion_call(self._client, ask))
        return TranslatedAnswer(reading, writing, ask.prompt_estimate)


def read_completion_call(client: CompletionClient, ask: Ask) -> CompletionCall:
    """The request as a call, read once.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    if not isinstance(ask.notes, CompletionCall):
        ask.notes = client.read(ask)
    return ask.notes


def _demand_plain(call: CompletionCall) -> None:
    """Raise where only a model that completes could do it."""
    if len(call.prompts) != 1:
        raise Unsupported(
            "prompt must be one text; this model chats, and takes one at a time.",
            hint="Send one request per prompt.",
            param="prompt",
        )
    for name in ("suffix", "template", "raw", "echo", "best_of"):
        if getattr(call, name, None) or name in call.extra:
            raise Unsupported(
                f"{name} is not supported by this model, which chats and does not complete.",
                hint="Leave it out, or choose a model that completes.",
                param=name,
            )


def _demand_openai(call: CompletionCall) -> None:
    """Raise for what only Ollama's completions know, and leave out what means nothing elsewhere."""
    for name in ("template", "system", "think", "format"):
        if name in call.extra:
            raise Unsupported(
                f"{name} goes with Ollama's own models only, where raw, template or suffix is given.",
                hint="Leave it out, or use /api/chat.",
                param=name,
            )
