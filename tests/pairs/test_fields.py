"""Every field that LiteLLM 1.109.1's management routes take is heeded, kept with a warning, or refused by its name.

``litellm-1.109.1-fields.json`` was recorded from the real one's own description, by
``scripts/record_litellm_fields.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pointsman.admin.keys.guarding import GUARDING_FIELDS
from pointsman.admin.keys.restrictions import HEEDED_FIELDS, KEPT_FIELDS, REFUSED_FIELDS
from pointsman.admin.organizations.requests import ORGANIZATION_PASSIVE
from pointsman.admin.people.passive import Passive
from pointsman.admin.projects.requests import PROJECT_PASSIVE
from pointsman.admin.route import Nothing, Route
from pointsman.admin.table import ROUTES
from pointsman.admin.teams.requests import TEAM_PASSIVE
from pointsman.admin.users.requests import NEW_USER_PASSIVE, USER_PASSIVE


class Taken(msgspec.Struct, frozen=True):
    """What LiteLLM takes at one route."""

    body: tuple[str, ...]
    query: tuple[str, ...]


RECORD: Final = msgspec.json.decode(
    Path(__file__).with_name("litellm-1.109.1-fields.json").read_bytes(), type=dict[str, Taken]
)
_PARAMETER: Final = re.compile(r"\{[^}]*\}")
_PASSAGE: Final = frozenset({"allowed_passthrough_routes", "denied_passthrough_routes"})
_KEYS: Final = Passive(REFUSED_FIELDS, KEPT_FIELDS | HEEDED_FIELDS | GUARDING_FIELDS | _PASSAGE)

PASSIVE: Final[Mapping[str, Passive]] = {
    "POST /key/generate": _KEYS,
    "POST /key/service-account/generate": _KEYS,
    "POST /key/update": _KEYS,
    "POST /key/regenerate": _KEYS,
    "POST /key/{}/regenerate": _KEYS,
    "POST /user/new": NEW_USER_PASSIVE,
    "POST /user/update": USER_PASSIVE,
    "POST /team/new": TEAM_PASSIVE,
    "POST /team/update": TEAM_PASSIVE,
    "PATCH /team/{}": TEAM_PASSIVE,
    "POST /project/new": PROJECT_PASSIVE,
    "POST /project/update": PROJECT_PASSIVE,
    "POST /organization/new": ORGANIZATION_PASSIVE,
    "PATCH /organization/update": ORGANIZATION_PASSIVE,
    "PATCH /v2/organization/{}": ORGANIZATION_PASSIVE,
}
"""Fields that are in no struct: kept, or refused."""

WITHOUT_EFFECT: Final[Mapping[str, frozenset[str]]] = {
    # Of Codex, of LiteLLM's pages, and of fallbacks, which GET /model_group/info and explaining tell of.
    "/v1/models": frozenset({"client_version", "fallback_type", "include_metadata", "scope"}),
    "/models": frozenset({"client_version", "fallback_type", "include_metadata", "scope"}),
    "/v1/models/{}": frozenset({"healthy_only", "team_id"}),
    "/models/{}": frozenset({"healthy_only", "team_id"}),
    # Of the Responses API, whose journeys are elsewhere.
    "/v1/responses/{}": frozenset({"include", "include_obfuscation"}),
    "/responses/{}": frozenset({"include", "include_obfuscation"}),
    "/openai/v1/responses/{}": frozenset({"include", "include_obfuscation"}),
    # Counts are estimates, whatever the client calls with them.
    "/utils/token_counter": frozenset({"call_endpoint"}),
    # Servers of MCP are not there yet.
    "/user/info": frozenset({"admin_mcp", "mcp_path", "mcp_tool"}),
    # FastAPI's own, by a slip.
    "/team/available": frozenset({"response_model"}),
    # Calls are not grouped into sessions, and there are no health checks among them.
    "/spend/logs/v2": frozenset({"exclude_internal_health_checks", "group_by_session", "session_cursor"}),
    # Every key is told.
    **{
        f"/{kind}/daily/activity/aggregated": frozenset({"api_key_limit"})
        for kind in ("user", "team", "organization", "customer", "tag")
    },
}
"""Parameters of queries that change nothing here, and would narrow nothing."""


def _served() -> Iterator[tuple[str, Route[Any, Any]]]:
    for route in ROUTES:
        for path in route.paths:
            name = f"{route.method} {_PARAMETER.sub('{}', path)}"
            if name in RECORD:
                yield name, route


SERVED: Final = dict(_served())


def _fields(kind: type[msgspec.Struct]) -> set[str]:
    return set() if kind is Nothing else {field.encode_name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize("name", SERVED)
def test_every_field_is_heeded_or_kept_or_refused(name: str) -> None:
    route, taken = SERVED[name], RECORD[name]
    passive = PASSIVE.get(name, Passive(frozenset(), frozenset()))
    routing = {"router_settings"} if passive.routing else set()
    assert set(taken.body) - _fields(route.body) - passive.refused - passive.kept - routing == set()
    silent = WITHOUT_EFFECT.get(name.partition(" ")[2], frozenset())
    assert set(taken.query) - _fields(route.query) == silent


def test_the_record_is_of_the_routes_that_matter() -> None:
    assert len(SERVED) > 90
    assert "budget_fallbacks" in RECORD["POST /key/generate"].body
