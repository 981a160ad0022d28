"""The front door: what this is, its documentation, its routes and its metrics."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.admin.pages.documentation import front_page
from pointsman.admin.route import Answer, Nothing, RouteFact, Visit

__all__ = ["RoutesReply", "documentation", "front", "list_routes", "metrics", "openapi"]

_PROMETHEUS_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class RoutesReply(msgspec.Struct, frozen=True):
    """Every route there is, with what it demands."""

    routes: tuple[RouteFact, ...]


async def front(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """Says what is running here."""
    page, policy = front_page(docs=office.docs)
    return _page(page, policy)


async def documentation(_office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The documentation as a page that needs nothing from elsewhere."""
    return _page(visit.site.docs_page, visit.site.docs_policy)


async def openapi(_office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The OpenAPI document."""
    return Answer(visit.site.openapi())


async def list_routes(_office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Every route, with the scope it demands."""
    return Answer(RoutesReply(visit.site.facts))


async def metrics(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """The metrics for Prometheus."""
    return Answer(office.metrics_text(), media_type=_PROMETHEUS_TEXT)


def _page(page: bytes, policy: str) -> Answer:
    guards = (
        ("content-security-policy", policy),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    )
    return Answer(page, headers=guards, media_type="text/html")
