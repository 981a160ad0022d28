"""Providers that only LiteLLM's library knows, through that library, where the extra ``[litellm]`` is installed.

It is slow to import, brings a hundred packages, and does a hundred times the work of a call of ours; so it is imported
only when the configuration names such a provider, in a thread, and everything else never notices.
"""

from __future__ import annotations

from pointsman.providers.long_tail.flight import LibraryFlight
from pointsman.providers.long_tail.library import Library, Loading, is_installed
from pointsman.providers.long_tail.sender import LongTailSender

__all__ = ["Library", "LibraryFlight", "Loading", "LongTailSender", "is_installed"]
