"""The far side of embeddings on Bedrock, and what goes before it where one request has to become several."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.eager import become_task
from pointsman.core.errors import GatewayError, Unsupported
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.bedrock_converse.embeddings import (
    EmbeddingKind,
    embedding_kind,
    read_embeddings,
    refuse_or_drop_embedding,
    write_embedding_requests,
)
from pointsman.providers.bedrock.place import base_model, invoke_path, named_model
from pointsman.providers.bedrock.signer import BedrockSigner
from pointsman.providers.translated import EmbeddingClient, EmbeddingReading, read_embedding_call
from pointsman.providers.transport import Fetcher

__all__ = ["BedrockEmbeddingFar"]

_AT_ONCE_MAX: Final = 8
"""Requests under way for one request of a client."""

_FIRST_ERROR_STATUS: Final = 400
_WAIT_DIGITS_MAX: Final = 6


class _Begun(EmbeddingCall, frozen=True):
    """A call of which a part has been answered: the bodies for all but the last of its requests."""

    answers: tuple[bytes, ...] = ()


class BedrockEmbeddingFar:
    """See :class:`pointsman.providers.translated.embeddings.EmbeddingFar`. For one deployment."""

    def __init__(self, deployment: Deployment, signer: BedrockSigner, fetcher: Fetcher, nursery: Nursery) -> None:
        self._deployment = deployment
        self._signer = signer
        self._fetcher = fetcher
        self._nursery = nursery
        self._path = invoke_path(deployment)
        self._operators = frozenset(deployment.pinned)

    async def prepare(self, ask: Ask, client: EmbeddingClient) -> None:
        """Have all but the last of the requests answered that a call comes to; mostly there is but one.

        Raises:
            GatewayError: one of them was refused.
        """
        call = read_embedding_call(client, ask)
        extra = {name: raw for name, raw in self._deployment.pinned.items() if name not in call.extra}
        bodies = self._bodies(msgspec.structs.replace(call, extra={**extra, **call.extra}))
        if len(bodies) > 1 and not ask.is_preview:
            await become_task()
            answers = await self._all(bodies[:-1])
            known = {name: getattr(call, name) for name in EmbeddingCall.__struct_fields__}
            ask.notes = _Begun(**known, answers=tuple(answers))

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol; the last of the requests."""
        body = self._bodies(call)[-1]
        return Outbound(self._path, body, headers=self._signer.headers(self._path, body))

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        before = call.answers if isinstance(call, _Begun) else ()
        kind, count = self._kind(), len(call.inputs)
        model = named_model(deployment.model)
        return EmbeddingReading(
            lambda body: read_embeddings((*before, body), kind, model, count), self._signer.read_error
        )

    def _kind(self) -> EmbeddingKind:
        kind = embedding_kind(base_model(self._deployment))
        if kind is None:
            raise Unsupported(
                "This model of Bedrock cannot be asked for embeddings here.",
                hint="Those of Amazon Titan and Cohere can.",
                param="model",
            )
        return kind

    def _bodies(self, call: EmbeddingCall) -> list[bytes]:
        kind, deployment = self._kind(), self._deployment
        call = refuse_or_drop_embedding(
            call,
            kind,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
            operators=self._operators,
        )
        return write_embedding_requests(call, kind)

    async def _all(self, bodies: Iterable[bytes]) -> list[bytes]:
        """The answers, in order. After a failure no more is asked."""
        gate = asyncio.Semaphore(_AT_ONCE_MAX)
        failures: list[GatewayError] = []

        async def one(body: bytes) -> bytes:
            async with gate:
                try:
                    return b"" if failures else await self._one(body)
                except GatewayError as error:
                    failures.append(error)
                    return b""

        tasks = [self._nursery.start(one(body), "embedding") for body in bodies]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        if failures:
            raise failures[0]
        return answers

    async def _one(self, body: bytes) -> bytes:
        deployment = self._deployment
        headers = [*deployment.headers.items(), *self._signer.headers(self._path, body)]
        if deployment.api_key is not None:
            headers.append((deployment.key_header, Secret(f"Bearer {deployment.api_key.reveal()}")))
        reply = await self._fetcher.fetch(
            "POST",
            deployment.api_base + self._path.decode("ascii"),
            body=body,
            headers=tuple((name, value.reveal()) for name, value in headers),
            timeout_seconds=deployment.timeouts.total or deployment.timeouts.load,
        )
        if reply.status >= _FIRST_ERROR_STATUS:
            error = self._signer.read_error(reply.status, reply.body)
            waits = reply.header(b"retry-after") or b""
            error.retry_after = float(waits) if waits.isdigit() and len(waits) < _WAIT_DIGITS_MAX else None
            raise error
        return reply.body
