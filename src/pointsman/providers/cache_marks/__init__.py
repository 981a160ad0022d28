"""LiteLLM's ``cache_control_injection_points``: marks for a provider's prompt cache, which the operator sets.

What counts is what LiteLLM 1.109.1 does (``anthropic_cache_control_hook.py``): the operator's points in their order,
never on a message that the client has marked, and with the client's own no more than four, as Anthropic takes them.
Reading order: ``budget`` (which messages), ``calls`` (where requests are translated), ``bodies`` and ``lane`` (where
they are relayed).
"""

from __future__ import annotations

from pointsman.providers.cache_marks.calls import marked_call
from pointsman.providers.cache_marks.lane import with_cache_marks

__all__ = ["marked_call", "with_cache_marks"]
