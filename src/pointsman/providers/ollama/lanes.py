"""The lanes from any client dialect to a model of Ollama, over its native API."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from pointsman.core.call import Call, CompletionCall, EmbeddingCall
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.eager import become_task
from pointsman.core.errors import Refused, Unsupported
from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Operation, Outbound
from pointsman.dialects.droppable import without
from pointsman.dialects.ollama.knobs import refuse_or_drop_completion, refuse_or_drop_embedding
from pointsman.dialects.ollama.replies import read_embeddings
from pointsman.dialects.ollama.requests import (
    asked_num_ctx,
    write_completion_request,
    write_embedding_request,
    write_load_request,
    write_request,
)
from pointsman.dialects.ollama.streams import StreamReader
from pointsman.dialects.ollama.types import OllamaTarget
from pointsman.providers.media import MediaFetcher
from pointsman.providers.ollama.abilities import demand_chat_abilities, demand_completion_abilities, wants_thinking
from pointsman.providers.ollama.answers import LoadAnswer, OnTruncation, Sent, TextAnswer
from pointsman.providers.ollama.context import (
    OUTPUT_ROOM,
    THINKING_ROOM,
    ContextLimits,
    ContextNeed,
    ContextWindows,
)
from pointsman.providers.ollama.control import OllamaFacts
from pointsman.providers.ollama.facts import OllamaFactsCache, key_of
from pointsman.providers.ollama.far import fitted, write_plainly
from pointsman.providers.parameters import Dropped, ruled
from pointsman.providers.prompt import Estimate, chat_tokens, completion_tokens, embedding_tokens
from pointsman.providers.translated import (
    CLIENTS,
    COMPLETION_CLIENTS,
    EMBEDDING_CLIENTS,
    ClientSide,
    CompletionClient,
    EmbeddingAnswer,
    EmbeddingClient,
    EmbeddingReading,
    read_call,
    read_completion_call,
    read_embedding_call,
    read_load_request,
)
from pointsman.providers.translated.allowed import lost_parameters, with_parameters
from pointsman.providers.translated.defaults import NOT_THE_OPERATORS, read_defaults, with_defaults
from pointsman.providers.translated.finish import finished
from pointsman.providers.translated.own_words import in_own_words
from pointsman.providers.translated.remote_media import has_remote_media, inline_remote_media
from pointsman.wire.json_fields import decode_field

__all__ = ["ChatLane", "CompletionLane", "EmbeddingLane", "LoadLane", "OllamaServices", "ollama_lane"]

_EMBEDDING_DOUBT: Final = 1.5
"""Embedding texts are often cut to the model's length by a tokenizer nearer to its own than our estimate is."""

_NO_FACTS: Final = OllamaFacts()
_LOAD_PATHS: Final = {
    "chat": b"/api/chat",
    "generate": b"/api/generate",
    "embed": b"/api/embed",
    "embeddings": b"/api/embed",
}

_decode_count: Final = msgspec.json.Decoder(int | None).decode

AnyCall = TypeVar("AnyCall", Call, CompletionCall, EmbeddingCall)


class OllamaServices:
    """What all lanes to Ollama share; ``estimate`` gives the tokens of a text, ``on_truncation`` is told suspicions."""

    __slots__ = ("clock", "estimate", "facts", "media", "on_truncation", "windows")

    def __init__(
        self,
        *,
        facts: OllamaFactsCache,
        windows: ContextWindows,
        media: MediaFetcher,
        estimate: Estimate,
        on_truncation: OnTruncation = lambda _deployment_id, _sent, _counted: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.facts = facts
        self.windows = windows
        self.media = media
        self.estimate = estimate
        self.on_truncation = on_truncation
        self.clock = clock


class _OllamaLane:
    """What the lanes share: facts, the window, and the operator's defaults under the client's fields."""

    prepares = True

    def __init__(self, deployment: Deployment, services: OllamaServices) -> None:
        self._deployment = deployment
        self._services = services
        self._key = key_of(deployment)
        self._defaults = {name: raw for name, raw in deployment.pinned.items() if name not in NOT_THE_OPERATORS}
        self._dropped = Dropped.of(deployment.additional_drop_params)

    async def prepare(self, ask: Ask) -> None:
        """Learn about the model, unless that is known.

        Raises:
            Unreachable, Rejected: the host is not there, or does not have the model.
        """
        if self._services.facts.recall(self._deployment) is None:
            await self._services.facts.learn(self._deployment)

    def _ruled(self, ask: Ask) -> Deployment:
        return self._deployment if ask.rules is None else ruled(self._deployment, ask.rules)

    def _facts(self) -> OllamaFacts:
        return self._services.facts.recall(self._deployment) or _NO_FACTS

    def _with_defaults(self, ask: Ask) -> Ask:
        """The request with the operator's fields where the client said nothing, without what is to be dropped."""
        given = ask.fields if ask.rules is None else Dropped.of(ask.rules.additional_drop_params).left_of(ask.fields)
        return msgspec.structs.replace(ask, fields=self._dropped.left_of({**self._defaults, **given}))

    def _target(self, call: AnyCall, need: ContextNeed, facts: OllamaFacts) -> OllamaTarget:
        """Size the context window.

        Raises:
            Malformed: ``context_length_exceeded``, or ``num_ctx`` cannot be had.
        """
        deployment = self._deployment
        limits = ContextLimits(
            model=facts.context_tokens or deployment.context_tokens,
            cap=deployment.num_ctx_max,
            fixed=deployment.num_ctx,
            default=facts.num_ctx_default,
        )
        need = msgspec.structs.replace(need, at_least=asked_num_ctx(call) or 0)
        num_ctx = self._services.windows.choose(self._key, need, limits, self._services.clock.monotonic())
        return OllamaTarget(
            deployment.model,
            num_ctx=None if facts.remote else num_ctx,
            keep_alive=deployment.keep_alive,
            think_levels=facts.think_levels,
        )

    def _sent(self, ask: Ask) -> Sent:
        window = 0 if self._facts().remote else self._services.windows.current(self._key)
        return Sent(self._deployment.id, self._deployment.model, ask.prompt_estimate, window)


class ChatLane(_OllamaLane):
    """Any dialect of conversations over ``/api/chat``; see :class:`pointsman.core.upstream.Lane`."""

    sends_call = True

    def __init__(self, deployment: Deployment, services: OllamaServices, client: ClientSide) -> None:
        super().__init__(deployment, services)
        self._client = client
        self._default_call = read_defaults(deployment.pinned)

    async def prepare(self, ask: Ask) -> None:
        """Learn about the model, and put remote images and documents into the call in place of their URLs.

        Raises:
            Unreachable, Rejected: the host is not there, or does not have the model.
            Malformed: the request cannot be read, or one of them cannot be had.
        """
        await super().prepare(ask)
        call = read_call(self._client, ask, self._dropped)
        if has_remote_media(call):
            await become_task()
            ask.call = await inline_remote_media(call, self._services.media)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol. ``ask.prompt_estimate`` becomes the finer one that the window was sized by."""
        try:
            return self._write(ask)
        except Refused as refused:
            raise in_own_words(refused, ask, self._client.read) from None

    def _write(self, ask: Ask) -> Outbound:
        deployment, facts = self._ruled(ask), self._facts()
        call = with_defaults(read_call(self._client, ask, self._dropped), self._default_call)
        passed: dict[str, msgspec.Raw] = {}
        if deployment.allowed_openai_params:
            said = {**self._defaults, **ask.fields}
            passed = {name: said[name] for name in lost_parameters(write_plainly, call, deployment, said)}
        call = fitted(without(call, passed), deployment)
        ask.call = call = demand_chat_abilities(
            call,
            facts,
            deployment.model,
            drop_params=deployment.drop_params,
            # Claude Code wants every model to think, and goes on without.
            thinking_is_optional=ask.operation is Operation.MESSAGES,
        )
        ask.prompt_estimate = chat_tokens(call, self._services.estimate)
        need = ContextNeed(ask.prompt_estimate, output=_output_limit(call), room=_room(call, facts))
        outbound = Outbound(b"/api/chat", write_request(call, self._target(call, need, facts)))
        if passed:
            outbound = with_parameters(outbound, deployment, passed)
        return finished(outbound, self._dropped, deployment) if self._dropped else outbound

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        call = read_call(self._client, ask)
        reader = StreamReader(self._deployment.model, single_tool_call=call.parallel_tool_calls is False)
        writing = self._client.writing(call, ask)
        return TextAnswer(self._sent(ask), self._services.on_truncation, reader, writing)


class CompletionLane(_OllamaLane):
    """Any dialect of completions over ``/api/generate``; see :class:`pointsman.core.upstream.Lane`."""

    def __init__(self, deployment: Deployment, services: OllamaServices, client: CompletionClient) -> None:
        super().__init__(deployment, services)
        self._client = client

    def write(self, ask: Ask) -> Outbound:
        """See the protocol. ``ask.prompt_estimate`` becomes the finer one that the window was sized by."""
        deployment, facts = self._ruled(ask), self._facts()
        ask.notes = whole = read_completion_call(self._client, self._with_defaults(ask))
        call = refuse_or_drop_completion(
            whole,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
        )
        demand_completion_abilities(call, facts, deployment.model)
        ask.prompt_estimate = completion_tokens(call, self._services.estimate)
        need = ContextNeed(ask.prompt_estimate, output=_output_limit(call), param="prompt")
        return Outbound(b"/api/generate", write_completion_request(call, self._target(call, need, facts)))

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        reader = StreamReader(self._deployment.model, id_prefix="cmpl-")
        writing = self._client.writing(read_completion_call(self._client, ask))
        return TextAnswer(self._sent(ask), self._services.on_truncation, reader, writing)


class EmbeddingLane(_OllamaLane):
    """Any dialect of embeddings over ``/api/embed``; see :class:`pointsman.core.upstream.Lane`."""

    def __init__(self, deployment: Deployment, services: OllamaServices, client: EmbeddingClient) -> None:
        super().__init__(deployment, services)
        self._client = client

    def write(self, ask: Ask) -> Outbound:
        """See the protocol. ``ask.prompt_estimate`` becomes the finer one, of all inputs together."""
        deployment, facts = self._ruled(ask), self._facts()
        ask.notes = whole = read_embedding_call(self._client, self._with_defaults(ask))
        call = refuse_or_drop_embedding(
            whole,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
        )
        longest, ask.prompt_estimate = embedding_tokens(call, self._services.estimate)
        need = ContextNeed(longest, output=0, param="input", doubt=_EMBEDDING_DOUBT)
        return Outbound(b"/api/embed", write_embedding_request(call, self._target(call, need, facts)))

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        call = read_embedding_call(self._client, ask)
        sent, count = self._sent(ask), len(call.inputs)
        reading = EmbeddingReading(lambda body: read_embeddings(body, count), sent.error)
        return EmbeddingAnswer(reading, lambda found: self._client.write(found, call), sent.prompt_tokens)


class LoadLane(_OllamaLane):
    """Has the model loaded or unloaded, as Ollama's own clients ask for; see :class:`pointsman.core.upstream.Lane`.

    It is loaded with the window that the next request will have, lest that one has it loaded again.
    """

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        load = read_load_request(ask)
        target = self._target(Call(ask.model, ()), ContextNeed(0, output=0), self._facts())
        return Outbound(_LOAD_PATHS[load.route], write_load_request(load, target))

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        return LoadAnswer(self._sent(ask), read_load_request(ask))


def ollama_lane(operation: Operation, deployment: Deployment, services: OllamaServices) -> Lane:
    """The lane for ``operation`` to a deployment on Ollama.

    Raises:
        Unsupported: Ollama has nothing for this operation.
    """
    if operation in CLIENTS:
        return ChatLane(deployment, services, CLIENTS[operation])
    if operation in COMPLETION_CLIENTS:
        return CompletionLane(deployment, services, COMPLETION_CLIENTS[operation])
    if operation in EMBEDDING_CLIENTS:
        return EmbeddingLane(deployment, services, EMBEDDING_CLIENTS[operation])
    if operation is Operation.OLLAMA_LOAD:
        return LoadLane(deployment, services)
    raise Unsupported(f"Ollama does not serve {operation.value}.", hint="Choose another model.", param="model")


def _output_limit(call: Call | CompletionCall) -> int | None:
    """The bound on the answer, under OpenAI's name or Ollama's own, where -1 and -2 mean that there is none."""
    if call.sampling.max_tokens is not None:
        return call.sampling.max_tokens
    if "num_predict" not in call.extra:
        return None
    limit = decode_field("num_predict", call.extra["num_predict"], _decode_count)
    return limit if limit is not None and limit >= 0 else None


def _room(call: Call, facts: OllamaFacts) -> int:
    thinks = facts.capabilities is not None and "reasoning" in facts.capabilities
    return THINKING_ROOM if thinks and (call.reasoning is None or wants_thinking(call.reasoning)) else OUTPUT_ROOM
