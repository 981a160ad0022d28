"""What an OpenID provider publishes of itself.

Source: https://openid.net/specs/openid-connect-discovery-1_0.html, sections 3 and 4.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import UpstreamFailed
from pointsman.core.nursery import Nursery
from pointsman.providers.identity.fetching import IdentityFetcher, ask, unavailable

__all__ = ["DocumentBook", "ProviderDocument"]

FRESH_SECONDS: Final = 3600.0
DOCUMENTS_MAX: Final = 256
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


class ProviderDocument(msgspec.Struct, frozen=True):
    """The fields that are used; ``issuer`` is what its tokens must say."""

    issuer: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str | None = None
    jwks_uri: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False


class _Kept(msgspec.Struct, frozen=True):
    document: ProviderDocument
    until: float


_decode: Final = msgspec.json.Decoder(ProviderDocument).decode


class DocumentBook:
    """Documents by issuer, each kept for an hour, and beyond that while nobody answers."""

    def __init__(self, fetcher: IdentityFetcher, nursery: Nursery, clock: Clock = SYSTEM_CLOCK) -> None:
        self._fetcher = fetcher
        self._nursery = nursery
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._questions: dict[str, asyncio.Task[ProviderDocument | None]] = {}

    async def document(self, issuer: str) -> ProviderDocument:
        """What the issuer publishes.

        Raises:
            GatewayError: it cannot be asked, or answers with what is none.
        """
        kept = self._kept.get(issuer)
        if kept is not None and self._clock.monotonic() < kept.until:
            return kept.document
        task = self._questions.get(issuer)
        if task is None:
            self._questions[issuer] = task = self._nursery.start(self._fetch(issuer), "identity provider")
        document = await asyncio.shield(task)
        if document is None and kept is not None:
            return kept.document
        if document is None:
            raise unavailable(issuer, f"there is no document for it at {_address(issuer)}.")
        return document

    async def _fetch(self, issuer: str) -> ProviderDocument | None:
        try:
            reply = await ask(self._fetcher, "GET", _address(issuer))
            document = _decode(reply.body) if reply.status == 200 else None
        except (UpstreamFailed, msgspec.MsgspecError, UnicodeDecodeError):
            document = None
        finally:
            self._questions.pop(issuer, None)
        # Section 4.3: a document that speaks for another issuer is not to be used. Microsoft's has a placeholder.
        if document is None or not _speaks_for(document.issuer, issuer):
            return None
        if len(self._kept) >= DOCUMENTS_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[issuer] = _Kept(document, self._clock.monotonic() + FRESH_SECONDS)
        return document


def _address(issuer: str) -> str:
    return issuer if issuer.endswith(_WELL_KNOWN) else issuer.rstrip("/") + _WELL_KNOWN


def _speaks_for(said: str, issuer: str) -> bool:
    wanted = issuer.removesuffix(_WELL_KNOWN).rstrip("/")
    return said.rstrip("/") == wanted or ("{tenantid}" in said and said.partition("{")[0] == _before_tenant(wanted))


def _before_tenant(issuer: str) -> str:
    """``https://login.microsoftonline.com/common/v2.0`` up to the tenant."""
    scheme, _, rest = issuer.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/"
