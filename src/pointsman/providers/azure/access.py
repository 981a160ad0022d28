"""What lets requests into an Azure resource: a key, a token, or what a token is got with."""

from __future__ import annotations

from typing import Final

from pointsman.core.access import AzureAccess
from pointsman.core.upstream import Deployment
from pointsman.providers.tokens import Credential, FixedCredential, MissingCredential, TokenBook, TokenCredential
from pointsman.providers.tokens.book import TokenSource
from pointsman.providers.tokens.microsoft import ClientSecret, FederatedIdentity, ManagedIdentity

__all__ = ["azure_credential"]

_AUTHORITY: Final = "https://login.microsoftonline.com"
_SCOPE: Final = "https://cognitiveservices.azure.com/.default"
_IDENTITY_FILE: Final = "oidc/file/"
_IDENTITY: Final = "oidc/"


def azure_credential(deployment: Deployment, access: AzureAccess, book: TokenBook) -> Credential | None:
    """The credential of a deployment; None where its key is all that it takes.

    The order is LiteLLM's: a given token, a key, a service principal; then what Azure's own tools would find.
    """
    if access.ad_token is not None:
        return _given(access, access.ad_token.reveal(), book)
    if deployment.api_key is not None:
        return None
    return TokenCredential(book, _source(access))


def _given(access: AzureAccess, token: str, book: TokenBook) -> Credential:
    if not token.startswith(_IDENTITY):
        return FixedCredential(access.ad_token) if access.ad_token is not None else _unknown()
    file = token.removeprefix(_IDENTITY_FILE) if token.startswith(_IDENTITY_FILE) else access.token_file
    if file is None or access.tenant_id is None or access.client_id is None:
        return _unknown()
    return TokenCredential(book, _federated(access, access.tenant_id, access.client_id, file))


def _unknown() -> Credential:
    return MissingCredential(
        "azure_ad_token refers to an identity that cannot be had.",
        "oidc/file/PATH and oidc/azure/ with AZURE_FEDERATED_TOKEN_FILE are known; both need tenant_id and client_id.",
    )


def _source(access: AzureAccess) -> TokenSource:
    scope = access.scope or _SCOPE
    tenant, client = access.tenant_id, access.client_id
    if tenant and client and access.client_secret:
        return ClientSecret(access.authority or _AUTHORITY, tenant, client, access.client_secret, scope)
    if tenant and client and access.token_file:
        return _federated(access, tenant, client, access.token_file)
    return ManagedIdentity(scope, client, access.identity_endpoint, access.identity_secret)


def _federated(access: AzureAccess, tenant: str, client: str, file: str) -> FederatedIdentity:
    return FederatedIdentity(access.authority or _AUTHORITY, tenant, client, file, access.scope or _SCOPE)
