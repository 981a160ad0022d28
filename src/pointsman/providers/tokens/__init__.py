"""Tokens that clouds give for an identity, kept as long as they are good and asked for once."""

from __future__ import annotations

from pointsman.providers.tokens.book import Grant, TokenBook, TokenSource
from pointsman.providers.tokens.credential import (
    Credential,
    FixedCredential,
    MissingCredential,
    TokenCredential,
    token_in,
)
from pointsman.providers.tokens.passage import CredentialSigner

__all__ = [
    "Credential",
    "CredentialSigner",
    "FixedCredential",
    "Grant",
    "MissingCredential",
    "TokenBook",
    "TokenCredential",
    "TokenSource",
    "token_in",
]
