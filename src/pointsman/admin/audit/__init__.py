"""The audit log: ``recording`` writes every change down as it is dispatched, ``showing`` tells of it.

Reading order: ``kinds`` (what a request that tells nothing of its change is taken to change), ``recording``,
``showing``, ``export``.
"""

from __future__ import annotations
