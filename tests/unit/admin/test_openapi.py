from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pointsman.admin import routes
from pointsman.admin.inference_shapes import INFERENCE_SHAPES, INFERENCE_SUMMARIES
from pointsman.admin.table import ROUTES
from pointsman.core.identity import Scope
from pointsman.core.upstream import Operation
from tests.unit.admin.office_desk import Desk

"""How paths of POST end that take no body."""

GOLDEN = {
    "GET /": "public", "GET /docs": "public", "GET /openapi.json": "public", "GET /routes": "admin",
    "GET /metrics": "admin", "GET /metrics/": "admin", "GET /traffic": "admin",
    "GET /health": "inference", "GET /health/liveliness": "public", "GET /health/liveness": "public",
    "GET /health/readiness": "public", "GET /health/readiness/details": "inference", "GET /health/backlog": "inference",
    "GET /health/history": "inference", "GET /health/latest": "inference", "POST /health/test_connection": "admin",
    "GET /model/metrics": "admin", "GET /model/streaming_metrics": "admin",
    "GET /model/metrics/slow_responses": "admin", "GET /model/metrics/exceptions": "admin",
    "GET /queue": "self",
    "GET /v1/models": "inference", "GET /models": "inference", "GET /openai/models": "inference",
    "GET /openai/v1/models": "inference", "GET /v1/models/{model_id}": "inference", "GET /models/{model_id}": "inference",  # noqa: E501
    "GET /model/info": "inference", "GET /v1/model/info": "inference", "GET /model_group/info": "inference",
    "GET /v2/model/info": "inference",
    "POST /utils/token_counter": "inference",
    "GET /utils/supported_openai_params": "inference", "POST /utils/transform_request": "inference",
    "GET /api/tags": "inference", "GET /api/version": "public", "POST /api/show": "inference",
    "GET /api/ps": "inference", "POST /api/pull": "admin", "POST /api/push": "admin",
    "POST /api/create": "admin", "POST /api/copy": "admin", "POST /api/blobs/{digest}": "admin",
    "DELETE /api/delete": "admin",
    "GET /v1beta/models": "inference", "GET /v1alpha/models": "inference", "GET /gemini/v1beta/models": "inference",
    "GET /v1beta/models/{model_id}": "inference", "GET /v1alpha/models/{model_id}": "inference",
    "POST /v1beta/models/{model_id}:countTokens": "inference", "POST /v1/models/{model_id}:countTokens": "inference",
    "POST /v1alpha/models/{model_id}:countTokens": "inference",
    "POST /gemini/v1beta/models/{model_id}:countTokens": "inference",
    "POST /gemini/v1/models/{model_id}:countTokens": "inference",
    "POST /v1/messages/count_tokens": "inference", "POST /anthropic/v1/messages/count_tokens": "inference",
    "POST /key/generate": "admin", "POST /key/update": "admin", "POST /key/delete": "admin", "GET /key/info": "self",
    "POST /v2/key/info": "admin", "GET /key/list": "self", "POST /key/block": "admin", "POST /key/unblock": "admin",
    "POST /key/regenerate": "admin", "POST /key/{key}/regenerate": "admin", "POST /key/{key}/reset_spend": "admin",
    "GET /login": "public", "POST /login": "public", "GET /fallback/login": "public", "POST /v2/login": "public",
    "GET /sso/key/generate": "public", "GET /sso/callback": "public", "GET /sso/readiness": "public",
    "GET /ui": "public", "GET /ui/": "public", "POST /logout": "public", "GET /session": "self",
    "GET /sessions": "self", "POST /sessions/end_others": "self", "POST /user/password/change": "self",
    "POST /invitation/new": "management", "GET /invitation/info": "management",
    "POST /invitation/update": "management", "POST /invitation/delete": "management",
    "GET /onboarding/get_token": "public", "POST /onboarding/claim_token": "public",
    **dict.fromkeys(
        (
            "GET /spend/logs", "GET /spend/logs/v2", "GET /spend/logs/ui", "GET /spend/logs/ui/{request_id}",
            "GET /spend/export", "GET /billing/statement", "POST /spend/calculate",
            "GET /spend/keys", "GET /spend/users", "GET /spend/tags",
            *(f"GET /global/spend/{what}" for what in ("logs", "keys", "models", "provider", "tags", "all_tag_names")),
            "GET /global/all_end_users", "GET /global/activity", "GET /global/activity/model",
            "GET /global/activity/cache_hits", "GET /team/spend/by_user",
            *(f"GET /{whose}/spend/report" for whose in ("key", "user", "team", "organization")),
            *(
                f"GET /{account}/daily/activity{how}"
                for account in ("user", "team", "organization", "customer", "end_user", "tag")
                for how in ("", "/aggregated")
            ),
        ),
        "management",
    ),
    **dict.fromkeys(
        (
            "GET /spend/energy", "GET /global/spend", "GET /provider/budgets",
            "GET /global/spend/teams", "POST /global/spend/end_users",
            "GET /global/spend/report", "GET /global/activity/exceptions", "GET /global/activity/exceptions/deployment",
            *(f"GET /tag/{what}" for what in ("distinct", "dau", "wau", "mau", "summary")),
            "GET /tag/user-agent/per-user-analytics",
        ),
        "viewer",
    ),
    "POST /global/spend/reset": "admin", "POST /global/spend/refresh": "admin",
    "POST /hosts/load": "admin", "POST /hosts/unload": "admin",
    "POST /routing/explain": "inference", "POST /key/health": "self",
    "POST /model/new": "admin", "POST /model/update": "admin", "PATCH /model/{model_id}/update": "admin",
    "POST /model/delete": "admin", "POST /model/block": "admin", "POST /model/unblock": "admin",
    "POST /credentials": "admin", "GET /credentials": "viewer", "GET /credentials/by_name/{credential_name}": "viewer",
    "GET /credentials/by_model/{model_id}": "viewer", "PATCH /credentials/{credential_name}": "admin",
    "DELETE /credentials/{credential_name}": "admin", "GET /config/diff": "viewer", "POST /config/update": "admin",
    "POST /config/field/update": "admin", "POST /config/field/delete": "admin",
    "POST /config/callback/delete": "admin",
    "POST /credentials/migrate-encryption": "admin", "GET /credentials/migrate-encryption/check": "viewer",
    "GET /audit": "viewer", "GET /audit/export": "viewer", "GET /audit/{id}": "viewer",
    **{
        f"{method} {path}": scope
        for scope, requests in (
            ("admin", ("POST /budget/new POST /budget/update POST /budget/delete POST /tag/new POST /tag/update "
             "POST /tag/delete POST /v1/access_group PUT /v1/access_group/{access_group_id} "
             "DELETE /v1/access_group/{access_group_id} POST /access_group/new PUT /access_group/{access_group}/update "
             "DELETE /access_group/{access_group}/delete PUT /access_group/{access_group}/budget "
             "DELETE /access_group/{access_group}/budget")),
            ("viewer", ("POST /budget/info GET /budget/list GET /budget/settings POST /tag/info GET /v1/access_group "
             "GET /v1/access_group/{access_group_id} GET /access_group/list GET /access_group/{access_group}/info "
             "GET /access_group/{access_group}/budget")),
            ("management", "GET /tag/list"),
        )
        for method, path in zip(requests.split()[::2], requests.split()[1::2], strict=True)
    },
    **dict.fromkeys(
        (
            *(f"POST /user/{verb}" for verb in ("new", "update", "bulk_update", "delete")),
            *(f"GET /user/{verb}" for verb in ("info", "list", "filter/ui", "available_roles")),
            *(f"POST /team/{verb}" for verb in (
                "new", "update", "delete", "block", "unblock", "model/add", "model/delete", "member_add",
                "bulk_member_add", "member_delete", "member_update", "permissions_update", "permissions_bulk_update",
                "key/bulk_update", "{team_id}/member/{user_id}/reset_spend", "{team_id}/member/{user_id}/reset_budget",
            )),
            *(f"GET /team/{verb}" for verb in (
                "info", "list", "filter/ui", "available", "permissions_list", "{team_id}/members/me",
            )),
            *(f"POST /key/{verb}" for verb in (
                "generate", "service-account/generate", "update", "bulk_update", "delete", "block", "unblock",
                "regenerate", "{key}/regenerate", "{key}/reset_spend",
            )),
            "GET /key/aliases", "GET /key/info", "POST /v2/key/info", "GET /key/list",
            "GET /v2/user/info", "GET /v2/team/list", "PATCH /team/{team_id}",
            "POST /organization/new", "PATCH /organization/update", "PATCH /v2/organization/{organization_id}",
            "DELETE /organization/delete", "GET /organization/list", "GET /organization/info",
            "POST /organization/info", "POST /organization/member_add", "PATCH /organization/member_update",
            "DELETE /organization/member_delete",
            "POST /project/new", "POST /project/update", "DELETE /project/delete", "GET /project/info",
            "GET /project/list", "GET /project/daily/activity", "GET /project/daily/activity/aggregated",
        ),
        "management",
    ),
    **{
        f"{method} /{whom}/{verb}": scope
        for whom in ("customer", "end_user")
        for method, verb, scope in (
            *(("POST", verb, "admin") for verb in ("new", "update", "delete", "block", "unblock")),
            ("GET", "info", "viewer"), ("GET", "list", "viewer"),
        )
    },
    "POST /v1/chat/completions": "inference", "POST /v1/completions": "inference",
    "POST /openai/deployments/{model}/embeddings": "inference",
    **{
        f"{method} {prefix}{path}": "inference"
        for prefix in ("", "/v1", "/openai", "/openai/v1")
        for methods, path in (
            ("POST", "/responses/input_tokens"),
            ("GET DELETE", "/responses/{response_id}"),
            ("POST", "/responses/{response_id}/cancel"),
            ("GET", "/responses/{response_id}/input_items"),
            ("POST", "/conversations"),
            ("GET POST DELETE", "/conversations/{conversation_id}"),
            ("GET POST", "/conversations/{conversation_id}/items"),
            ("GET DELETE", "/conversations/{conversation_id}/items/{item_id}"),
        )
        for method in methods.split()
    },
}  # fmt: skip
"""Every route and what it demands. A change here is a change of the contract, or of who may do what."""


DELETES_BY_BODY = {
    "DELETE /api/delete", "DELETE /project/delete", "DELETE /organization/delete", "DELETE /organization/member_delete",
}  # fmt: skip
BODILESS = (
    "/cancel", "/logout", "/sessions/end_others", "/reset", "/refresh", "/reset_budget", "/key/health",
    "/migrate-encryption",
)  # fmt: skip


async def document(desk: Desk) -> dict[str, Any]:
    answer = await desk.ask("GET", "/openapi.json", key=None)
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


async def test_the_document_has_every_route_and_its_scope(desk: Desk) -> None:
    found = {name: operation["x-pointsman-scope"] for name, operation in operations(await document(desk))}
    assert found == GOLDEN


async def test_every_operation_says_what_it_takes_and_gives(desk: Desk) -> None:
    spec = await document(desk)
    ids = []
    for name, operation in operations(spec):
        ids.append(operation["operationId"])
        assert operation["summary"] and operation["tags"], name
        assert operation["responses"]["200"]["content"], name
        assert operation["responses"]["default"]["content"]["application/json"]["schema"], name
        has_body = name.startswith(("POST", "PUT", "PATCH")) or name in DELETES_BY_BODY
        assert ("requestBody" in operation) == (has_body and not name.endswith(BODILESS)), name
        assert ("security" in operation) == (operation["x-pointsman-scope"] != "public"), name
        in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", name), name
    assert len(set(ids)) == len(ids)


async def test_every_reference_leads_somewhere(desk: Desk) -> None:
    spec = await document(desk)
    text = msgspec.json.encode(spec).decode()
    references = set(re.findall(r'"\$ref":"([^"]+)"', text))
    assert {"#/components/schemas/GenerateKeyRequest", "#/components/schemas/ErrorReply"} <= references
    for reference in references:
        assert reference.rpartition("/")[2] in spec["components"]["schemas"], reference
    assert spec["openapi"].startswith("3.1")
    assert spec["info"]["version"] == "9.8.7"


async def test_queries_are_documented_with_their_bounds(desk: Desk) -> None:
    listing = (await document(desk))["paths"]["/key/list"]["get"]["parameters"]
    size = next(one for one in listing if one["name"] == "size")
    assert size["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}
    assert size["required"] is False


def test_every_route_of_the_table_is_complete() -> None:
    for route in ROUTES:
        assert isinstance(route.scope, Scope)
        assert route.summary and route.handler.__doc__
        has_body = route.method in {"POST", "PUT", "PATCH"} or f"{route.method} {route.paths[0]}" in DELETES_BY_BODY
        assert route.takes_body == (has_body and not route.paths[0].endswith(BODILESS))
        assert len(set(route.paths)) == len(route.paths)
    pairs = [(route.method, path) for route in ROUTES for path in route.paths]
    assert len(set(pairs)) == len(pairs)


BY_THE_PROVIDER = {Operation.PASS_THROUGH, Operation.REALTIME}
"""What takes and gives whatever the provider's own API does, or messages."""


def test_every_operation_of_inference_can_be_documented() -> None:
    assert set(INFERENCE_SHAPES) == set(INFERENCE_SUMMARIES) == set(Operation) - BY_THE_PROVIDER


async def test_the_list_of_routes_is_the_table(desk: Desk) -> None:
    listed = (await desk.ask("GET", "/routes")).json()["routes"]
    assert listed == [msgspec.to_builtins(fact) for fact in routes(inference=desk.office.inference_paths)]
    assert all(row["scope"] in {scope.value for scope in Scope} for row in listed)


async def test_documentation_can_be_switched_off() -> None:
    desk = Desk(docs=False)
    for path in ("/docs", "/openapi.json"):
        assert (await desk.ask("GET", path, key=None)).status == 404
    assert b"docs" not in (await desk.ask("GET", "/", key=None)).body


@pytest.mark.parametrize("path", ["/docs", "/"])
async def test_a_page_needs_nothing_from_elsewhere(desk: Desk, path: str) -> None:
    answer = await desk.ask("GET", path, key=None)
    page, policy = answer.body.decode(), answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("text/html")
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page) and "@import" not in page and "url(" not in page
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert "http" not in policy


async def test_the_policy_lets_exactly_the_pages_own_script_and_style_run(desk: Desk) -> None:
    answer = await desk.ask("GET", "/docs", key=None)
    page, policy = answer.body.decode(), answer.headers["content-security-policy"]
    from base64 import b64encode
    from hashlib import sha256

    for name in ("style", "script"):
        inline = re.findall(f"<{name}>(.*?)</{name}>", page, re.DOTALL)
        assert len(inline) == 1
        hashed = b64encode(sha256(inline[0].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{hashed}'" in policy
    assert not re.search(r"\son\w+=|style=\"|innerHTML|eval\(", page)


async def test_metrics_want_the_master_key_unless_the_operator_says_otherwise() -> None:
    desk = Desk()
    assert (await desk.ask("GET", "/metrics", key=None)).status == 401
    for path in ("/metrics", "/metrics/"):  # they tell every key's usage
        assert (await desk.ask("GET", path, key=await desk.new_key())).status == 403
    answer = await desk.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.body.endswith(b"up 1.0\n")
    desk = Desk(require_auth_for_metrics=False)
    for path in ("/metrics", "/metrics/"):
        assert (await desk.ask("GET", path, key=None)).status == 200
    spec = await document(desk)
    assert spec["paths"]["/metrics"]["get"]["x-pointsman-scope"] == "public"
