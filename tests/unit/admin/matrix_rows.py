"""Who may do what: the table that ``test_matrix.py`` holds every route against.

Actors: A administrator, V their viewer, O admin of the organisation acme, T admin of its team red, M member of red,
W member of red with the role internal_user_viewer, S key of red that is nobody's, C user with the role customer.
O, T, M and W are members of acme.

Objects: the actor's *own* (themselves, a key of theirs without a team; red; acme), those of a *mate* (a member of red
and acme, with a key in red; red; acme), and an *other*'s (a stranger, their key without a team; the team blue; the
organisation zeta). A row names for each who is let in. What lies *beside* (a member of acme, but of its team teal, and
what is that team's) follows from these: see ``test_matrix.py``.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["BY_SCOPE", "ROWS", "Row"]

ALL = "AVOTMWSC"
DAYS = {"start_date": "2026-09-01", "end_date": "2026-09-30"}


class Row(msgspec.Struct, frozen=True):
    """Who is let in, and what they ask. ``{user}``, ``{key}``, … stand for the object's."""

    own: str
    mate: str
    other: str
    query: dict[str, str] = {}
    body: dict[str, Any] | None = None


def row(own: str, mate: str, other: str, query: dict[str, str] | None = None, **body: Any) -> Row:
    return Row(own, mate, other, query or {}, body or None)


ROWS: dict[str, Row] = {
    # -- keys
    "POST /key/generate": row("AOTM", "AOT", "A", user_id="{user}", team_id="{team_of_key}"),
    "POST /key/service-account/generate": row("AOT", "AOT", "A", team_id="{team}"),
    "POST /key/bulk_update": row("AOT", "AOT", "A", keys=[{"key": "{key_of_team}", "max_budget": 1}]),
    "POST /key/update": row("AOTM", "AOT", "A", key="{key}", key_alias="renamed"),
    "POST /key/delete": row("AOTM", "AOT", "A", keys=["{key}"]),
    "GET /key/info": row(ALL, "AVOTMW", "AV", {"key": "{key}"}),
    "POST /v2/key/info": row(ALL, "AVOTMW", "AV", keys=["{key}"]),
    # A key that is nobody's lists itself, whatever it asks for.
    "GET /key/list": row(ALL, "AVOTS", "AVS", {"user_id": "{user}", "team_id": "{team_of_key}"}),
    "GET /key/aliases": row(ALL, ALL, ALL),
    "POST /key/block": row("AOTM", "AOT", "A", key="{key}"),
    "POST /key/unblock": row("A", "AOT", "A", key="{key}"),
    "POST /key/regenerate": row("AOTM", "AOT", "A", key="{key}"),
    "POST /key/{key:path}/reset_spend": row("A", "AOT", "A", reset_to=0),
    # -- users
    "POST /user/new": row("AO", "AO", "A", user_email="fresh@example.com", organizations=["{organization}"]),
    "POST /user/update": row("AOTM", "A", "A", user_id="{user}", user_alias="renamed"),
    "POST /user/bulk_update": row("AOTM", "A", "A", users=[{"user_id": "{user}", "user_alias": "renamed"}]),
    "POST /user/delete": row("A", "A", "A", user_ids=["{user}"]),
    "GET /user/info": row("AVOTMWC", "AVOT", "AV", {"user_id": "{user}"}),
    "GET /v2/user/info": row("AVOTMWC", "AVOT", "AV", {"user_id": "{user}"}),
    "GET /user/list": row("AVOT", "AVOT", "AV", {"user_ids": "{user}"}),
    "GET /user/filter/ui": row("AVOT", "AVOT", "AVOT", {"search": "{user}"}),
    "GET /user/available_roles": row(ALL, ALL, ALL),
    # -- teams
    "POST /team/new": row("AO", "AO", "A", organization_id="{organization}"),
    "POST /team/update": row("AOT", "AOT", "A", team_id="{team}", team_alias="renamed"),
    "PATCH /team/{team_id}": row("AOT", "AOT", "A", team_alias="renamed"),
    "POST /team/delete": row("AO", "AO", "A", team_ids=["{team}"]),
    "POST /team/block": row("AO", "AO", "A", team_id="{team}"),
    "POST /team/unblock": row("AO", "AO", "A", team_id="{team}"),
    "POST /team/model/add": row("AO", "AO", "A", team_id="{team}", models=["embedder"]),
    "POST /team/model/delete": row("AOT", "AOT", "A", team_id="{team}", models=["embedder"]),
    "GET /team/info": row("AVOTMWS", "AVOTMWS", "AV", {"team_id": "{team}"}),
    "GET /team/list": row("AVOTMWC", "AVOT", "AV", {"user_id": "{user}"}),
    "GET /v2/team/list": row("AVOTMWC", "AVOT", "AV", {"user_id": "{user}"}),
    "GET /team/filter/ui": row(ALL, ALL, ALL),
    "GET /team/available": row(ALL, ALL, ALL),
    "POST /team/member_add": row("AOT", "AOT", "A", team_id="{team}", member={"user_id": "new", "role": "user"}),
    "POST /team/bulk_member_add": row("AOT", "AOT", "A", team_id="{team}", members=[{"user_id": "new"}]),
    "POST /team/member_delete": row("AOT", "AOT", "A", team_id="{team}", user_id="{member}"),
    "POST /team/member_update": row("AOT", "AOT", "A", team_id="{team}", user_id="{member}", max_budget_in_team=1),
    "GET /team/permissions_list": row("AVOTMWS", "AVOTMWS", "AV", {"team_id": "{team}"}),
    "POST /team/permissions_update": row("AOT", "AOT", "A", team_id="{team}", team_member_permissions=["/key/info"]),
    "POST /team/permissions_bulk_update": row("A", "A", "A", team_ids=["{team}"], permissions=["/key/list"]),
    "POST /team/key/bulk_update": row(
        "AOT", "AOT", "A", team_id="{team}", key_ids=["{key_of_team}"], update_fields={"metadata": {"a": 1}}
    ),
    "GET /team/{team_id}/members/me": row("AVTMW", "AVTMW", "AV"),
    "POST /team/{team_id}/member/{user_id}/reset_spend": row("AOT", "AOT", "A", reset_to=0),
    "POST /team/{team_id}/member/{user_id}/reset_budget": row("AOT", "AOT", "A"),
    # -- projects: each object's is of its team
    "POST /project/new": row("AOT", "AOT", "A", team_id="{team}", project_id="fresh"),
    "POST /project/update": row("AOT", "AOT", "A", project_id="{project}", description="renamed"),
    "DELETE /project/delete": row("A", "A", "A", project_ids=["{project}"]),
    "GET /project/info": row("AVOTMWS", "AVOTMWS", "AV", {"project_id": "{project}"}),
    "GET /project/list": row(ALL, ALL, ALL),
    "GET /project/daily/activity": row("AVOT", "AVOT", "AV", {**DAYS, "project_ids": "{project}"}),
    "GET /project/daily/activity/aggregated": row("AVOT", "AVOT", "AV", {**DAYS, "project_ids": "{project}"}),
    # -- organisations
    "POST /organization/new": row("A", "A", "A", organization_alias="new"),
    "PATCH /organization/update": row("AO", "AO", "A", organization_id="{organization}", organization_alias="renamed"),
    "PATCH /v2/organization/{organization_id}": row("AO", "AO", "A", organization_alias="renamed"),
    "DELETE /organization/delete": row("A", "A", "A", organization_ids=["{organization}"]),
    "GET /organization/list": row(ALL, ALL, ALL),
    "GET /organization/info": row("AVOTMW", "AVOTMW", "AV", {"organization_id": "{organization}"}),
    "POST /organization/info": row("AVOTMW", "AVOTMW", "AV", organizations=["{organization}"]),
    "POST /organization/member_add": row(
        "AO", "AO", "A", organization_id="{organization}", member={"user_id": "new", "role": "internal_user"}
    ),
    "PATCH /organization/member_update": row(
        "AO", "AO", "A", organization_id="{organization}", user_id="{member}", role="internal_user"
    ),
    "DELETE /organization/member_delete": row("AO", "AO", "A", organization_id="{organization}", user_id="{member}"),
    # -- spending; what routes without a refusal show is in test_sight.py
    "GET /spend/logs": row(ALL, "AVOT", "AV", {"api_key": "{key}"}),
    "GET /spend/logs/v2": row(ALL, "AVOT", "AV", {"api_key": "{key}"}),
    "GET /spend/export": row(ALL, "AVOT", "AV", {"api_key": "{key}"}),
    "GET /global/spend/logs": row(ALL, "AVOT", "AV", {"api_key": "{key}"}),
    "GET /key/spend/report": row(ALL, "AVOT", "AV", {**DAYS, "api_key": "{key}"}),
    "GET /user/spend/report": row("AVOTMWC", "AV", "AV", {**DAYS, "internal_user_id": "{user}"}),
    "GET /team/spend/report": row("AVOTS", "AVOTS", "AV", {**DAYS, "team_id": "{team}"}),
    "GET /organization/spend/report": row("AVO", "AVO", "AV", {**DAYS, "organization_id": "{organization}"}),
    "GET /team/spend/by_user": row("AVOTMWS", "AVOTMWS", "AV", {**DAYS, "team_ids": "{team}"}),
    "GET /user/daily/activity": row("AVOTMWC", "AV", "AV", {**DAYS, "user_id": "{user}"}),
    "GET /user/daily/activity/aggregated": row("AVOTMWC", "AV", "AV", {**DAYS, "user_id": "{user}"}),
    "GET /team/daily/activity": row("AVOTMWS", "AVOTMWS", "AV", {**DAYS, "team_ids": "{team}"}),
    "GET /team/daily/activity/aggregated": row("AVOTMWS", "AVOTMWS", "AV", {**DAYS, "team_ids": "{team}"}),
    "GET /organization/daily/activity": row("AVO", "AVO", "AV", {**DAYS, "organization_ids": "{organization}"}),
    "GET /organization/daily/activity/aggregated": row(
        "AVO", "AVO", "AV", {**DAYS, "organization_ids": "{organization}"}
    ),
    "GET /customer/daily/activity": row(ALL, "AVOT", "AV", {**DAYS, "api_key": "{key}"}),
    "GET /customer/daily/activity/aggregated": row(ALL, "AVOT", "AV", {**DAYS, "api_key": "{key}"}),
    "GET /tag/daily/activity": row(ALL, "AVOT", "AV", {**DAYS, "api_key": "{key}"}),
    "GET /tag/daily/activity/aggregated": row(ALL, "AVOT", "AV", {**DAYS, "api_key": "{key}"}),
    "GET /billing/statement": row("AVOT", "AVOT", "AV", {**DAYS, "team_id": "{team}"}),
    # -- signing in: whoever invites somebody, or sees an invitation, can become them
    "POST /invitation/new": row("A", "A", "A", user_id="{user}"),
    "GET /invitation/info": row("A", "A", "A", {"invitation_id": "any"}),
    "POST /invitation/update": row("A", "A", "A", invitation_id="any", is_accepted=True),
    "POST /invitation/delete": row("A", "A", "A", invitation_id="any"),
    # -- what others made
    "GET /tag/list": row(ALL, ALL, ALL),
}

BY_SCOPE: dict[str, str] = {
    "public": """
        GET / /docs /openapi.json /health/liveliness /health/readiness /api/version /login /fallback/login
        /sso/key/generate /sso/callback /sso/readiness /ui /onboarding/get_token
        POST /login /v2/login /logout /onboarding/claim_token""",
    "inference": """
        GET /health /health/history /health/latest /health/readiness/details /health/backlog /v1/models
        /v1/models/{model_id:path} /model/info /v2/model/info /model_group/info /api/tags /api/ps
        /utils/supported_openai_params
        /v1beta/models /v1beta/models/{model_id:path} /v1/responses/{response_id}
        /v1/responses/{response_id}/input_items
        /v1/conversations/{conversation_id} /v1/conversations/{conversation_id}/items
        /v1/conversations/{conversation_id}/items/{item_id}
        POST /v1beta/models/{model_id:path}:countTokens /utils/token_counter /utils/transform_request /routing/explain
        /api/show /v1/messages/count_tokens /v1/responses/input_tokens /v1/responses/{response_id}/cancel
        /v1/conversations /v1/conversations/{conversation_id} /v1/conversations/{conversation_id}/items
        DELETE /v1/responses/{response_id} /v1/conversations/{conversation_id}
        /v1/conversations/{conversation_id}/items/{item_id}""",
    "self": "GET /queue /session /sessions POST /key/health /sessions/end_others /user/password/change",
    # Whoever asks is shown what they may see, and nothing else: test_sight.py.
    "management": """
        GET /spend/logs/ui/{request_id} /spend/keys /spend/users /spend/tags /global/spend/keys /global/spend/models
        /global/spend/provider /global/spend/tags /global/spend/all_tag_names /global/all_end_users /global/activity
        /global/activity/model /global/activity/cache_hits
        POST /spend/calculate""",
    "viewer": """
        GET /budget/list /budget/settings /customer/info /customer/list /v1/access_group
        /v1/access_group/{access_group_id} /access_group/list /access_group/{access_group}/info
        /access_group/{access_group}/budget
        /credentials /credentials/by_name/{credential_name:path} /credentials/by_model/{model_id} /config/diff
        /credentials/migrate-encryption/check
        /audit /audit/export /audit/{id} /spend/energy /global/spend /global/spend/teams /global/spend/report
        /provider/budgets
        /global/activity/exceptions /global/activity/exceptions/deployment /tag/distinct /tag/dau /tag/wau /tag/mau
        /tag/summary /tag/user-agent/per-user-analytics
        POST /budget/info /tag/info /global/spend/end_users""",
    "admin": """
        GET /model/metrics /model/metrics/slow_responses /model/metrics/exceptions /model/streaming_metrics
        /routes /metrics /traffic
        POST /global/spend/reset /global/spend/refresh
        /health/test_connection /hosts/load /hosts/unload /api/pull /api/push /api/create /api/copy
        /model/new /model/update /model/delete /model/block /model/unblock /credentials
        /credentials/migrate-encryption /config/update
        /api/blobs/{digest} /budget/new /budget/update /budget/delete /customer/new /customer/update /customer/delete
        /customer/block /customer/unblock /tag/new /tag/update /tag/delete /v1/access_group /access_group/new
        PUT /v1/access_group/{access_group_id} /access_group/{access_group}/update
        /access_group/{access_group}/budget
        PATCH /model/{model_id}/update /credentials/{credential_name:path} DELETE /api/delete
        /credentials/{credential_name:path} /v1/access_group/{access_group_id}
        /access_group/{access_group}/delete /access_group/{access_group}/budget""",
}
"""The routes without objects of single users, by who is let in: a method, and the first paths of its routes."""
