"""The operator's rules about where requests go: what they look at, which match, and what follows from them."""

from __future__ import annotations

from pointsman.routing.rules.book import Rulebook
from pointsman.routing.rules.facts import Facts
from pointsman.routing.rules.ruling import Demands, Overflow, Ruling

__all__ = ["Demands", "Facts", "Overflow", "Rulebook", "Ruling"]
