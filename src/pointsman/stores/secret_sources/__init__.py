"""Services that keep secrets, for the references of a configuration: one module for each, in LiteLLM's names.

A service that is added implements :class:`pointsman.config.secret_sources.SecretSource` and gets its line in ``book``.
"""

from __future__ import annotations

from pointsman.stores.secret_sources.book import SecretSources
from pointsman.stores.secret_sources.hashicorp_vault import VaultSource

__all__ = ["SecretSources", "VaultSource"]
