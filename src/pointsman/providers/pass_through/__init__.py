"""Providers' own APIs under ``/{provider}/…``: address and credentials are the operator's, the rest is the caller's."""

from __future__ import annotations

from pointsman.providers.pass_through.book import PassageBook, passage_names
from pointsman.providers.pass_through.signing import PassageSigner, SignerMaker

__all__ = ["PassageBook", "PassageSigner", "SignerMaker", "passage_names"]
