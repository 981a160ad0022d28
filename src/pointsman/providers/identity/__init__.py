"""Identity providers: their public keys, what they publish of themselves, and the sign-in by authorization code."""

from __future__ import annotations

from pointsman.providers.identity.code_flow import CodeFlow, Proven
from pointsman.providers.identity.documents import DocumentBook, ProviderDocument
from pointsman.providers.identity.fetching import IdentityFetcher
from pointsman.providers.identity.key_sets import KeySetBook
from pointsman.providers.identity.parties import IdentityParty

__all__ = [
    "CodeFlow",
    "DocumentBook",
    "IdentityFetcher",
    "IdentityParty",
    "KeySetBook",
    "Proven",
    "ProviderDocument",
]
