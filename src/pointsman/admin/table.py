"""THE list of routes. Dispatch, authorisation, OpenAPI, ``/docs`` and ``pointsman routes`` are all made from it.

A route without a scope cannot be written down, and what is not written down here is not served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pointsman.admin import front, hosts, queue, traffic
from pointsman.admin.audit.routes import AUDIT_ROUTES
from pointsman.admin.credentials.routes import STORED_ROUTES
from pointsman.admin.governance.routes import GOVERNANCE_ROUTES
from pointsman.admin.health import deployments, history, process, testing
from pointsman.admin.inference_shapes import INFERENCE_SUMMARIES
from pointsman.admin.keys import bulk, changing, making, overview, replies, requests, service_accounts, showing
from pointsman.admin.models import counting, dialect, info, listing, metrics, ollama, paging, transforming
from pointsman.admin.office import InferencePath, Office
from pointsman.admin.organizations.routes import ORGANIZATION_ROUTES
from pointsman.admin.projects.routes import PROJECT_ROUTES
from pointsman.admin.responses.routes import RESPONSE_ROUTES
from pointsman.admin.route import Nothing, Route, RouteFact
from pointsman.admin.routing import explaining
from pointsman.admin.sign_in.routes import SIGN_IN_ROUTES
from pointsman.admin.spend.routes import SPEND_ROUTES
from pointsman.admin.teams.routes import TEAM_ROUTES
from pointsman.admin.users.routes import USER_ROUTES
from pointsman.core.identity import Scope
from pointsman.lifecycle.explanation import Explanation
from pointsman.policies.route_groups import RoutePermit

__all__ = ["ROUTES", "RouteFact", "routes", "table_for"]

_DOCUMENTATION_PATHS: Final = frozenset({"/docs", "/openapi.json"})
_METRICS_PATH: Final = "/metrics"
_GEMINI: Final = ("/v1beta", "/v1", "/v1alpha", "/gemini/v1beta", "/gemini/v1")

_FRONT: Final = (
    Route(
        "GET", ("/",), Scope.PUBLIC, front.front,
        summary="What is running here", tier="pointsman", query=Nothing, body=Nothing,
    ),
    Route(
        "GET", ("/docs",), Scope.PUBLIC, front.documentation,
        summary="This documentation", tier="litellm", query=Nothing, body=Nothing,
    ),
    Route(
        "GET", ("/openapi.json",), Scope.PUBLIC, front.openapi,
        summary="This documentation as OpenAPI", tier="litellm", query=Nothing, body=Nothing,
    ),
    Route(
        "GET", ("/routes",), Scope.ADMIN, front.list_routes,
        summary="Every route with its scope", tier="litellm", query=Nothing, body=Nothing, reply=front.RoutesReply,
    ),
    Route(
        # Every key's usage is in them, so a virtual key does not see them.
        "GET", (_METRICS_PATH, "/metrics/"), Scope.ADMIN, front.metrics,
        summary="Metrics for Prometheus", tier="litellm", query=Nothing, body=Nothing,
    ),
)  # fmt: skip

_HEALTH: Final = (
    Route(
        "GET", ("/health",), Scope.INFERENCE, deployments.health,
        summary="State of the deployments", tier="litellm",
        query=deployments.HealthQuery, body=Nothing, reply=deployments.HealthReply,
    ),
    Route(
        "GET", ("/health/history",), Scope.INFERENCE, history.history,
        summary="When deployments became well and ill", tier="litellm",
        query=history.HistoryQuery, body=Nothing, reply=history.HistoryReply,
    ),
    Route(
        "GET", ("/health/latest",), Scope.INFERENCE, history.latest,
        summary="The last check of each deployment", tier="litellm",
        query=Nothing, body=Nothing, reply=history.LatestReply,
    ),
    Route(
        "POST", ("/health/test_connection",), Scope.ADMIN, testing.test_connection,
        summary="Call a configured model once", tier="litellm",
        query=Nothing, body=testing.TestConnectionRequest, reply=testing.TestConnectionReply,
    ).reading(),
    Route(
        "GET", ("/health/liveliness", "/health/liveness"), Scope.PUBLIC, process.liveliness,
        summary="Whether the process answers", tier="litellm", query=Nothing, body=Nothing, reply=str,
    ),
    Route(
        "GET", ("/health/readiness",), Scope.PUBLIC, process.readiness,
        summary="Whether to send requests here", tier="litellm",
        query=Nothing, body=Nothing, reply=process.ReadinessReply,
    ),
    Route(
        "GET", ("/health/readiness/details",), Scope.INFERENCE, process.readiness,
        summary="The same, where LiteLLM tells the details", tier="litellm",
        query=Nothing, body=Nothing, reply=process.ReadinessReply,
    ),
    Route(
        "GET", ("/health/backlog",), Scope.INFERENCE, process.backlog,
        summary="How many requests are under way", tier="litellm",
        query=Nothing, body=Nothing, reply=process.BacklogReply,
    ),
    Route(
        "GET", ("/queue",), Scope.SELF, queue.queue,
        summary="Who waits for the local servers", tier="pointsman",
        query=Nothing, body=Nothing, reply=queue.QueueReply,
    ),
    Route(
        "POST", ("/hosts/load",), Scope.ADMIN, hosts.load_model,
        summary="Have a local host load a model", tier="pointsman",
        query=Nothing, body=hosts.LoadModelRequest, reply=hosts.HostActionReply,
    ),
    Route(
        "POST", ("/hosts/unload",), Scope.ADMIN, hosts.unload_model,
        summary="Have local hosts unload a model", tier="pointsman",
        query=Nothing, body=hosts.UnloadModelRequest, reply=hosts.HostActionReply,
    ),
)  # fmt: skip

_TRAFFIC: Final = (
    Route(
        "GET", ("/traffic",), Scope.ADMIN, traffic.traffic,
        summary="Variants, mirrors, hedges and bulkheads: what they have done", tier="pointsman",
        query=traffic.TrafficQuery, body=Nothing, reply=traffic.TrafficReply,
    ),
)  # fmt: skip

_MODELS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        # Before the paths of models, in whose names a colon may stand.
        "POST", tuple(f"{prefix}/models/{{model_id:path}}:countTokens" for prefix in _GEMINI), Scope.INFERENCE,
        counting.count_gemini_tokens, summary="Count the tokens of contents, as Gemini", tier="pointsman",
        query=Nothing, body=counting.GeminiTokenCountRequest, reply=counting.GeminiTokenCount,
    ),
    Route(
        "GET", ("/v1/models", "/models", "/openai/models", "/openai/v1/models"), Scope.INFERENCE, listing.list_models,
        summary="The models you may use", tier="openai",
        query=listing.ModelListQuery, body=Nothing, reply=listing.ModelList,
    ),
    Route(
        "GET", ("/v1/models/{model_id:path}", "/models/{model_id:path}"), Scope.INFERENCE, listing.show_model,
        summary="One model", tier="openai", query=Nothing, body=Nothing, reply=listing.ModelCard,
    ),
    *(
        Route(
            # They tell of every key's calls, so a virtual key does not see them.
            "GET", (path,), Scope.ADMIN, handler, summary=summary, tier="litellm",
            query=metrics.MetricsQuery, body=Nothing, reply=reply,
        )
        for path, handler, summary, reply in (
            ("/model/metrics", metrics.model_metrics, "Seconds for each token, by day", metrics.MetricsReply),
            (
                "/model/streaming_metrics", metrics.streaming_metrics,
                "Seconds to the first token, by day", metrics.MetricsReply,
            ),
            (
                "/model/metrics/slow_responses", metrics.slow_responses,
                "How many calls were slow, by address", list[metrics.SlowResponsesRow],
            ),
            (
                "/model/metrics/exceptions", metrics.model_exceptions,
                "How many calls failed, by model and error", metrics.ExceptionsReply,
            ),
        )
    ),
    Route(
        "GET", ("/model/info", "/v1/model/info"), Scope.INFERENCE, info.model_info,
        summary="What is known of each deployment", tier="litellm",
        query=info.ModelInfoQuery, body=Nothing, reply=info.ModelInfoReply,
    ),
    Route(
        "GET", ("/v2/model/info",), Scope.INFERENCE, paging.model_page,
        summary="What is known of each deployment, a page at a time", tier="litellm",
        query=paging.ModelPageQuery, body=Nothing, reply=paging.ModelPageReply,
    ),
    Route(
        "GET", ("/model_group/info",), Scope.INFERENCE, info.model_group_info,
        summary="What is known of each group of deployments", tier="litellm",
        query=info.ModelGroupQuery, body=Nothing, reply=info.ModelGroupReply,
    ),
    Route(
        "POST", ("/utils/token_counter",), Scope.INFERENCE, counting.count_tokens,
        summary="Estimate the tokens of a prompt", tier="litellm",
        query=Nothing, body=counting.TokenCountRequest, reply=counting.TokenCountReply,
    ),
    Route(
        "GET", ("/utils/supported_openai_params",), Scope.INFERENCE, transforming.show_supported_params,
        summary="The OpenAI parameters that have an effect at a model", tier="litellm",
        query=transforming.SupportedParamsQuery, body=Nothing, reply=transforming.SupportedParams,
    ),
    Route(
        "POST", ("/utils/transform_request",), Scope.INFERENCE, transforming.transform_request,
        summary="The request that an upstream would be sent", tier="litellm",
        query=Nothing, body=transforming.TransformRequest, reply=transforming.RawRequest,
    ),
    Route(
        "POST", ("/routing/explain",), Scope.INFERENCE, explaining.explain_routing,
        summary="Where a request would go, and why; it is not sent", tier="pointsman",
        query=Nothing, body=explaining.ExplainRequest, reply=Explanation,
    ),
    Route(
        "GET", ("/api/tags",), Scope.INFERENCE, ollama.list_tags,
        summary="The models you may use, in Ollama's form", tier="pointsman", query=Nothing, body=Nothing,
    ),
    Route(
        "POST", ("/api/show",), Scope.INFERENCE, ollama.show_model,
        summary="One model, in Ollama's form", tier="pointsman", query=Nothing, body=ollama.ShowModelRequest,
    ),
    Route(
        "GET", ("/api/ps",), Scope.INFERENCE, ollama.list_running,
        summary="The models in memory, in Ollama's form", tier="pointsman", query=Nothing, body=Nothing,
    ),
    *(
        Route(
            "POST", (f"/api/{verb}",), Scope.ADMIN, handler,
            summary=f"Have a host of Ollama {verb} a model", tier="pointsman",
            query=ollama.HostQuery, body=ollama.ManagedModelRequest,
        )
        for verb, handler in (
            ("pull", ollama.pull_model), ("push", ollama.push_model),
            ("create", ollama.create_model), ("copy", ollama.copy_model),
        )
    ),
    Route(
        "DELETE", ("/api/delete",), Scope.ADMIN, ollama.delete_model,
        summary="Have a host of Ollama delete a model", tier="pointsman",
        query=ollama.HostQuery, body=ollama.ManagedModelRequest,
    ),
    Route(
        "POST", ("/api/blobs/{digest}",), Scope.ADMIN, ollama.refuse_blobs,
        summary="Refused: files of models are not uploaded", tier="pointsman",
        query=Nothing, body=ollama.ManagedModelRequest,
    ),
    Route(
        "GET", ("/api/version",), Scope.PUBLIC, ollama.tell_version,
        summary="The version of Ollama whose API is kept", tier="pointsman", query=Nothing, body=Nothing,
    ),
    Route(
        "POST", ("/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"), Scope.INFERENCE,
        counting.count_message_tokens, summary="Count the tokens of a conversation, as Anthropic's Messages",
        tier="litellm", query=Nothing, body=counting.MessageTokenCountRequest, reply=counting.MessageTokenCount,
    ),
    Route(
        "GET", ("/v1beta/models", "/v1alpha/models", "/gemini/v1beta/models"), Scope.INFERENCE,
        dialect.list_gemini_models, summary="The models you may use, in Gemini's form", tier="pointsman",
        query=dialect.GeminiModelsQuery, body=Nothing,
    ),
    Route(
        "GET", ("/v1beta/models/{model_id:path}", "/v1alpha/models/{model_id:path}"), Scope.INFERENCE,
        dialect.show_gemini_model, summary="One model, in Gemini's form", tier="pointsman",
        query=Nothing, body=Nothing,
    ),
)  # fmt: skip

_KEYS: Final = (
    Route(
        "POST", ("/key/generate",), Scope.MANAGEMENT, making.generate_key,
        summary="Make a key", tier="litellm",
        query=Nothing, body=requests.GenerateKeyRequest, reply=replies.GeneratedKeyReply,
    ),
    Route(
        "POST", ("/key/service-account/generate",), Scope.MANAGEMENT, service_accounts.generate_service_account_key,
        summary="Make a key of a team that belongs to no user", tier="litellm",
        query=Nothing, body=requests.GenerateKeyRequest, reply=replies.GeneratedKeyReply,
    ),
    Route(
        "POST", ("/key/bulk_update",), Scope.MANAGEMENT, bulk.bulk_update_keys,
        summary="Change many keys", tier="litellm",
        query=Nothing, body=bulk.BulkUpdateRequest, reply=bulk.BulkUpdateReply,
    ),
    Route(
        "GET", ("/key/aliases",), Scope.MANAGEMENT, overview.key_aliases,
        summary="List the aliases of keys", tier="litellm",
        query=overview.AliasesQuery, body=Nothing, reply=overview.AliasesReply,
    ),
    Route(
        "POST", ("/key/health",), Scope.SELF, overview.key_health,
        summary="Whether the key works", tier="litellm",
        query=Nothing, body=Nothing, reply=overview.KeyHealthReply,
    ).reading(),
    Route(
        "POST", ("/key/update",), Scope.MANAGEMENT, changing.update_key,
        summary="Change a key", tier="litellm",
        query=Nothing, body=requests.UpdateKeyRequest, reply=replies.UpdatedKeyReply,
    ),
    Route(
        "POST", ("/key/delete",), Scope.MANAGEMENT, changing.delete_keys,
        summary="Delete keys", tier="litellm",
        query=Nothing, body=requests.KeysRequest, reply=replies.DeletedKeysReply,
    ),
    Route(
        "GET", ("/key/info",), Scope.MANAGEMENT, showing.key_info,
        summary="Show a key", tier="litellm",
        query=requests.KeyInfoQuery, body=Nothing, reply=replies.KeyInfoReply,
    ),
    Route(
        "POST", ("/v2/key/info",), Scope.MANAGEMENT, showing.keys_info,
        summary="Show several keys", tier="litellm",
        query=Nothing, body=requests.KeysRequest, reply=replies.KeysInfoReply,
    ).reading(),
    Route(
        "GET", ("/key/list",), Scope.MANAGEMENT, showing.list_keys,
        summary="List keys", tier="litellm",
        query=requests.KeyListQuery, body=Nothing, reply=replies.KeyListReply,
    ),
    Route(
        "POST", ("/key/block",), Scope.MANAGEMENT, changing.block_key,
        summary="Block a key", tier="litellm",
        query=Nothing, body=requests.OneKeyRequest, reply=replies.StoredKeyRow,
    ),
    Route(
        "POST", ("/key/unblock",), Scope.MANAGEMENT, changing.unblock_key,
        summary="Unblock a key", tier="litellm",
        query=Nothing, body=requests.OneKeyRequest, reply=replies.StoredKeyRow,
    ),
    Route(
        "POST", ("/key/regenerate", "/key/{key:path}/regenerate"), Scope.MANAGEMENT, making.regenerate_key,
        summary="Put a new key in the place of another", tier="litellm",
        query=requests.RegenerateKeyQuery, body=requests.RegenerateKeyRequest, reply=replies.GeneratedKeyReply,
    ),
    Route(
        "POST", ("/key/{key:path}/reset_spend",), Scope.MANAGEMENT, changing.reset_spend,
        summary="Set what a key has spent to a lower amount", tier="litellm",
        query=Nothing, body=requests.ResetSpendRequest, reply=replies.ResetSpendReply,
    ),
)  # fmt: skip

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    *_FRONT, *_HEALTH, *_TRAFFIC, *_MODELS, *RESPONSE_ROUTES, *_KEYS, *USER_ROUTES, *TEAM_ROUTES, *PROJECT_ROUTES,
    *ORGANIZATION_ROUTES,     *GOVERNANCE_ROUTES, *SPEND_ROUTES, *SIGN_IN_ROUTES, *STORED_ROUTES, *AUDIT_ROUTES,
)  # fmt: skip


def table_for(office: Office) -> tuple[Route[Any, Any], ...]:
    """The routes that this operator wants served, with the scopes they want."""
    return tuple(_as_wanted(route, office) for route in ROUTES if office.docs or not _is_documentation(route))


def routes(table: Sequence[Route[Any, Any]] = ROUTES, inference: Sequence[InferencePath] = ()) -> tuple[RouteFact, ...]:
    """A row for each method and path, those of the inference server first."""
    served = tuple(
        RouteFact(
            method="POST", path=one.path, scope=Scope.INFERENCE.value, summary=INFERENCE_SUMMARIES[one.operation],
            tier="openai",
        )
        for one in inference
    )  # fmt: skip
    return (*served, *(fact for route in table for fact in route.facts()))


def _is_documentation(route: Route[Any, Any]) -> bool:
    return not _DOCUMENTATION_PATHS.isdisjoint(route.paths)


def _as_wanted(route: Route[Any, Any], office: Office) -> Route[Any, Any]:
    if _METRICS_PATH in route.paths and not office.require_auth_for_metrics:
        return route.with_scope(Scope.PUBLIC)
    if office.admin_only_routes and RoutePermit(office.admin_only_routes).permits(route.paths[0], route.paths):
        return route.with_scope(Scope.ADMIN)
    return route
