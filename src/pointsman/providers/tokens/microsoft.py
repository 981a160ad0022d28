"""Tokens of Microsoft Entra ID, for Azure.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (a client's secret, or an
assertion that a Kubernetes or a CI system gives), https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
and https://learn.microsoft.com/azure/app-service/overview-managed-identity (what the machine itself may).
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import Unreachable
from pointsman.core.secret import Secret
from pointsman.providers.tokens.answers import ask_token, read_grant
from pointsman.providers.tokens.book import Grant
from pointsman.providers.tokens.credential import credentials_refused
from pointsman.providers.transport import Fetcher

__all__ = ["ClientSecret", "FederatedIdentity", "ManagedIdentity"]

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_IMDS: Final = "http://169.254.169.254/metadata/identity/oauth2/token"
_IMDS_SECONDS: Final = 3.0
_TOKEN_BYTES_MAX: Final = 64 * 1024
_HINT: Final = "Check tenant_id, client_id, client_secret and azure_scope of this deployment."


class ClientSecret(msgspec.Struct, frozen=True):
    """A service principal with a secret. ``authority`` is the address of the token service."""

    authority: str
    tenant_id: str
    client_id: str
    client_secret: Secret
    scope: str

    @property
    def identity(self) -> str:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        digest = sha256(self.client_secret.reveal().encode("utf-8", "surrogateescape")).hexdigest()
        return f"{self.authority}\n{self.tenant_id}\n{self.client_id}\n{digest}\n{self.scope}"

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.reveal(),
            "scope": self.scope,
        }
        url = _token_url(self.authority, self.tenant_id)
        return await ask_token(fetcher, url, form, now=clock.wall(), hint=_HINT)


class FederatedIdentity(msgspec.Struct, frozen=True):
    """A service principal that trusts somebody else's tokens: those in ``token_file``, read anew each time."""

    authority: str
    tenant_id: str
    client_id: str
    token_file: str
    scope: str

    @property
    def identity(self) -> str:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        return f"{self.authority}\n{self.tenant_id}\n{self.client_id}\n{self.token_file}\n{self.scope}"

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": await asyncio.to_thread(_read_token, self.token_file),
            "scope": self.scope,
        }
        hint = "Check the federated credential of this identity: its issuer, subject and audience."
        return await ask_token(fetcher, _token_url(self.authority, self.tenant_id), form, now=clock.wall(), hint=hint)


class ManagedIdentity(msgspec.Struct, frozen=True):
    """What the machine is: a virtual machine asks its metadata service, an App Service its ``endpoint``.

    ``client_id`` chooses among several identities of the machine.
    """

    scope: str
    client_id: str | None = None
    endpoint: str | None = None
    secret: Secret | None = None

    @property
    def identity(self) -> str:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        return "\n".join(("machine", self.endpoint or _IMDS, self.client_id or "", self.scope))

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        query = {
            "api-version": "2019-08-01" if self.endpoint else "2018-02-01",
            "resource": self.scope.removesuffix("/.default"),
        }
        if self.client_id:
            query["client_id"] = self.client_id
        headers = (("X-IDENTITY-HEADER", self.secret.reveal()),) if self.secret else (("Metadata", "true"),)
        url = f"{self.endpoint or _IMDS}?{urlencode(query)}"
        try:
            reply = await fetcher.fetch("GET", url, headers=headers, timeout_seconds=_IMDS_SECONDS)
        except Unreachable:
            raise credentials_refused(
                "No credentials for Azure: no api_key is set, and this machine has no managed identity.",
                "Set api_key, azure_ad_token, or tenant_id, client_id and client_secret for this deployment.",
            ) from None
        hint = "Is a managed identity assigned to this machine, and may it use the Azure resource?"
        return read_grant(reply, url, now=clock.wall(), hint=hint)


def _token_url(authority: str, tenant: str) -> str:
    host = authority if "://" in authority else f"https://{authority}"
    return f"{host.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"


def _read_token(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(_TOKEN_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise credentials_refused(
            f"The federated token cannot be read ({type(problem).__name__}).",
            "Check AZURE_FEDERATED_TOKEN_FILE: it must be readable by the gateway.",
        ) from None
