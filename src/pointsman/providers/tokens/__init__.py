"""Tokens that clouds give for an identity, kept as long as they are good and asked for once."""

from __future__ import annotations

from pointsman.providers.tokens.book import Fetcher, Grant, TokenBook, TokenSource
from pointsman.providers.tokens.credential import Credential, FixedCredential, MissingCredential, TokenCredential

__all__ = [
    "Credential",
    "Fetcher",
    "FixedCredential",
    "Grant",
    "MissingCredential",
    "TokenBook",
    "TokenCredential",
    "TokenSource",
]
