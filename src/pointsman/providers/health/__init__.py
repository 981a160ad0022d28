"""Whether deployments are well: from traffic, from discovery, by asking for lists, and never by making a model work.

Reading order: ``hops`` (what is found on the way to a model), ``questions`` and ``answers`` (what a server is asked),
``examine`` (one deployment), ``verdict``, ``book`` and ``watch`` (all of them, over time).
"""

from __future__ import annotations

from pointsman.providers.health.book import HealthBook, HealthEntry
from pointsman.providers.health.credentials import Admittance
from pointsman.providers.health.examine import examine
from pointsman.providers.health.hops import Hop, HopName, HopStatus, failed_hop, first_failure
from pointsman.providers.health.sharing import SharedFetcher
from pointsman.providers.health.verdict import Verdict
from pointsman.providers.health.watch import HealthSettings, HealthWatch

__all__ = [
    "Admittance",
    "HealthBook",
    "HealthEntry",
    "HealthSettings",
    "HealthWatch",
    "Hop",
    "HopName",
    "HopStatus",
    "SharedFetcher",
    "Verdict",
    "examine",
    "failed_hop",
    "first_failure",
]
