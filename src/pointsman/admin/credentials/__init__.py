"""``/credentials``: values for reaching providers, under names that models refer to. They are never shown again."""

from __future__ import annotations
