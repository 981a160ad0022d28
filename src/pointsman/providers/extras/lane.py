"""The lane to a provider that makes pictures, or ranks, in words of its own. Its answers are whole, never streamed."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pointsman.core.errors import GatewayError, Unsupported
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.providers.express.extras_answer import ExtrasAnswer
from pointsman.providers.parameters import Dropped, ruled, shown
from pointsman.providers.tokens import Credential
from pointsman.providers.translated import Preparation

__all__ = ["ExtrasFar", "SignedExtrasFar", "TranslatedExtrasAnswer", "TranslatedExtrasLane"]


class ExtrasFar(Protocol):
    """A provider's own words for one operation."""

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """The upstream's request. The fields of a form are read from its notes.

        Raises:
            Malformed, Unsupported: the message names the field.
        """
        ...

    def read(self, body: bytes, ask: Ask) -> bytes:
        """The client's answer; what it says of usage is what is charged.

        Raises:
            UpstreamFailed: the body cannot be read, or tells of a failure.
        """
        ...

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """What an error answer means."""
        ...


class TranslatedExtrasLane:
    """See :class:`pointsman.core.upstream.Lane`. The ``preparations`` are gone through one after the other."""

    def __init__(self, far: ExtrasFar, deployment: Deployment, preparations: tuple[Preparation, ...] = ()) -> None:
        self.prepares = bool(preparations)
        self._far = far
        self._deployment = deployment
        self._preparations = preparations
        self._dropped = Dropped.of(deployment.additional_drop_params)

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        for preparation in self._preparations:
            await preparation(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        deployment = self._deployment if ask.rules is None else ruled(self._deployment, ask.rules)
        if ask.stream:
            raise Unsupported(
                f"{deployment.provider} gives such answers whole, so stream is not possible.",
                hint="Leave it out.",
                param="stream",
            )
        return self._far.write(shown(ask, self._dropped), deployment)

    def answer(self, ask: Ask) -> TranslatedExtrasAnswer:
        """See the protocol."""
        answer = TranslatedExtrasAnswer(ask, far=self._far)
        answer.content_type = b""
        return answer


class TranslatedExtrasAnswer(ExtrasAnswer, kw_only=True):
    """See :class:`pointsman.core.upstream.Answer`; metered by what the client is told."""

    far: ExtrasFar

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        error = self.far.read_error(status, body)
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        return ExtrasAnswer.whole(self, self.far.read(body, self.ask))


class SignedExtrasFar:
    """An :class:`ExtrasFar` whose requests bear the headers of a credential, which must have been prepared before."""

    def __init__(self, far: ExtrasFar, credential: Credential) -> None:
        self._far = far
        self._credential = credential

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """See the protocol."""
        outbound = self._far.write(ask, deployment)
        return msgspec.structs.replace(outbound, headers=(*outbound.headers, *self._credential.headers()))

    def read(self, body: bytes, ask: Ask) -> bytes:
        """See the protocol."""
        return self._far.read(body, ask)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """See the protocol."""
        self._credential.answered(status)
        return self._far.read_error(status, body)
