"""What a deployment's requests are let in with beyond a fixed key: headers got before a request is written."""

from __future__ import annotations

from typing import Final, Protocol

from pointsman.core.errors import Rejected
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask
from pointsman.providers.tokens.book import Grant, TokenBook, TokenSource

__all__ = [
    "Credential",
    "FixedCredential",
    "Headers",
    "MissingCredential",
    "TokenCredential",
    "credentials_refused",
    "token_in",
]

_BEARER: Final = "Authorization"

Headers = tuple[tuple[str, Secret], ...]
"""See :attr:`pointsman.core.upstream.Outbound.headers`."""


class Credential(Protocol):
    """Shared by all requests to one deployment.

    ``prepare`` is a :data:`~pointsman.providers.translated.lane.Preparation`, to be awaited before ``headers``.
    """

    async def prepare(self, ask: Ask) -> None:
        """See to it that there is a token.

        Raises:
            UpstreamFailed: none is to be had.
        """
        ...

    def headers(self) -> Headers:
        """The headers for a request that is about to be sent."""
        ...

    def project(self) -> str | None:
        """The cloud's project that the identity belongs to, where that is known."""
        ...

    def answered(self, status: int) -> None:
        """The upstream answered with an error status."""
        ...


class TokenCredential:
    """A bearer token out of the book."""

    def __init__(self, book: TokenBook, source: TokenSource) -> None:
        self._book = book
        self._source = source
        self._grant: Grant | None = None
        self._headers: Headers = ()

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        grant = self._book.recall(self._source) or await self._book.learn(self._source)
        if grant is not self._grant:
            self._grant = grant
            self._headers = ((_BEARER, Secret(f"Bearer {grant.token.reveal()}")),)

    def headers(self) -> Headers:
        """See the protocol."""
        return self._headers

    def project(self) -> str | None:
        """See the protocol."""
        return None if self._grant is None else self._grant.project

    def answered(self, status: int) -> None:
        """See the protocol. A token that was taken back before its time is not sent again."""
        if status == 401 and self._grant is not None:
            self._book.forget(self._source, self._grant)


class FixedCredential:
    """A token that the operator got, and sees to; ``scheme`` is the word before it."""

    def __init__(self, token: Secret, scheme: str = "Bearer") -> None:
        self._headers: Headers = ((_BEARER, Secret(f"{scheme} {token.reveal()}")),)

    async def prepare(self, ask: Ask) -> None:
        """Nothing to be got."""

    def headers(self) -> Headers:
        """See the protocol."""
        return self._headers

    def project(self) -> str | None:
        """Nobody says."""
        return None

    def answered(self, status: int) -> None:
        """Nothing to be done about it."""


class MissingCredential:
    """Stands in where nothing can let a request in, so that each is told why."""

    def __init__(self, message: str, hint: str) -> None:
        self._message = message
        self._hint = hint

    async def prepare(self, ask: Ask) -> None:
        """Refuse.

        Raises:
            Rejected: always.
        """
        raise credentials_refused(self._message, self._hint)

    def headers(self) -> Headers:
        """None."""
        return ()

    def project(self) -> str | None:
        """Nobody says."""
        return None

    def answered(self, status: int) -> None:
        """Nothing to be done about it."""


def token_in(headers: Headers) -> bytes:
    """The bearer token among the headers, should an upstream echo it; empty if there is none."""
    return next((value.reveal().removeprefix("Bearer ").encode() for name, value in headers if name == _BEARER), b"")


def credentials_refused(message: str, hint: str) -> Rejected:
    """The error for a deployment that no token is to be had for; the request itself was sent to nobody."""
    error = Rejected(message, hint=hint, status=401, code="upstream_credentials", kind="authentication_error")
    error.sent = False
    return error
