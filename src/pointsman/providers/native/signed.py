"""The relay to an upstream in a cloud: the same, with what the cloud demands before it lets a request in."""

from __future__ import annotations

import msgspec

from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.providers.native.lane import NativeDialect, NativeLane
from pointsman.providers.native.relayed import RelayedAnswer
from pointsman.providers.tokens import Credential

__all__ = ["SignedNativeLane"]


class SignedNativeLane(NativeLane):
    """See :class:`pointsman.core.upstream.Lane`.

    ``headers`` go with every request, beside those of the credential; None: a fixed key is all that it takes.
    """

    def __init__(
        self,
        deployment: Deployment,
        dialect: NativeDialect,
        credential: Credential | None,
        headers: tuple[tuple[str, Secret], ...] = (),
    ) -> None:
        super().__init__(deployment, dialect)
        self.prepares = credential is not None
        self._credential = credential
        self._headers = headers

    async def prepare(self, ask: Ask) -> None:
        """See the protocol; only a credential has to be got."""
        if self._credential is not None:
            await self._credential.prepare(ask)

    async def question(self, ask: Ask) -> Outbound:
        """See the superclass."""
        await self.prepare(ask)
        return self.signed(await super().question(ask))

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self.signed(super().write(ask))

    def signed(self, outbound: Outbound) -> Outbound:
        """The request with what lets it in; the credential must have been prepared before."""
        headers = (*outbound.headers, *self._headers)
        if self._credential is not None:
            headers = (*headers, *self._credential.headers())
        return msgspec.structs.replace(outbound, headers=headers)

    def answer(self, ask: Ask) -> RelayedAnswer:
        """See the protocol."""
        answer = super().answer(ask)
        if self._credential is not None:
            answer.on_error = self._credential.answered
        return answer
