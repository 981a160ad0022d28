"""The lanes to Azure: requests in the dialect of the model that is asked are relayed, all others are translated."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.access import AzureAccess
from pointsman.core.call import Call
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Lane, Operation, Outbound
from pointsman.providers.azure.access import azure_credential
from pointsman.providers.azure.places import azure_path, claude_path, is_claude, model_in_azure, responses_path
from pointsman.providers.express import EXTRAS_PATHS, ExpressLane, ExpressWay, ExtrasLane
from pointsman.providers.media import MediaFetcher
from pointsman.providers.native import ANTHROPIC_MESSAGES, OPENAI_RESPONSES, AnthropicCount, CountWay, SignedNativeLane
from pointsman.providers.tokens import Credential, CredentialSigner, TokenBook
from pointsman.providers.translated import (
    CLIENTS,
    DOCUMENTS_BY_VALUE,
    EMBEDDING_CLIENTS,
    RESPONSES_MODE,
    AnthropicFar,
    EmbeddingFar,
    FarSide,
    OpenAIChatFar,
    OpenAIEmbeddingFar,
    OpenAIResponsesFar,
    Preparation,
    Reading,
    SignedEmbeddingFar,
    SignedFar,
    has_newer_limit,
    media_preparation,
    translated_lane,
)

__all__ = ["AzureClaudeFar", "azure_count", "azure_lane", "azure_responses_relay", "azure_signer"]

_ANTHROPIC_VERSION: Final = ("anthropic-version", Secret("2023-06-01"))

_EXPRESS: Final = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING})


def azure_lane(deployment: Deployment, operation: Operation, book: TokenBook, media: MediaFetcher) -> Lane:
    """The lane for ``operation`` to a deployment of the providers ``azure``, ``azure_text`` and ``azure_ai``.

    Raises:
        Unsupported: there is nothing for this operation.
    """
    access = deployment.access if isinstance(deployment.access, AzureAccess) else AzureAccess()
    credential = azure_credential(deployment, access, book)
    if is_claude(deployment.provider, deployment.model):
        if operation is Operation.MESSAGES:
            dialect = msgspec.structs.replace(ANTHROPIC_MESSAGES, path=claude_path(deployment))
            return SignedNativeLane(deployment, dialect, credential, (_ANTHROPIC_VERSION,))
        return _translated(deployment, operation, AzureClaudeFar(), credential)
    path = azure_path(deployment, operation, access.api_version)
    model = model_in_azure(deployment)
    answering = _answering_path(deployment, access) if deployment.mode == RESPONSES_MODE else None
    if answering is not None and operation not in EMBEDDING_CLIENTS and operation not in EXTRAS_PATHS:
        there = OpenAIResponsesFar(path=answering, model=model)
        return _translated(deployment, operation, there, credential, fetching=_fetching(operation, media))
    if operation in _EXPRESS:
        newer_limit = operation is Operation.CHAT and has_newer_limit(deployment)
        way = ExpressWay(path, path, model, credential, newer_limit=newer_limit)
        return ExpressLane(deployment, operation, way=way)
    if operation in EXTRAS_PATHS:
        return ExtrasLane(deployment, operation, way=ExpressWay(path, path, model, credential))
    embeddings = OpenAIEmbeddingFar(path=azure_path(deployment, Operation.EMBEDDING, access.api_version), model=model)
    far = OpenAIChatFar(path=path, model=model)
    return _translated(deployment, operation, far, credential, embeddings, _fetching(operation, media))


def _answering_path(deployment: Deployment, access: AzureAccess) -> bytes | None:
    """Where it takes requests for responses, whose version may be another one; None: nowhere."""
    return responses_path(deployment, access.responses_version or access.api_version)


def _fetching(operation: Operation, media: MediaFetcher) -> tuple[Preparation, ...]:
    client = CLIENTS.get(operation)
    return () if client is None else (media_preparation(client, media, DOCUMENTS_BY_VALUE),)


def azure_count(deployment: Deployment, book: TokenBook) -> CountWay | None:
    """The way to ask a deployment for the tokens of a conversation; only Anthropic's models have one."""
    if not is_claude(deployment.provider, deployment.model):
        return None
    access = deployment.access if isinstance(deployment.access, AzureAccess) else AzureAccess()
    credential = azure_credential(deployment, access, book)
    path = claude_path(deployment) + b"/count_tokens"
    return AnthropicCount(deployment, lambda: path, credential, (_ANTHROPIC_VERSION,))


def azure_responses_relay(deployment: Deployment, book: TokenBook) -> SignedNativeLane | None:
    """The lane that relays the Responses API; None where a deployment, or its version of Azure's API, has none."""
    access = deployment.access if isinstance(deployment.access, AzureAccess) else AzureAccess()
    path = _answering_path(deployment, access)
    if path is None:
        return None
    there = msgspec.structs.replace(deployment, model=model_in_azure(deployment))
    dialect = msgspec.structs.replace(OPENAI_RESPONSES, path=path)
    return SignedNativeLane(there, dialect, azure_credential(deployment, access, book))


def azure_signer(deployment: Deployment, book: TokenBook) -> CredentialSigner | None:
    """Who lets in what is passed on to the resource of a deployment; None: its key."""
    access = deployment.access if isinstance(deployment.access, AzureAccess) else AzureAccess()
    credential = azure_credential(deployment, access, book)
    return None if credential is None else CredentialSigner(credential)


class AzureClaudeFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`; Anthropic's dialect, under a path of Azure's."""

    def __init__(self) -> None:
        self._far = AnthropicFar()

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        outbound = self._far.write(call, deployment)
        return msgspec.structs.replace(outbound, path=claude_path(deployment), headers=(_ANTHROPIC_VERSION,))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return self._far.reading(call, deployment)


def _translated(
    deployment: Deployment,
    operation: Operation,
    far: FarSide,
    credential: Credential | None,
    embeddings: EmbeddingFar | None = None,
    fetching: tuple[Preparation, ...] = (),
) -> Lane:
    if credential is None:
        return translated_lane(operation, far, deployment, fetching, embedding_far=embeddings)
    signed = None if embeddings is None else SignedEmbeddingFar(embeddings, credential)
    preparations = (*fetching, credential.prepare)
    return translated_lane(operation, SignedFar(far, credential), deployment, preparations, embedding_far=signed)
