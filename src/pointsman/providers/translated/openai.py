"""The sides of OpenAI's dialects of chats and embeddings."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.reply import Embeddings
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.droppable import demand_droppable
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_chat.knobs import refuse_or_drop
from pointsman.dialects.openai_chat.replies import read_reply, write_reply
from pointsman.dialects.openai_chat.requests import LimitField, read_request, write_request
from pointsman.dialects.openai_chat.search import SEARCH_FIELD, write_search
from pointsman.dialects.openai_chat.streams import StreamReader, StreamWriter
from pointsman.dialects.openai_extras import embeddings as embedding_words
from pointsman.providers.fitting import Fitting
from pointsman.providers.openai_metadata import with_metadata
from pointsman.providers.translated.embeddings import EmbeddingReading
from pointsman.providers.translated.plain_openai import fit
from pointsman.providers.translated.sides import Reading, SseFrames, Writing
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools

__all__ = ["OpenAIChatClient", "OpenAIChatFar", "OpenAIEmbeddingClient", "OpenAIEmbeddingFar", "has_newer_limit"]

_REASONERS: Final = re.compile(r"o[1-9]\b|gpt-(?:[5-9]|1\d)\b|o_series/|gpt5_series/")
_SEARCHERS: Final = re.compile(r"-search(?:-|$)")
_MAKERS: Final = frozenset({"openai", "azure"})


_USUAL_SOUND: Final = "wav"


class _Sound(msgspec.Struct):
    format: str = _USUAL_SOUND


_decode_name: Final = msgspec.json.Decoder(str).decode
_decode_sound: Final = msgspec.json.Decoder(_Sound).decode


def has_newer_limit(deployment: Deployment) -> bool:
    """Whether it is one of OpenAI's models that know the bound on the answer as ``max_completion_tokens`` only.

    An Azure deployment has a name of its own, so the operator may say what it is, as in LiteLLM: by its ``base_model``,
    or as ``azure/o_series/name`` and ``azure/gpt5_series/name``.
    """
    if deployment.provider not in _MAKERS:
        return False
    if _REASONERS.match(deployment.model):
        return True
    base = deployment.told.get("base_model")
    return base is not None and _REASONERS.match(_decode_name(base).rpartition("/")[2]) is not None


class OpenAIChatClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_request(ask.body(), ask.model, ask.fields)

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        return Writing(StreamWriter(call), lambda reply: write_reply(reply, call))


class OpenAIChatFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`; for every server that speaks this dialect.

    Args:
        fitting: For services with habits of their own.
        path: Where it takes chats, below the deployment's ``api_base``.
        model: What the body calls the model, where that is not the deployment's.
    """

    def __init__(
        self, fitting: Fitting | None = None, *, path: bytes = b"/chat/completions", model: str | None = None
    ) -> None:
        self._fitting = fitting
        self._path = path
        self._model = model

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        if call.tools and any(tool.search is not None for tool in call.tools) and _searches(deployment):
            call = _with_search_options(call, drop_params=deployment.drop_params)
        call = without_foreign_tools(call, "openai_chat", drop_params=deployment.drop_params)
        demand_known_tools(call, "openai_chat")
        call = refuse_or_drop(
            call,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
            local=deployment.local,
        )
        newer = has_newer_limit(deployment)
        limit_field: LimitField = "max_completion_tokens" if newer else "max_tokens"
        call = with_metadata(fit(call, deployment, reasons=newer), deployment)
        body = write_request(call, self._model or deployment.model, include_usage=True, limit_field=limit_field)
        fitting = self._fitting
        return Outbound(self._path, body if fitting is None else fitting.under(deployment).rewrite(body))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        form = _sound_format(call)
        reader = StreamReader(sound_format=form)
        return Reading(SseFrames(), reader, lambda body: read_reply(body, reader), read_error)


def _sound_format(call: Call) -> str:
    """The format in which the answer is to be spoken, if it is."""
    asked = call.extra.get("audio")
    if asked is None:
        return _USUAL_SOUND
    try:
        return _decode_sound(asked).format or _USUAL_SOUND
    except msgspec.MsgspecError:
        return _USUAL_SOUND


def _searches(deployment: Deployment) -> bool:
    """Whether it is one of the models that search the web in a chat; others would refuse it, or not notice."""
    return deployment.provider == "perplexity" or (
        deployment.provider in _MAKERS and _SEARCHERS.search(deployment.model) is not None
    )


def _with_search_options(call: Call, *, drop_params: bool) -> Call:
    """The call with the searches of other dialects as the field that a chat has for one.

    Raises:
        Unsupported: it is bound to pages, which this one cannot be, and may not be dropped.
    """
    search = next(tool.search for tool in call.tools if tool.search is not None)
    if search.allowed_domains or search.blocked_domains:
        demand_droppable("OpenAI's search", ["allowed_domains or blocked_domains"], drop_params=drop_params)
    found = {tool.name for tool in call.tools if tool.search is not None}
    tools = tuple(tool for tool in call.tools if tool.search is None)
    choice = call.tool_choice
    if choice is not None and (not tools or choice.name in found):
        choice = None
    extra = {SEARCH_FIELD: write_search(search), **call.extra}
    return msgspec.structs.replace(call, tools=tools, tool_choice=choice, extra=extra)


class OpenAIEmbeddingClient:
    """See :class:`.embeddings.EmbeddingClient`."""

    def read(self, ask: Ask) -> EmbeddingCall:
        """See the protocol."""
        return embedding_words.read_request(ask.body(), ask.model)

    def write(self, embeddings: Embeddings, call: EmbeddingCall) -> bytes:
        """See the protocol."""
        return embedding_words.write_reply(embeddings, call)


class OpenAIEmbeddingFar:
    """See :class:`.embeddings.EmbeddingFar`; for every server that speaks this dialect.

    Args:
        fitting: For services with habits of their own.
        path: Where it takes texts to embed, below the deployment's ``api_base``.
        model: What the body calls the model, where that is not the deployment's.
    """

    def __init__(
        self, fitting: Fitting | None = None, *, path: bytes = b"/embeddings", model: str | None = None
    ) -> None:
        self._path = path
        self._model = model
        self._fitting = fitting

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        body = embedding_words.write_request(call, self._model or deployment.model)
        return Outbound(self._path, body if self._fitting is None else self._fitting.rewrite(body))

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        count = len(call.inputs)
        return EmbeddingReading(lambda body: embedding_words.read_reply(body, count), read_error)
