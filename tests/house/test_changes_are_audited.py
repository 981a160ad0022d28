"""Every route by which something may be changed is in the audit log; a route that is not says why here."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.admin.table import ROUTES
from pointsman.core.identity import Scope
from tests.house.code_base import expect_none

ONLY_READ: Mapping[str, str] = {
    "POST /budget/info": "shows budgets, as LiteLLM has it",
    "POST /health/test_connection": "calls a model that is configured already",
    "POST /key/health": "says that the key works",
    "POST /organization/info": "shows organisations, as LiteLLM has it",
    "POST /tag/info": "shows tags, as LiteLLM has it",
    "POST /v2/key/info": "shows keys; their hashes are too many for a URL",
}
"""Routes that are no GET and change nothing."""

INFERENCE_ALONE = ("/responses", "/conversations", "/v1/responses", "/v1/conversations", "/openai/", "/utils/", "/api/")
"""Where clients of models ask things that are theirs, not the operator's: the ledger has these."""


def test_every_route_that_may_change_something_is_audited() -> None:
    bare = {
        f"{route.method} {path}" for route in ROUTES for path in route.paths
        if route.method != "GET" and not route.audited and route.scope is not Scope.INFERENCE
    }  # fmt: skip
    expect_none(sorted(bare ^ set(ONLY_READ)))


def test_routes_of_inference_that_are_no_get_are_none_of_the_operators() -> None:
    paths = [
        path for route in ROUTES for path in route.paths
        if route.method != "GET" and route.scope is Scope.INFERENCE
    ]  # fmt: skip
    assert len(paths) > 10
    expect_none(
        path for path in paths
        if not path.startswith(INFERENCE_ALONE) and not path.endswith(("ount_tokens", ":countTokens", "/explain"))
    )  # fmt: skip


def test_what_only_reads_is_no_get() -> None:
    assert all(not route.audited for route in ROUTES if route.method == "GET")
