"""The headers that let a control question in: those of a deployment's requests, as far as they are not signatures."""

from __future__ import annotations

from typing import Final

from pointsman.core.access import AwsAccess, AzureAccess, GoogleAccess, IbmAccess
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.providers.azure import azure_credential
from pointsman.providers.bedrock import AwsKeyring
from pointsman.providers.google import google_credential
from pointsman.providers.tokens import Credential, TokenBook
from pointsman.providers.watsonx import watsonx_credential

__all__ = ["Admittance"]

_NO_REQUEST: Final = Ask(Operation.CHAT, "", {})
"""Stands for the request that credentials are prepared for; they are the same for all."""


class Admittance:
    """Gets the credentials of deployments, out of the book and the keyring that requests use."""

    def __init__(self, book: TokenBook, keyring: AwsKeyring) -> None:
        self._book = book
        self._keyring = keyring

    async def headers(self, deployment: Deployment) -> tuple[tuple[str, str], ...]:
        """Header names and values. For AWS, whose requests are signed, only that there are keys is made sure of.

        Raises:
            UpstreamFailed: there are no credentials; the message says where they were looked for.
        """
        access = deployment.access
        found = {name.lower(): (name, value.reveal()) for name, value in deployment.headers.items()}
        if deployment.api_key is not None:
            name, key = deployment.key_header, deployment.api_key.reveal()
            found.setdefault(name.lower(), (name, f"Bearer {key}" if name == "Authorization" else key))
        elif isinstance(access, AwsAccess):
            source = self._keyring.source(access)
            if source.recall() is None:
                await source.learn()
        credential = self._credential(deployment)
        if credential is not None:
            await credential.prepare(_NO_REQUEST)
            found |= {name.lower(): (name, value.reveal()) for name, value in credential.headers()}
        return tuple(found.values())

    def _credential(self, deployment: Deployment) -> Credential | None:
        access = deployment.access
        if isinstance(access, AzureAccess):
            return azure_credential(deployment, access, self._book)
        if isinstance(access, IbmAccess):
            return watsonx_credential(access, self._book)
        return google_credential(access, self._book) if isinstance(access, GoogleAccess) else None
