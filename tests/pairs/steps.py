"""One play: requests in an order, each with what it needs of those before it.

``{name}`` in a path, key or body stands for what an earlier step has saved. Keys: ``master``, ``wrong``, none at all,
or ``{name}``. Where the upstream is told to fail, the step says how.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["CONFIG", "STEPS", "Step"]

CONFIG: Final[dict[str, Any]] = {
    "model_list": [
        {
            "model_name": "chat",
            "litellm_params": {"model": "openai/gpt-4o-mini", "api_base": "os.environ/UPSTREAM", "api_key": "sk-up"},
            "model_info": {"id": "deployment-of-chat"},
        },
        {
            "model_name": "embed",
            "litellm_params": {
                "model": "openai/text-embedding-3-small",
                "api_base": "os.environ/UPSTREAM",
                "api_key": "sk-up",
            },
            "model_info": {"id": "deployment-of-embed"},
        },
        {
            "model_name": "local",
            "litellm_params": {"model": "hosted_vllm/small", "api_base": "os.environ/UPSTREAM", "api_key": "sk-up"},
            "model_info": {"id": "deployment-of-local", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
        },
    ],
    "general_settings": {
        "master_key": "os.environ/LITELLM_MASTER_KEY",
        "store_model_in_db": True,
        "proxy_batch_write_at": 1,
    },
    "litellm_settings": {"callbacks": ["prometheus"], "num_retries": 0},
    "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    "pointsman": {"return_upstream_headers": True},
}
"""What both are given; LiteLLM passes over the section that is not its own."""

_CHAT: Final = "/v1/chat/completions"
_HELLO: Final = [{"role": "user", "content": "one two three"}]
_ASKED: Final = {"model": "chat", "messages": _HELLO}
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Step(msgspec.Struct, frozen=True):
    """One request. ``until`` names what of the answer must be there before it is taken, for what is written later."""

    name: str
    method: str
    path: str
    body: Any = None
    key: str = "master"
    raw: bytes | None = None
    upstream: str = ""
    saves: dict[str, str] = {}
    until: str = ""


def _get(name: str, path: str, **more: Any) -> Step:
    return Step(name, "GET", path, **more)


def _post(name: str, path: str, body: Any = None, **more: Any) -> Step:
    return Step(name, "POST", path, {} if body is None else body, **more)


_INFERENCE: Final = [
    _post("chat", _CHAT, _ASKED),
    _post("chat without v1", "/chat/completions", {"model": "chat", "messages": _HELLO}),
    _post(
        "chat streamed",
        "/v1/chat/completions",
        {**_ASKED, "stream": True},
    ),
    _post(
        "chat streamed with usage",
        "/v1/chat/completions",
        {**_ASKED, "stream": True, "stream_options": {"include_usage": True}},
    ),
    _post(
        "chat with a tool",
        "/v1/chat/completions",
        {**_ASKED, "tools": [_TOOL]},
        upstream="tool",
    ),
    _post("chat by a deployment's path", "/openai/deployments/chat/chat/completions", {"messages": _HELLO}),
    _post("completion", "/v1/completions", {"model": "chat", "prompt": "one two"}),
    _post("embedding", "/v1/embeddings", {"model": "embed", "input": ["one", "two three"]}),
    _post("message", "/v1/messages", {"model": "local", "max_tokens": 50, "messages": _HELLO}),
    _post("message streamed", "/v1/messages", {"model": "local", "max_tokens": 50, "messages": _HELLO, "stream": True}),
    _post("message counted", "/v1/messages/count_tokens", {"model": "local", "messages": _HELLO}),
    _post("response", "/v1/responses", {"model": "local", "input": "one two"}),
    _post("response streamed", "/v1/responses", {"model": "local", "input": "one two", "stream": True}),
]
_ERRORS: Final = [
    _post("no key", _CHAT, _ASKED, key=""),
    _post("wrong key", _CHAT, _ASKED, key="wrong"),
    _post("unknown model", _CHAT, {"model": "nobody", "messages": _HELLO}),
    _post("no model", _CHAT, {"messages": _HELLO}),
    _post("no messages", _CHAT, {"model": "chat"}),
    _post("broken JSON", "/v1/chat/completions", raw=b'{"model": "chat", '),
    _post("upstream says 400", _CHAT, _ASKED, upstream="400"),
    _post("upstream says 401", _CHAT, _ASKED, upstream="401"),
    _post("upstream says 404", _CHAT, _ASKED, upstream="404"),
    _post("upstream says 429", _CHAT, _ASKED, upstream="429"),
    _post("upstream says 500", _CHAT, _ASKED, upstream="500"),
    _post("upstream says 503", _CHAT, _ASKED, upstream="503"),
    _get("no such path", "/v1/nothing-here"),
    _get("wrong method", "/v1/chat/completions"),
    _post("message, no key", "/v1/messages", {"model": "chat", "max_tokens": 5, "messages": _HELLO}, key=""),
    _post("message, unknown model", "/v1/messages", {"model": "nobody", "max_tokens": 5, "messages": _HELLO}),
]
_MODELS: Final = [
    _get("models", "/v1/models"),
    _get("models without v1", "/models"),
    _get("one model", "/v1/models/chat"),
    _get("one model that is not there", "/v1/models/nobody"),
    _get("models, wrong key", "/v1/models", key="wrong"),
    _get("model info", "/model/info"),
    _get("model info with v1", "/v1/model/info"),
    _get("model info of one", "/model/info?litellm_model_id=deployment-of-chat"),
    _get("model group info", "/model_group/info"),
    _get("model group info of one", "/model_group/info?model_group=chat"),
    _get("liveliness", "/health/liveliness", key=""),
    _get("liveness", "/health/liveness", key=""),
    _get("readiness", "/health/readiness", key=""),
    _get("health", "/health"),
    _get("metrics without a key", "/metrics/", key=""),
    _get("metrics", "/metrics/"),
    _post("count tokens", "/utils/token_counter", {"model": "chat", "messages": _HELLO}),
    _get("supported parameters", "/utils/supported_openai_params?model=gpt-4o-mini"),
    _post(
        "transform a request",
        "/utils/transform_request",
        {"call_type": "completion", "request_body": {"model": "chat", "messages": _HELLO}},
    ),
    _get("routes", "/routes"),
]
_KEYS: Final = [
    _post(
        "key made",
        "/key/generate",
        {
            "models": ["chat"],
            "max_budget": 5,
            "key_alias": "first",
            "metadata": {"team": "red"},
            "tpm_limit": 1000,
            "rpm_limit": 100,
            "max_parallel_requests": 3,
            "duration": "30d",
            "budget_duration": "7d",
        },
        saves={"key": "key", "hash": "token"},
    ),
    _post("key with tags", "/key/generate", {"tags": ["one"]}),
    _post("key made of nothing", "/key/generate", saves={"plain": "key"}),
    _post("key with a taken alias", "/key/generate", {"key_alias": "first"}),
    _post("key with a wrong duration", "/key/generate", {"duration": "soon"}),
    _post("key made without the right", "/key/generate", {"models": []}, key="{plain}"),
    _post("key made without a key", "/key/generate", {}, key=""),
    _get("key info", "/key/info?key={key}"),
    _get("key info by hash", "/key/info?key={hash}"),
    _get("key info of oneself", "/key/info", key="{key}"),
    _get("key info of nobody", "/key/info?key=sk-nobody"),
    _post("key infos", "/v2/key/info", {"keys": ["{key}"]}),
    _get("key list", "/key/list?page=1&size=10"),
    _get("key list in full", "/key/list?return_full_object=true&key_alias=first"),
    _get("key aliases", "/key/aliases"),
    _post("key changed", "/key/update", {"key": "{key}", "max_budget": 10, "key_alias": "second", "rpm_limit": None}),
    _post("key changed that is not there", "/key/update", {"key": "sk-nobody", "max_budget": 10}),
    _post("chat by key", _CHAT, _ASKED, key="{key}"),
    _post(
        "chat by key, streamed",
        "/v1/chat/completions",
        {**_ASKED, "stream": True},
        key="{key}",
    ),
    _post("embedding by key that may not", "/v1/embeddings", {"model": "embed", "input": "a"}, key="{key}"),
    _get("models by key", "/v1/models", key="{key}"),
    _get("model info by key", "/model/info", key="{key}"),
    _post("key health", "/key/health", key="{key}"),
    _get("key info after spending", "/key/info?key={key}", until="info.spend"),
    _get("spend logs", "/spend/logs?api_key={hash}", until="1"),
    _post("key blocked", "/key/block", {"key": "{key}"}),
    _post("chat by a blocked key", _CHAT, _ASKED, key="{key}"),
    _post("key unblocked", "/key/unblock", {"key": "{key}"}),
    _post("key regenerated", "/key/{plain}/regenerate", {}, saves={"plain": "key"}),
    _post("key's spend set", "/key/{hash}/reset_spend", {"reset_to": 0}),
    _post("poor key made", "/key/generate", {"max_budget": 0.0000001}, saves={"poor": "key"}),
    _post("chat by the poor key", _CHAT, _ASKED, key="{poor}"),
    _get("poor key has spent", "/key/info?key={poor}", until="info.spend"),
    _post("chat over budget", _CHAT, _ASKED, key="{poor}"),
    _post("slow key made", "/key/generate", {"rpm_limit": 1}, saves={"slow": "key"}),
    _post("chat by the slow key", _CHAT, _ASKED, key="{slow}"),
    _post("chat over the rate", _CHAT, _ASKED, key="{slow}"),
    _post("key that lapses", "/key/generate", {"duration": "1s"}, saves={"short": "key"}),
    _post("keys deleted", "/key/delete", {"keys": ["{slow}"]}),
    _post("keys deleted by alias", "/key/delete", {"key_aliases": ["second"]}),
    _post("chat by a deleted key", _CHAT, _ASKED, key="{slow}"),
    _post("keys deleted that are not there", "/key/delete", {"keys": ["sk-nobody"]}),
]
_PEOPLE: Final = [
    _post(
        "budget made", "/budget/new", {"budget_id": "small", "max_budget": 3, "rpm_limit": 50, "budget_duration": "1d"}
    ),
    _post("budget made twice", "/budget/new", {"budget_id": "small", "max_budget": 3}),
    _post("budget info", "/budget/info", {"budgets": ["small"]}),
    _get("budget list", "/budget/list"),
    _get("budget settings", "/budget/settings?budget_id=small"),
    _post("budget changed", "/budget/update", {"budget_id": "small", "max_budget": 4}),
    _post(
        "user made",
        "/user/new",
        {"user_id": "ann", "user_email": "ann@example.com", "user_role": "internal_user", "max_budget": 9},
        saves={"anns": "key"},
    ),
    _post("user made twice", "/user/new", {"user_id": "ann"}),
    _post("user without a key", "/user/new", {"user_id": "bob", "auto_create_key": False}),
    _get("user info", "/user/info?user_id=ann"),
    _get("user info v2", "/v2/user/info?user_id=ann"),
    _get("user info of nobody", "/user/info?user_id=nobody"),
    _get("user list", "/user/list?page=1&page_size=10"),
    _get("user roles", "/user/available_roles"),
    _post("user changed", "/user/update", {"user_id": "ann", "max_budget": 12}),
    _post(
        "team made",
        "/team/new",
        {
            "team_id": "red",
            "team_alias": "Red",
            "models": ["chat"],
            "max_budget": 20,
            "members_with_roles": [{"role": "admin", "user_id": "ann"}],
        },
    ),
    _post("team made twice", "/team/new", {"team_id": "red"}),
    _get("team info", "/team/info?team_id=red"),
    _get("team info of nobody", "/team/info?team_id=nobody"),
    _get("team list", "/team/list"),
    _get("team list v2", "/v2/team/list"),
    _get("teams to join", "/team/available"),
    _post(
        "member added",
        "/team/member_add",
        {
            "team_id": "red",
            "member": {"role": "user", "user_id": "bob"},
            "max_budget_in_team": 2,
        },
    ),
    _post("member added twice", "/team/member_add", {"team_id": "red", "member": {"role": "user", "user_id": "bob"}}),
    _post("member changed", "/team/member_update", {"team_id": "red", "user_id": "bob", "max_budget_in_team": 3}),
    _post("team changed", "/team/update", {"team_id": "red", "max_budget": 30}),
    _post("team model added", "/team/model/add", {"team_id": "red", "models": ["embed"]}),
    _post("team model taken", "/team/model/delete", {"team_id": "red", "models": ["embed"]}),
    _post("team blocked", "/team/block", {"team_id": "red"}),
    _post("team unblocked", "/team/unblock", {"team_id": "red"}),
    _post(
        "key in a team",
        "/key/generate",
        {"team_id": "red", "user_id": "bob", "key_alias": "bobs"},
        saves={"bobs": "key"},
    ),
    _post(
        "chat in a team",
        "/v1/chat/completions",
        {**_ASKED, "user": "carol", "metadata": {"tags": ["blue"]}},
        key="{bobs}",
    ),
    _get("key info in a team", "/key/info?key={bobs}", until="info.spend"),
    _get("user info after spending", "/user/info?user_id=bob", until="user_info.spend"),
    _get("team info after spending", "/team/info?team_id=red", until="team_info.spend"),
    _post("member removed", "/team/member_delete", {"team_id": "red", "user_id": "bob"}),
    _post(
        "organisation made",
        "/organization/new",
        {"organization_id": "acme", "organization_alias": "Acme", "max_budget": 50},
    ),
    _get("organisation info", "/organization/info?organization_id=acme"),
    _get("organisation list", "/organization/list"),
    Step(
        "organisation changed",
        "PATCH",
        "/organization/update",
        {"organization_id": "acme", "organization_alias": "Acme Ltd"},
    ),
    _post(
        "organisation's member added",
        "/organization/member_add",
        {
            "organization_id": "acme",
            "member": {"role": "internal_user", "user_id": "ann"},
        },
    ),
    Step(
        "organisation's member removed",
        "DELETE",
        "/organization/member_delete",
        {"organization_id": "acme", "user_id": "ann"},
    ),
    _post("customer made", "/customer/new", {"user_id": "dora", "alias": "Dora", "budget_id": "small"}),
    _post("customer made twice", "/customer/new", {"user_id": "dora"}),
    _get("customer info", "/customer/info?end_user_id=dora"),
    _get("customer info of nobody", "/customer/info?end_user_id=nobody"),
    _get("customer list", "/customer/list", until="1"),
    _post("customer changed", "/customer/update", {"user_id": "dora", "alias": "Dora B."}),
    _post("customer blocked", "/customer/block", {"user_ids": ["dora"]}),
    _post(
        "chat for a blocked customer",
        "/v1/chat/completions",
        {**_ASKED, "user": "dora"},
        key="{anns}",
    ),
    _post("customer unblocked", "/customer/unblock", {"user_ids": ["dora"]}),
    _post("customer deleted", "/customer/delete", {"user_ids": ["dora"]}),
    _post("tag made", "/tag/new", {"name": "blue", "description": "of the sky"}),
    _post("tag info", "/tag/info", {"names": ["blue"]}),
    _get("tag list", "/tag/list"),
    _post("tag changed", "/tag/update", {"name": "blue", "description": "of the sea"}),
    _post("tag deleted", "/tag/delete", {"name": "blue"}),
    _post(
        "access group made",
        "/v1/access_group",
        {"access_group_name": "cheap", "access_model_names": ["chat"]},
        saves={"group": "access_group_id"},
    ),
    _get("access group", "/v1/access_group/{group}"),
    _get("access groups", "/v1/access_group"),
]
_STORED: Final = [
    _post(
        "model added",
        "/model/new",
        {
            "model_name": "added",
            "litellm_params": {"model": "openai/gpt-4o-mini", "api_key": "sk-other"},
            "model_info": {"id": "deployment-added"},
        },
    ),
    _get("model info of the added", "/model/info?litellm_model_id=deployment-added", until="data"),
    _post("model deleted", "/model/delete", {"id": "deployment-added"}),
    _post("model deleted that is not there", "/model/delete", {"id": "nothing"}),
    _post(
        "credential made",
        "/credentials",
        {
            "credential_name": "one",
            "credential_values": {"api_key": "sk-123456"},
            "credential_info": {"custom_llm_provider": "openai"},
        },
    ),
    _get("credentials", "/credentials"),
    Step("credential deleted", "DELETE", "/credentials/one"),
]
_SPEND: Final = [
    _get("spend logs by day", "/spend/logs?start_date={today}&end_date={tomorrow}", until="0"),
    _get(
        "spend logs by page",
        "/spend/logs/v2?api_key={hash}&status_filter=success&page=1&page_size=1&start_date={today}%2000:00:00&end_date={tomorrow}%2000:00:00",
        until="data.0",
    ),
    _get("spend by key", "/spend/keys"),
    _get("spend by user", "/spend/users"),
    _get("spend by tag", "/spend/tags"),
    _post("spend calculated", "/spend/calculate", {"model": "gpt-4o-mini", "messages": _HELLO}),
    _get("global spend", "/global/spend"),
    _get("global spend by key", "/global/spend/keys?limit=5"),
    _get("global spend by model", "/global/spend/models?limit=5"),
    _get("global spend by team", "/global/spend/teams"),
    _get("global spend logs", "/global/spend/logs"),
    _get("global spend report", "/global/spend/report?start_date={today}&end_date={tomorrow}&group_by=team"),
    _get("global activity", "/global/activity?start_date={today}&end_date={tomorrow}"),
    _get("global activity by model", "/global/activity/model?start_date={today}&end_date={tomorrow}"),
    _get("days of users", "/user/daily/activity?start_date={today}&end_date={tomorrow}", until="results"),
    _get("days of teams", "/team/daily/activity?start_date={today}&end_date={tomorrow}", until="results"),
    _get("days of tags", "/tag/daily/activity?start_date={today}&end_date={tomorrow}", until="results"),
    _post("team deleted", "/team/delete", {"team_ids": ["red"]}),
    _post("user deleted", "/user/delete", {"user_ids": ["ann"]}),
    Step("organisation deleted", "DELETE", "/organization/delete", {"organization_ids": ["acme"]}),
    _post("budget deleted", "/budget/delete", {"id": "small"}),
]

STEPS: Final = (*_INFERENCE, *_ERRORS, *_MODELS, *_KEYS, *_PEOPLE, *_STORED, *_SPEND)
"""The play, in its order."""
