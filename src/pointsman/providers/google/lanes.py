"""The lanes to Google: Gemini's own API, and Vertex AI with models of many makers."""

from __future__ import annotations

from typing import Final

from pointsman.core.access import GoogleAccess
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.upstream import Ask, Deployment, Lane, Operation
from pointsman.dialects.gemini.requests import path_of
from pointsman.dialects.gemini.types import GeminiTarget
from pointsman.providers.express import ExpressLane, ExpressWay
from pointsman.providers.extras import (
    ExtrasFar,
    GeminiPictures,
    ImagenPictures,
    SignedExtrasFar,
    TranslatedExtrasLane,
    VertexRanking,
    is_imagen,
)
from pointsman.providers.google.access import google_credential
from pointsman.providers.google.claude import VertexClaudeLane
from pointsman.providers.google.far_sides import VertexChatFar, VertexClaudeFar, VertexEmbeddingFar
from pointsman.providers.google.places import Family, VertexPlace, family_of, gemini_root, model_in_vertex, ranks
from pointsman.providers.google.relay import GeminiRelayLane, can_relay
from pointsman.providers.media import MediaFetcher
from pointsman.providers.tokens import Credential, TokenBook
from pointsman.providers.translated import (
    CLIENTS,
    FarSide,
    GeminiEmbeddingFar,
    GeminiFar,
    Preparation,
    SignedEmbeddingFar,
    SignedFar,
    ToFetch,
    media_preparation,
    translated_lane,
)
from pointsman.providers.translated.gemini import PathOf

__all__ = [
    "READ_BY_GEMINI",
    "READ_BY_VERTEX",
    "GoogleServices",
    "VertexExpressLane",
    "gemini_lane",
    "gemini_path",
    "vertex_lane",
]

_MODELS: Final = "models/"
_PICTURES: Final = frozenset({Operation.IMAGE, Operation.IMAGE_EDIT})
READ_BY_GEMINI: Final = (
    "https://generativelanguage.googleapis.com/",
    "https://www.youtube.com/",
    "https://youtu.be/",
)
"""Addresses that Gemini reads itself, so that nothing is fetched for it."""

READ_BY_VERTEX: Final = ("https://www.youtube.com/", "https://youtu.be/")
"""The same for Gemini on Vertex AI."""


class GoogleServices:
    """What all lanes to Google share."""

    __slots__ = ("book", "clock", "media")

    def __init__(self, media: MediaFetcher, book: TokenBook, clock: Clock = SYSTEM_CLOCK) -> None:
        self.media = media
        self.book = book
        self.clock = clock


def gemini_lane(deployment: Deployment, operation: Operation, services: GoogleServices) -> Lane:
    """The lane to a model under Gemini's own API.

    Raises:
        Unsupported: there is nothing for this operation.
    """
    if can_relay(operation, deployment):
        return GeminiRelayLane(deployment, gemini_path)
    if operation in _PICTURES:
        return TranslatedExtrasLane(_pictures(deployment, gemini_path, services.clock, vertex=False), deployment)
    media = _media(operation, services.media, READ_BY_GEMINI)
    far = GeminiFar(gemini_path, clock=services.clock)
    return translated_lane(operation, far, deployment, media, embedding_far=GeminiEmbeddingFar(gemini_path))


def vertex_lane(deployment: Deployment, operation: Operation, services: GoogleServices) -> Lane:
    """The lane to a model on Vertex AI.

    Raises:
        Unsupported: there is nothing for this operation.
    """
    access = deployment.access if isinstance(deployment.access, GoogleAccess) else GoogleAccess()
    credential = google_credential(access, services.book)
    place = VertexPlace(deployment, access, credential)
    family = family_of(deployment)
    if family not in {"gemini", "anthropic"} and operation is Operation.CHAT:
        return VertexExpressLane(deployment, place, credential)
    if family == "gemini" and can_relay(operation, deployment):
        return GeminiRelayLane(deployment, place.model_path, credential)
    if family == "gemini" and operation in _PICTURES:
        pictures = SignedExtrasFar(_pictures(deployment, place.model_path, services.clock, vertex=True), credential)
        return TranslatedExtrasLane(pictures, deployment, (credential.prepare,))
    if operation is Operation.RERANK and ranks(deployment.model):
        ranking = VertexRanking(lambda: (place.ranking_path(), place.project()), deployment.model)
        return TranslatedExtrasLane(SignedExtrasFar(ranking, credential), deployment, (credential.prepare,))
    if family == "anthropic" and operation is Operation.MESSAGES:
        return VertexClaudeLane(deployment, place, credential, services.media)
    media = _media(operation, services.media, READ_BY_VERTEX if family == "gemini" else ())
    far = SignedFar(_vertex_far(family, place, services.clock), credential)
    embedding_far = SignedEmbeddingFar(VertexEmbeddingFar(place), credential) if family == "gemini" else None
    preparations = (*media, credential.prepare)
    return translated_lane(operation, far, deployment, preparations, embedding_far=embedding_far)


class VertexExpressLane(ExpressLane):
    """From an OpenAI client to a model on Vertex AI that speaks OpenAI's dialect."""

    def __init__(self, deployment: Deployment, place: VertexPlace, credential: Credential) -> None:
        # The project may be one that only the credential knows, so the paths are made at the first request.
        way = ExpressWay(b"", b"", model_in_vertex(deployment), credential)
        super().__init__(deployment, Operation.CHAT, way=way)
        self._deployment = deployment
        self._place = place

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        await super().prepare(ask)
        if not self._path:
            self._path = self._place.chat_path(stream=False)
            self._stream_path = self._place.chat_path(stream=True)


def _pictures(deployment: Deployment, path_of: PathOf, clock: Clock, *, vertex: bool) -> ExtrasFar:
    if is_imagen(deployment.model):
        return ImagenPictures(path_of, deployment.model, edits=vertex, clock=clock)
    return GeminiPictures(path_of, deployment.model, chooses_format=vertex, clock=clock)


def _vertex_far(family: Family, place: VertexPlace, clock: Clock) -> FarSide:
    if family == "gemini":
        return GeminiFar(place.model_path, call_ids=False, clock=clock)
    if family == "anthropic":
        return VertexClaudeFar(place, clock)
    return VertexChatFar(place)


def _media(operation: Operation, media: MediaFetcher, left: tuple[str, ...]) -> tuple[Preparation, ...]:
    """What puts remote images and documents into a conversation; nothing else has any."""
    client = CLIENTS.get(operation)
    return () if client is None else (media_preparation(client, media, ToFetch(left=left)),)


def gemini_path(deployment: Deployment, verb: str) -> bytes:
    """Where Gemini's own API takes requests for a model, below the deployment's address."""
    model = deployment.model.removeprefix(_MODELS)
    return gemini_root(deployment.api_base).encode("ascii") + path_of(GeminiTarget(model), verb)
