"""Mistral: OpenAI's dialect where a request needs no more than other names, and a translation where it does."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Operation, Outbound
from pointsman.dialects.mistral.knobs import refuse_or_drop, refuse_or_drop_completion
from pointsman.dialects.mistral.requests import rewrite_request, write_completion_request
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_chat.replies import read_reply
from pointsman.dialects.openai_chat.requests import write_request
from pointsman.dialects.openai_chat.streams import StreamReader
from pointsman.providers.express import ExpressLane
from pointsman.providers.fitting import embedding_fitting_for, fitting_for
from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.clients import COMPLETION_CLIENTS, translated_lane
from pointsman.providers.translated.completions import CompletionClient, read_completion_call
from pointsman.providers.translated.defaults import NOT_THE_OPERATORS
from pointsman.providers.translated.native_tools import claimed
from pointsman.providers.translated.openai import OpenAIEmbeddingFar
from pointsman.providers.translated.sides import Reading, SseFrames
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools

__all__ = ["FillInLane", "MistralChatLane", "MistralFar", "mistral_lane"]

_PLAIN: Final = frozenset({
    "frequency_penalty", "max_completion_tokens", "max_tokens", "messages", "metadata", "model", "n",
    "parallel_tool_calls", "presence_penalty", "prompt_cache_key", "random_seed", "response_format", "safe_prompt",
    "seed", "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_p", "user",
})  # fmt: skip
"""Fields that Mistral takes as they are, or that its row renames or drops."""
_MARKS: Final = (
    b'"developer"', b'"file"', b'"input_audio"', b'"name"', b'"reasoning_content"', b'"refusal"', b'"thinking',
    b'"tool_call',
)  # fmt: skip
"""What messages have in them that Mistral wants otherwise: the role, parts, fields and ids of calls."""
_AUTO: Final = msgspec.Raw(b'"auto"')
_CHOICES: Final = (_AUTO, msgspec.Raw(b'"none"'), msgspec.Raw(b"null"))
_ASSISTANT: Final = b'"assistant"'
_USER: Final = b'"user"'


class MistralFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`."""

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = claimed(call, "mistral", drop_params=deployment.drop_params)
        call = without_foreign_tools(call, "mistral", drop_params=deployment.drop_params)
        demand_known_tools(call, "mistral")
        thinks = _thinks(deployment)
        call = refuse_or_drop(
            call, thinks=thinks, drop_params=deployment.drop_params, additional=deployment.additional_drop_params
        )
        body = write_request(call, deployment.model, include_usage=False)
        model, reasoning = deployment.model, call.reasoning
        return Outbound(b"/chat/completions", rewrite_request(body, model=model, reasoning=reasoning, thinks=thinks))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return Reading(SseFrames(), StreamReader(), read_reply, read_error)


class MistralChatLane:
    """From an OpenAI client: relayed where nothing has to change but names of fields, else translated.

    See :class:`pointsman.core.upstream.Lane`. A model that reasons is always translated, since its thoughts come in a
    form that no client of OpenAI's knows.
    """

    prepares = False

    def __init__(self, deployment: Deployment) -> None:
        self._express = ExpressLane(deployment, Operation.CHAT, fitting_for(deployment))
        self._translated = translated_lane(Operation.CHAT, MistralFar(), deployment)
        self._may_relay = not _thinks(deployment) and deployment.pinned.keys() <= _PLAIN

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._lane(ask).write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        return self._lane(ask).answer(ask)

    def _lane(self, ask: Ask) -> Lane:
        return self._express if self._may_relay and _is_plain(ask) else self._translated


class FillInLane:
    """From any client of text completions to ``/fim/completions``; see :class:`pointsman.core.upstream.Lane`."""

    prepares = False

    def __init__(self, client: CompletionClient, deployment: Deployment) -> None:
        self._client = client
        self._deployment = deployment
        self._defaults = {name: raw for name, raw in deployment.pinned.items() if name not in NOT_THE_OPERATORS}

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        deployment = self._deployment
        # A copy, since another deployment may be asked next, whose operator's fields are others.
        asked = msgspec.structs.replace(ask, fields={**self._defaults, **ask.fields}) if self._defaults else ask
        call = refuse_or_drop_completion(
            self._client.read(asked),
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
        )
        return Outbound(b"/fim/completions", write_completion_request(call, deployment.model))

    def answer(self, ask: Ask) -> Answer:
        """See the protocol; the request has been written by now."""
        reading = Reading(SseFrames(), StreamReader(), read_reply, read_error)
        writing = self._client.writing(read_completion_call(self._client, ask))
        return TranslatedAnswer(reading, writing, ask.prompt_estimate)


def mistral_lane(deployment: Deployment, operation: Operation) -> Lane:
    """The lane for ``operation`` to a deployment at Mistral.

    Raises:
        Unsupported: Mistral has nothing for this operation.
    """
    if operation is Operation.CHAT:
        return MistralChatLane(deployment)
    if operation is Operation.EMBEDDING:
        return ExpressLane(deployment, operation, embedding_fitting_for(deployment))
    completion_client = COMPLETION_CLIENTS.get(operation)
    if completion_client is not None:
        return FillInLane(completion_client, deployment)
    return translated_lane(
        operation, MistralFar(), deployment, embedding_far=OpenAIEmbeddingFar(embedding_fitting_for(deployment))
    )


def _thinks(deployment: Deployment) -> bool:
    return "magistral" in deployment.model or "reasoning" in deployment.capabilities


def _is_plain(ask: Ask) -> bool:
    """Whether a request can go as it is, and its answer come so.

    An assistant that speaks last has to be marked; the counts of a stream come with its last piece of text, where
    clients that ask for them look behind it.
    """
    if ask.include_usage or not ask.fields.keys() <= _PLAIN:
        return False
    if ask.fields.get("tool_choice", _AUTO) not in _CHOICES:
        return False
    messages = bytes(ask.fields["messages"])
    if any(mark in messages for mark in _MARKS):
        return False
    return messages.rfind(_ASSISTANT) <= messages.rfind(_USER)
