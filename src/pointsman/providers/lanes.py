"""Finds the lane from a client's dialect to a deployment, and keeps it: one per deployment and operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pointsman.catalog.services import services_of
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.cache_marks import with_cache_marks
from pointsman.providers.continuing import CONTINUED, CompletionContinuingLane, ContinuingLane, RelayedResponsesLane
from pointsman.providers.express import EXTRAS_PATHS, ExpressLane, ExtrasLane, plain_way
from pointsman.providers.fitting import embedding_fitting_for, fitting_for
from pointsman.providers.media import MediaFetcher
from pointsman.providers.merging_reasoning import ReasoningMergingLane
from pointsman.providers.mocked import mocked_lane
from pointsman.providers.native import NativeLane
from pointsman.providers.registry import find_provider
from pointsman.providers.service_tiers import ServiceTierLane
from pointsman.providers.stateful import ResponseBook, StatefulLane
from pointsman.providers.telling_cost import WITH_COST, CostOf, CostTellingLane
from pointsman.providers.translated import (
    CLIENTS,
    COMPLETION_CLIENTS,
    DOCUMENTS_BY_VALUE,
    EMBEDDING_CLIENTS,
    RESPONSES_MODE,
    CallLane,
    CompletionAsChat,
    OpenAIChatFar,
    OpenAIEmbeddingFar,
    OpenAIResponsesFar,
    Preparation,
    TranslatedCompletionLane,
    TranslatedLane,
    has_newer_limit,
    media_preparation,
    translated_lane,
)
from pointsman.providers.upload_bound import BOUNDED, UploadBoundLane
from pointsman.providers.user_forwarding import UserForwardingLane

__all__ = ["LaneBook", "NativeLanes", "Relayed"]

_LANES_MAX: Final = 16_384
_EXPRESS: Final = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING})
"""What an OpenAI-compatible server is asked in the client's own words."""

_REMEMBERED: Final = frozenset({Operation.RESPONSES, Operation.COMPACTION})
"""What may continue something that is stored."""
_RELAYING: Final = frozenset({"azure"})
"""Natives whose only difference to OpenAI is where they are and who lets in."""

_EXTRAS_OF_NATIVE: Final = frozenset({
    ("cohere", Operation.RERANK),
    ("cohere_chat", Operation.RERANK),
    ("mistral", Operation.MODERATION),
    ("mistral", Operation.TRANSCRIPTION),
})  # fmt: skip
"""What a provider with a dialect of its own understands in the client's words all the same."""

_TRANSLATED_EXTRAS: Final = frozenset({
    ("bedrock", Operation.IMAGE),
    ("bedrock", Operation.IMAGE_EDIT),
    ("bedrock", Operation.RERANK),
    ("gemini", Operation.IMAGE),
    ("gemini", Operation.IMAGE_EDIT),
    ("vertex", Operation.IMAGE),
    ("vertex", Operation.IMAGE_EDIT),
    ("vertex", Operation.RERANK),
})  # fmt: skip
"""What a native dialect has words of its own for."""

NativeLanes = Callable[[Deployment, Operation], Lane]
"""Makes the lane of a provider with a dialect of its own."""

Relayed = Callable[[Deployment, Lane], Lane]
"""Makes the lane that relays responses, and falls back on the one that it is given."""


class LaneBook:
    """See :class:`pointsman.lifecycle.house.LaneFinder`. ``native`` is by the dialect's name.

    ``responses`` gives every lane of the Responses API its memory; ``relayed`` makes of one to an OpenAI-compatible
    server, or to Azure, the lane that goes there as it is, where the server has the route. ``media`` fetches documents
    for those.
    """

    def __init__(
        self,
        native: dict[str, NativeLanes],
        responses: ResponseBook | None = None,
        relayed: Relayed | None = None,
        media: MediaFetcher | None = None,
    ) -> None:
        self._native = native
        self._responses = responses
        self._relayed = relayed
        self._media = media
        self._continues = False
        self._cost_of: CostOf | None = None
        self._known: dict[tuple[str, str], tuple[Deployment, Lane]] = {}

    def follow(self, *, continues: bool, cost_of: CostOf | None = None) -> None:
        """Whether streams that are cut off are continued elsewhere, and by what streams tell their cost; None: not."""
        if (continues, cost_of) != (self._continues, self._cost_of):
            self._continues, self._cost_of = continues, cost_of
            self._known.clear()

    def lane(self, operation: Operation, deployment: Deployment) -> Lane:
        """The lane."""
        key = (deployment.id, operation._value_)  # an Enum is hashed slowly
        known = self._known.get(key)
        if known is not None and known[0] is deployment:
            return known[1]
        lane = made = self._make(deployment, operation)
        if deployment.handling.merges_reasoning and operation is Operation.CHAT:
            lane = ReasoningMergingLane(lane, deployment)
        elif self._continues and operation in CONTINUED:
            lane = self._continuing(lane, deployment, operation)
        has_services = bool(services_of(deployment.price))
        if has_services and operation is not Operation.RESPONSES and not isinstance(lane, ExpressLane):
            lane = ServiceTierLane(lane)
        if self._cost_of is not None and operation in WITH_COST:
            lane = CostTellingLane(lane, deployment, self._cost_of)
        lane = _with_handling(lane, made, deployment, operation)
        if self._responses is not None and operation in _REMEMBERED:
            lane = StatefulLane(lane, self._responses)
        if self._relayed is not None and operation is Operation.RESPONSES and _has_responses(deployment):
            lane = made = self._relayed(deployment, lane)
            lane = _with_handling(lane, made, deployment, operation)
            if self._continues:
                lane = RelayedResponsesLane(lane)
        if has_services and operation is Operation.RESPONSES:
            lane = ServiceTierLane(lane)
        if len(self._known) >= _LANES_MAX:
            self._known.clear()
        self._known[key] = (deployment, lane)
        return lane

    def _make(self, deployment: Deployment, operation: Operation) -> Lane:
        if deployment.handling.mock_response is not None:
            return mocked_lane(operation, deployment)
        provider = find_provider(deployment.provider)
        native = None if provider is None else provider.native
        if operation in EXTRAS_PATHS and native not in _RELAYING and (native, operation) not in _TRANSLATED_EXTRAS:
            is_native = provider is not None and (provider.native is not None or provider.long_tail)
            return _extras_lane(deployment, operation, native=is_native)
        if provider is not None and provider.native is not None:
            return self._native[provider.native](deployment, operation)
        if deployment.mode == RESPONSES_MODE and operation not in EMBEDDING_CLIENTS:
            return translated_lane(operation, OpenAIResponsesFar(), deployment, self._fetching(operation))
        if operation is Operation.CHAT:
            way = plain_way(deployment, operation, newer_limit=has_newer_limit(deployment))
            return ExpressLane(deployment, operation, fitting_for(deployment), way=way)
        if operation is Operation.EMBEDDING:
            return ExpressLane(deployment, operation, embedding_fitting_for(deployment))
        if operation in _EXPRESS:
            return ExpressLane(deployment, operation)
        completion_client = COMPLETION_CLIENTS.get(operation)
        if completion_client is not None:
            return TranslatedCompletionLane(completion_client, deployment)
        embedding_far = OpenAIEmbeddingFar(embedding_fitting_for(deployment))
        far = OpenAIChatFar(fitting_for(deployment))
        return translated_lane(operation, far, deployment, self._fetching(operation), embedding_far=embedding_far)

    def _continuing(self, lane: Lane, deployment: Deployment, operation: Operation) -> Lane:
        """The lane that also goes on with what others began; where it relays, by way of another dialect's far side."""
        completion = COMPLETION_CLIENTS.get(operation)
        if completion is not None and not isinstance(lane, CallLane):
            return CompletionContinuingLane(lane, completion)
        client = CLIENTS[operation] if completion is None else CompletionAsChat(completion)
        if isinstance(lane, CallLane):
            return ContinuingLane(lane, lane, client, deployment)
        other = self._make(deployment, Operation.MESSAGES if operation is Operation.CHAT else Operation.CHAT)
        translated = other.to(client) if isinstance(other, TranslatedLane) else None
        return ContinuingLane(lane, translated, client, deployment)

    def _fetching(self, operation: Operation) -> tuple[Preparation, ...]:
        client = CLIENTS.get(operation)
        if client is None or self._media is None:
            return ()
        return (media_preparation(client, self._media, DOCUMENTS_BY_VALUE),)


def _with_handling(lane: Lane, made: Lane, deployment: Deployment, operation: Operation) -> Lane:
    """The lane as the operator wants this deployment to be asked; nearly always it is the same.

    ``made`` is the one that writes requests, which ``lane`` may be around.
    """
    if deployment.handling.cache_marks and operation in CLIENTS:
        relays = operation is Operation.MESSAGES and isinstance(made, NativeLane)
        lane = with_cache_marks(lane, deployment, relays_messages=relays)
    if deployment.handling.forwards_user and operation in CLIENTS:
        lane = UserForwardingLane(lane)
    if deployment.handling.upload_megabytes_max is not None and operation in BOUNDED:
        lane = UploadBoundLane(lane, deployment.handling.upload_megabytes_max)
    return lane


def _has_responses(deployment: Deployment) -> bool:
    """Whether its server may have the route, and is to be asked there."""
    if deployment.handling.mock_response is not None or deployment.handling.chats_only:
        return False
    provider = find_provider(deployment.provider)
    if provider is None or provider.native in _RELAYING:
        return True
    return provider.native is None and not provider.long_tail


def _extras_lane(deployment: Deployment, operation: Operation, *, native: bool) -> Lane:
    """The lane for what is no conversation.

    Raises:
        Unsupported: the provider has nothing for it.
    """
    if native and (deployment.provider, operation) not in _EXTRAS_OF_NATIVE:
        path = EXTRAS_PATHS[operation].decode()
        raise Unsupported(
            f"{deployment.provider} does not serve {path}.",
            hint="Choose a model of a provider that speaks OpenAI's API.",
            param="model",
            code="unsupported_operation",
        )
    return ExtrasLane(deployment, operation)
