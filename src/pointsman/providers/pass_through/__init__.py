"""Providers' own APIs under ``/{provider}/…``: address and credentials are the operator's, the rest is the caller's."""

from __future__ import annotations

from pointsman.providers.pass_through.book import PassageBook, passage_names

__all__ = ["PassageBook", "passage_names"]
