"""Measures LLM gateways side by side on one machine; ``bench/run`` is the door, ``bench/README.md`` the manual.

Reading order: ``command`` (what is run), ``rounds`` (fairness), ``window`` (one measurement), ``contenders`` (who),
``summary`` and ``report`` (what is said about it).
"""

from __future__ import annotations

__all__: list[str] = []
