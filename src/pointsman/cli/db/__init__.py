"""``pointsman db``: what operators do with the database. ``places`` tells which one, ``command`` is the commands."""

from __future__ import annotations

__all__: list[str] = []
