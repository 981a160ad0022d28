"""What lets requests into watsonx.ai: a token, a key of Cloud Pak for Data, or an API key that a token is got with."""

from __future__ import annotations

from typing import Final

from pointsman.core.access import IbmAccess
from pointsman.core.upstream import Deployment
from pointsman.providers.tokens import (
    Credential,
    CredentialSigner,
    FixedCredential,
    MissingCredential,
    TokenBook,
    TokenCredential,
)
from pointsman.providers.tokens.ibm import IAM_URL, IamKey

__all__ = ["watsonx_access", "watsonx_credential", "watsonx_signer"]

_ZEN: Final = "ZenApiKey"


def watsonx_access(deployment: Deployment) -> IbmAccess:
    """How a deployment is reached."""
    return deployment.access if isinstance(deployment.access, IbmAccess) else IbmAccess()


def watsonx_credential(access: IbmAccess, book: TokenBook) -> Credential:
    """The credential of a deployment; the order is LiteLLM's: a given token, a Zen key, an API key."""
    if access.token is not None:
        return FixedCredential(access.token)
    if access.zen_api_key is not None:
        return FixedCredential(access.zen_api_key, _ZEN)
    if access.api_key is not None:
        return TokenCredential(book, IamKey(access.api_key, access.iam_url or IAM_URL))
    return MissingCredential(
        "No credentials for watsonx.ai are configured.",
        "Set api_key, token or zen_api_key for this deployment, or WATSONX_APIKEY.",
    )


def watsonx_signer(deployment: Deployment, book: TokenBook) -> CredentialSigner:
    """Who lets in what is passed on to watsonx.ai for a deployment."""
    return CredentialSigner(watsonx_credential(watsonx_access(deployment), book))
