"""The lane from a client's dialect to a model on Bedrock."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.eager import become_task
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Ask, Deployment, Lane, Operation, Outbound
from pointsman.providers.bedrock.embedding import BedrockEmbeddingFar
from pointsman.providers.bedrock.far import BedrockFar
from pointsman.providers.bedrock.keys import AwsKeyring, KeySource
from pointsman.providers.bedrock.place import base_model, invoke_path
from pointsman.providers.bedrock.signer import BedrockSigner
from pointsman.providers.extras import BedrockPictures, BedrockRanking, ExtrasFar, TranslatedExtrasLane
from pointsman.providers.media import MediaFetcher
from pointsman.providers.translated import CLIENTS, EMBEDDING_CLIENTS, ClientSide, read_call, translated_lane
from pointsman.providers.translated.remote_media import has_remote_media, inline_remote_media
from pointsman.providers.transport import Fetcher

__all__ = ["BedrockServices", "bedrock_lane", "bedrock_signer"]


_EXTRAS: Final = frozenset({Operation.IMAGE, Operation.IMAGE_EDIT, Operation.RERANK})
"""What is asked for by ``InvokeModel``, besides embeddings."""


class BedrockServices(msgspec.Struct, frozen=True):
    """What all lanes to Bedrock share."""

    keyring: AwsKeyring
    media: MediaFetcher
    fetcher: Fetcher
    nursery: Nursery
    clock: Clock = SYSTEM_CLOCK


def bedrock_lane(deployment: Deployment, operation: Operation, services: BedrockServices) -> Lane:
    """The lane; it waits for keys that are not known yet, and for what is remote, since Bedrock fetches nothing.

    Raises:
        Unsupported: Bedrock has nothing for this operation.
    """
    signer = bedrock_signer(deployment, services)
    if operation in _EXTRAS:
        return _extras_lane(deployment, operation, signer, services.clock)
    embedding_far = BedrockEmbeddingFar(deployment, signer, services.fetcher, services.nursery)
    client, embedding_client = CLIENTS.get(operation), EMBEDDING_CLIENTS.get(operation)

    async def prepare(ask: Ask) -> None:
        if client is not None:
            await _fetch_media(client, ask, services.media)
        await signer.prepare()
        if embedding_client is not None:
            await embedding_far.prepare(ask, embedding_client)

    far = BedrockFar(deployment, signer, services.clock)
    return translated_lane(operation, far, deployment, (prepare,), embedding_far=embedding_far)


def bedrock_signer(deployment: Deployment, services: BedrockServices) -> BedrockSigner:
    """Who signs what is sent to a deployment."""
    source: KeySource | None = None
    if deployment.api_key is None:
        access = deployment.access if isinstance(deployment.access, AwsAccess) else AwsAccess()
        source = services.keyring.source(access)
    return BedrockSigner(deployment, source, services.clock)


class _Signed:
    """An :class:`ExtrasFar` whose requests are signed; the signer must have been prepared before."""

    def __init__(self, far: ExtrasFar, signer: BedrockSigner) -> None:
        self._far = far
        self._signer = signer
        self.read = far.read
        self.read_error = far.read_error

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """See the protocol."""
        outbound = self._far.write(ask, deployment)
        return msgspec.structs.replace(outbound, headers=self._signer.headers(outbound.path, outbound.body))


def _extras_lane(deployment: Deployment, operation: Operation, signer: BedrockSigner, clock: Clock) -> Lane:
    async def prepare(_ask: Ask) -> None:
        await signer.prepare()

    path, model = invoke_path(deployment), base_model(deployment)
    far: ExtrasFar = BedrockPictures(path, model, clock=clock, error_of=signer.read_error)
    if operation is Operation.RERANK:
        far = BedrockRanking(path, model, signer.read_error)
    return TranslatedExtrasLane(_Signed(far, signer), deployment, (prepare,))


async def _fetch_media(client: ClientSide, ask: Ask, media: MediaFetcher) -> None:
    call = read_call(client, ask)
    if has_remote_media(call):
        await become_task()
        ask.call = await inline_remote_media(call, media)
