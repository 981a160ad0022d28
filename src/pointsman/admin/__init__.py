"""The management API and every route that is not inference: keys, models, spend, health, metrics, documentation.

Reading order: ``table.py`` (which routes there are), ``route.py`` (what a route is), ``app.py`` (how a request
reaches its handler). Paths and field names are LiteLLM's.
"""

from __future__ import annotations

from pointsman.admin.app import make_app
from pointsman.admin.office import InferencePath, Office, Readiness
from pointsman.admin.table import RouteFact, routes

__all__ = ["InferencePath", "Office", "Readiness", "RouteFact", "make_app", "routes"]
