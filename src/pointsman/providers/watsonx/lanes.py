"""The lanes to watsonx.ai."""

from __future__ import annotations

from typing import Final

from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.media import MediaFetcher
from pointsman.providers.tokens import TokenBook
from pointsman.providers.translated import (
    CLIENTS,
    SignedEmbeddingFar,
    SignedFar,
    media_preparation,
    translated_lane,
)
from pointsman.providers.translated.remote_media import ToFetch
from pointsman.providers.watsonx.access import watsonx_access, watsonx_credential
from pointsman.providers.watsonx.far import WatsonxEmbeddingFar, WatsonxFar

__all__ = ["IMAGES_BY_VALUE", "watsonx_lane"]

IMAGES_BY_VALUE: Final = ToFetch(frozenset({"image"}))
"""It reads no addresses of images, and takes no documents."""


def watsonx_lane(deployment: Deployment, operation: Operation, book: TokenBook, media: MediaFetcher) -> Lane:
    """The lane for ``operation`` to a deployment at watsonx.ai.

    Raises:
        Unsupported: there is nothing for this operation.
    """
    credential = watsonx_credential(watsonx_access(deployment), book)
    client = CLIENTS.get(operation)
    fetching = () if client is None else (media_preparation(client, media, IMAGES_BY_VALUE),)
    return translated_lane(
        operation,
        SignedFar(WatsonxFar(), credential),
        deployment,
        (*fetching, credential.prepare),
        embedding_far=SignedEmbeddingFar(WatsonxEmbeddingFar(), credential),
    )
