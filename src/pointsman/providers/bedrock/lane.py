"""The lane from a client's dialect to a model on Bedrock."""

from __future__ import annotations

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.eager import become_task
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Ask, Deployment, Lane, Operation
from pointsman.providers.bedrock.embedding import BedrockEmbeddingFar
from pointsman.providers.bedrock.far import BedrockFar
from pointsman.providers.bedrock.keys import AwsKeyring, KeySource
from pointsman.providers.bedrock.signer import BedrockSigner
from pointsman.providers.media import MediaFetcher
from pointsman.providers.translated import CLIENTS, EMBEDDING_CLIENTS, ClientSide, read_call, translated_lane
from pointsman.providers.translated.remote_media import has_remote_media, inline_remote_media
from pointsman.providers.transport import Fetcher

__all__ = ["BedrockServices", "bedrock_lane", "bedrock_signer"]


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


async def _fetch_media(client: ClientSide, ask: Ask, media: MediaFetcher) -> None:
    call = read_call(client, ask)
    if has_remote_media(call):
        await become_task()
        ask.call = await inline_remote_media(call, media)
