"""Far sides whose requests bear the headers of a credential."""

from __future__ import annotations

import msgspec

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Deployment, Outbound
from pointsman.providers.tokens import Credential
from pointsman.providers.translated.embeddings import EmbeddingFar, EmbeddingReading
from pointsman.providers.translated.sides import FarSide, Reading

__all__ = ["SignedEmbeddingFar", "SignedFar"]


class SignedFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`. The credential must have been prepared before."""

    def __init__(self, far: FarSide, credential: Credential) -> None:
        self._far = far
        self._credential = credential

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        outbound = self._far.write(call, deployment)
        return msgspec.structs.replace(outbound, headers=(*outbound.headers, *self._credential.headers()))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        reading = self._far.reading(call, deployment)

        def read_error(status: int, body: bytes) -> GatewayError:
            self._credential.answered(status)
            return reading.read_error(status, body)

        return msgspec.structs.replace(reading, read_error=read_error)


class SignedEmbeddingFar:
    """See :class:`.embeddings.EmbeddingFar`. The credential must have been prepared before."""

    def __init__(self, far: EmbeddingFar, credential: Credential) -> None:
        self._far = far
        self._credential = credential

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        outbound = self._far.write(call, deployment)
        return msgspec.structs.replace(outbound, headers=(*outbound.headers, *self._credential.headers()))

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        reading = self._far.reading(call, deployment)

        def read_error(status: int, body: bytes) -> GatewayError:
            self._credential.answered(status)
            return reading.read_error(status, body)

        return msgspec.structs.replace(reading, read_error=read_error)
