"""The sections of a configuration as typed data: what can be said, in LiteLLM's names, and what it means unsaid.

A field here is a key that is honoured. Keys of LiteLLM's that are not are listed in ``known_keys.json`` alone; the
meaning of every key, these included, is told there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pointsman.config.billing_sections import Billing
from pointsman.config.customer_sections import ServiceAccountSettings, UserHeaderMapping
from pointsman.config.handling_sections import HandlingParams
from pointsman.config.jwt_sections import JwtAuth
from pointsman.config.limit_sections import BudgetSection, CallerIdentity, MetricsLabel, PrioritySettings
from pointsman.config.people_sections import KeyGeneration, TeamDefaults, UserDefaults
from pointsman.config.redis_sections import CacheParams, CoordinationRedis, Database, Host, Port, RedisUrl
from pointsman.config.routing_sections import ModelAlias, StrategyArgs, StrategyGroup
from pointsman.config.rule_sections import RoutingRuleSection
from pointsman.config.sign_in_sections import SignInSection
from pointsman.config.traffic_sections import Bulkhead, TrafficRule
from pointsman.config.value_types import (
    Amount,
    Count,
    CountedTokens,
    Document,
    HeaderName,
    HostProvider,
    Id,
    MacAddress,
    Name,
    PositiveCount,
    Seconds,
    Share,
    Span,
    StrategyName,
    TimeOfDay,
    Url,
    WeekTime,
)
from pointsman.core.secret import Secret

__all__ = [
    "FailsKind",
    "FallbackList",
    "GeneralSettings",
    "KeyBounds",
    "KeyManagementSettings",
    "LiteLLMParams",
    "LiteLLMSettings",
    "LocalHost",
    "ModelEntry",
    "ModelInfo",
    "PointsmanSettings",
    "Retries",
    "RetryCounts",
    "RetryKind",
    "RouterSettings",
    "Settings",
    "WarmUp",
]


class LiteLLMParams(HandlingParams, frozen=True, kw_only=True):
    """How one deployment is called: ``model_list[].litellm_params``.

    ``pinned`` has what is none of our keys: fields for the upstream body, as raw JSON. ``prices`` are in USD per unit,
    by LiteLLM's key. ``extra_headers`` are secrets because they often hold credentials.
    """

    model: Name
    api_key: Secret | None = None
    api_base: Url | None = None
    api_version: Name | None = None
    tenant_id: Name | None = None
    client_id: Name | None = None
    client_secret: Secret | None = None
    azure_ad_token: Secret | None = None
    azure_scope: Name | None = None
    aws_region_name: Name | None = None
    aws_access_key_id: Secret | None = None
    aws_secret_access_key: Secret | None = None
    aws_session_token: Secret | None = None
    aws_profile_name: Name | None = None
    aws_role_name: Name | None = None
    aws_session_name: Name | None = None
    aws_external_id: Name | None = None
    aws_web_identity_token: Secret | None = None
    aws_sts_endpoint: Url | None = None
    aws_bedrock_runtime_endpoint: Url | None = None
    vertex_project: Name | None = None
    vertex_location: Name | None = None
    vertex_credentials: Document | None = None
    custom_llm_provider: Name | None = None
    organization: Id | None = None
    litellm_credential_name: Name | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    max_budget: Amount | None = None
    budget_duration: Span | None = None
    weight: Amount | None = None
    order: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None
    max_parallel_requests: Count | None = None
    timeout: Seconds | None = None
    request_timeout: Seconds | None = None
    stream_timeout: Seconds | None = None
    num_retries: Retries | None = None
    max_retries: Retries | None = None
    cooldown_time: Amount | None = None
    keepalive_seconds: Seconds | None = None
    drop_params: bool | None = None
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: tuple[str, ...] = ()
    extra_headers: Mapping[str, Secret] = {}
    extra_body: Mapping[str, msgspec.Raw] = {}
    tags: tuple[str, ...] = ()
    tag_regex: tuple[Name, ...] = ()
    region_name: Name | None = None
    keep_alive: msgspec.Raw | None = None
    num_ctx: PositiveCount | None = None
    tiered_pricing: msgspec.Raw | None = None
    prices: Mapping[str, Amount] = {}
    pinned: Mapping[str, msgspec.Raw] = {}


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one deployment: ``model_list[].model_info``.

    ``supports`` has the ``supports_…`` flags by their full key, ``prices`` as in :class:`LiteLLMParams`, and ``extras``
    every other key as raw JSON, since LiteLLM echoes them in ``/model/info``.
    """

    id: Id | None = None
    mode: Name | None = None
    base_model: Name | None = None
    max_tokens: Count | None = None
    max_input_tokens: Count | None = None
    max_output_tokens: Count | None = None
    access_groups: tuple[str, ...] = ()
    team_id: Id | None = None
    blocked: bool = False
    tiered_pricing: msgspec.Raw | None = None
    supports: Mapping[str, bool] = {}
    prices: Mapping[str, Amount] = {}
    extras: Mapping[str, msgspec.Raw] = {}


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment under the name that clients ask for; the same name again means another deployment of it.

    ``missing_credential`` is the name of a credential that nobody knows, so that it cannot be called; ``stored``: it
    was added at run time; ``address_stored``: so was its address, so that the environment lends it no key. ``place`` is
    where the file has it, as file:line:column.
    """

    model_name: Name
    litellm_params: LiteLLMParams
    model_info: ModelInfo = ModelInfo()
    missing_credential: str | None = None
    stored: bool = False
    address_stored: bool = False
    place: str = ""


FallbackList = tuple[Mapping[str, tuple[msgspec.Raw, ...]], ...]
"""LiteLLM's form: a list of maps from a model to those that stand in for it; ``*`` is any model.

Each is JSON: a name, or a map with the name as ``model`` and fields that replace those of the request.
"""

RetryKind = Literal[
    "BadRequestErrorRetries", "AuthenticationErrorRetries", "NotFoundErrorRetries", "TimeoutErrorRetries",
    "RateLimitErrorRetries", "ContentPolicyViolationErrorRetries", "InternalServerErrorRetries",
    "ServiceUnavailableErrorRetries", "DefaultRetries",
]  # fmt: skip
FailsKind = Literal[
    "BadRequestErrorAllowedFails", "AuthenticationErrorAllowedFails", "NotFoundErrorAllowedFails",
    "TimeoutErrorAllowedFails", "RateLimitErrorAllowedFails", "ContentPolicyViolationErrorAllowedFails",
    "InternalServerErrorAllowedFails", "BadGatewayErrorAllowedFails", "ServiceUnavailableErrorAllowedFails",
]  # fmt: skip

Retries = Annotated[int, Meta(ge=0, le=16)]
RetryCounts = Mapping[RetryKind, Retries]


class KeyBounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a generated key may have at most."""

    max_budget: Amount | None = None
    budget_duration: Span | None = None
    duration: Span | None = None
    max_parallel_requests: Count | None = None
    tpm_limit: Count | None = None
    rpm_limit: Count | None = None


class LiteLLMSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``litellm_settings``: how calls are made. Times are in seconds."""

    drop_params: bool = False
    modify_params: bool = False
    request_timeout: Seconds | None = None
    num_retries: Retries | None = None
    allowed_fails: Count | None = None
    fallbacks: FallbackList = ()
    context_window_fallbacks: FallbackList = ()
    content_policy_fallbacks: FallbackList = ()
    default_fallbacks: tuple[msgspec.Raw, ...] = ()
    max_fallbacks: Retries | None = None
    timezone: Name | None = None
    budget_reset_time: TimeOfDay | None = None
    budget_rollover: bool = False
    model_alias_map: Mapping[str, Name] = {}
    max_budget: Amount | None = None
    budget_duration: Span | None = None
    max_end_user_budget: Amount | None = None
    max_end_user_budget_id: Name | None = None
    tag_budget_config: Mapping[str, BudgetSection] = {}
    validate_end_user_id_in_db: bool = False
    disable_end_user_cost_tracking: bool = False
    enable_end_user_cost_tracking_prometheus_only: bool = False
    prometheus_deployment_and_latency_caller_identity: CallerIdentity = "api_key_alias"
    priority_reservation: Mapping[str, msgspec.Raw] = {}
    priority_reservation_settings: PrioritySettings = PrioritySettings()
    block_requests_for_models_without_pricing: bool = False
    budget_exceeded_status_code: Annotated[int, Meta(ge=400, le=599)] = 422
    default_key_generate_params: Mapping[str, msgspec.Raw] = {}
    upperbound_key_generate_params: KeyBounds = KeyBounds()
    key_generation_settings: KeyGeneration = KeyGeneration()
    key_alias_pattern: Name | None = None
    enable_key_alias_format_validation: bool = False
    default_internal_user_params: UserDefaults = UserDefaults()
    max_internal_user_budget: Amount | None = None
    internal_user_budget_duration: Name | None = None
    default_team_params: TeamDefaults = TeamDefaults()
    json_logs: bool = False
    require_auth_for_metrics_endpoint: bool = True
    sse_keepalive_ping_interval_seconds: Seconds | None = None
    turn_off_message_logging: bool = False
    set_verbose: bool = False
    cost_discount_config: Mapping[str, Share] = {}
    cost_margin_config: Mapping[str, msgspec.Raw] = {}
    include_cost_in_streaming_usage: bool = False
    cache_params: CacheParams = CacheParams()


class KeyManagementSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of a service that keeps secrets is used; ``hosted_keys`` None: it is asked for every reference."""

    hosted_keys: tuple[str, ...] | None = None
    access_mode: Annotated[
        str,
        Meta(pattern=r"^(read_only|write_only|read_and_write)$", description="read_only, write_only or read_and_write"),
    ] = "read_only"


class GeneralSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``general_settings``: the server itself."""

    master_key: Secret | None = None
    completion_model: Name | None = None
    embedding_model: Name | None = None
    max_parallel_requests: Count | None = None
    global_max_parallel_requests: Count | None = None
    max_request_size_mb: Annotated[float, Meta(gt=0, le=1024)] | None = None
    store_prompts_in_spend_logs: bool = False
    disable_spend_logs: bool = False
    litellm_key_header_name: HeaderName | None = None
    user_header_name: HeaderName | None = None
    user_header_mappings: tuple[UserHeaderMapping, ...] = ()
    enforce_user_param: bool = False
    enforced_params: tuple[Name, ...] = ()
    service_account_settings: ServiceAccountSettings = ServiceAccountSettings()
    reject_clientside_metadata_tags: bool = False
    apply_user_budget_to_team_keys: bool = False
    token_rate_limit_type: CountedTokens | None = None
    alerting: tuple[Name, ...] = ()
    alert_types: tuple[Name, ...] | None = None
    alert_to_webhook_url: Mapping[str, msgspec.Raw] = {}
    allow_requests_on_db_unavailable: bool = False
    database_url: Secret | None = None
    database_connection_pool_limit: PositiveCount | None = None
    database_connection_timeout: Seconds | None = None
    database_connection_pool_timeout: Seconds | None = None
    database_disable_prepared_statements: bool = False
    disable_custom_api_keys: bool = False
    enforce_fallback_model_access: bool = True
    expose_fallback_errors_to_caller: bool = False
    return_wildcard_routes: bool = False
    background_health_checks: bool = False
    health_check_interval: Seconds = 300.0
    health_check_concurrency: PositiveCount = 16
    health_check_details: bool = True
    health_check_skip_disabled_background_models: bool = False
    background_health_check_model_groups: tuple[str, ...] | None = None
    model_list_healthy_only: bool = False
    health_check_ignore_transient_errors: bool = False
    enable_health_check_routing: bool = False
    health_check_staleness_threshold: Seconds | None = None
    enable_jwt_auth: bool = False
    litellm_jwtauth: JwtAuth = JwtAuth()
    allowed_ips: tuple[Name, ...] | None = None
    use_x_forwarded_for: bool = False
    trusted_proxy_ranges: tuple[Name, ...] = ()
    admin_only_routes: tuple[Name, ...] = ()
    auto_redirect_ui_login_to_sso: bool = False
    disable_password_login_when_sso_enabled: bool = False
    disable_env_credential_login: bool = False
    max_failed_login_attempts: PositiveCount = 10
    max_failed_login_attempts_per_source: PositiveCount = 50
    failed_login_window_seconds: PositiveCount = 900
    failed_login_block_seconds: PositiveCount = 900
    password_policy_min_length: Annotated[int, Meta(ge=1, le=256)] = 12
    password_policy_require_uppercase: bool = False
    password_policy_require_lowercase: bool = False
    password_policy_require_numbers: bool = False
    password_policy_require_special_characters: bool = False
    maximum_spend_logs_retention_period: Name | None = None
    maximum_spend_logs_retention_interval: msgspec.Raw | None = None
    coordination_redis: CoordinationRedis = CoordinationRedis()
    key_management_system: Name | None = None
    key_management_settings: KeyManagementSettings = KeyManagementSettings()
    store_model_in_db: bool | None = None


class RouterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``router_settings``. Its ``default_litellm_params`` are in the deployments already. Times are in seconds."""

    model_group_alias: Mapping[str, ModelAlias] = {}
    routing_strategy: StrategyName | None = None
    routing_strategy_args: StrategyArgs = StrategyArgs()
    routing_groups: tuple[StrategyGroup, ...] = ()
    enable_tag_filtering: bool = False
    tag_filtering_match_any: bool = True
    tag_routing_prefix: str = ""
    enable_pre_call_checks: bool = False
    optional_pre_call_checks: tuple[Name, ...] = ()
    model_group_affinity_config: Mapping[str, tuple[Name, ...]] = {}
    deployment_affinity_ttl_seconds: Seconds | None = None
    session_affinity_repin_on_failover: bool = False
    default_max_parallel_requests: Count | None = None
    num_retries: Retries | None = None
    retry_after: Amount = 0.0
    retry_policy: RetryCounts = {}
    model_group_retry_policy: Mapping[str, RetryCounts] = {}
    fallbacks: FallbackList = ()
    context_window_fallbacks: FallbackList = ()
    content_policy_fallbacks: FallbackList = ()
    default_fallbacks: tuple[msgspec.Raw, ...] = ()
    max_fallbacks: Retries | None = None
    fallback_on_unsupported_params: bool = True
    enable_mid_stream_fallback_continuation: bool = False
    allowed_fails: Count | None = None
    allowed_fails_policy: Mapping[FailsKind, Count] = {}
    cooldown_time: Amount | None = None
    disable_cooldowns: bool = False
    enable_health_check_routing: bool = False
    health_check_ignore_transient_errors: bool = False
    health_check_staleness_threshold: Seconds | None = None
    background_health_check_model_groups: tuple[str, ...] | None = None
    timeout: Seconds | None = None
    stream_timeout: Seconds | None = None
    default_priority: Annotated[int, Meta(ge=0, le=255)] | None = None
    provider_budget_config: Mapping[str, BudgetSection] = {}
    redis_url: RedisUrl | None = None
    redis_host: Host | None = None
    redis_port: Port | None = None
    redis_password: Secret | None = None
    redis_db: Database | None = None


class LocalHost(msgspec.Struct, frozen=True, kw_only=True):
    """One machine that runs local models: ``pointsman.local_hosts[]``.

    What is None is found out, or is as usual. ``slots`` is how many requests it is sent at once, 0: as many as come;
    ``queue_max`` how many more may wait for it. Power is in watts, ``price_kwh`` in USD.
    """

    api_base: Url
    provider: HostProvider | None = None
    slots: Annotated[int, Meta(ge=0, le=65_536)] | None = None
    queue_max: Annotated[int, Meta(ge=0, le=65_536)] | None = None
    weight: Amount = 1.0
    watts_idle: Amount | None = None
    watts_busy: Amount | None = None
    price_kwh: Amount | None = None
    wake_on_lan: MacAddress | None = None
    sleep_mode: bool = False
    num_ctx_max: PositiveCount | None = None
    keep_alive: msgspec.Raw | None = None
    unload_after_seconds: Amount | None = None


class WarmUp(msgspec.Struct, frozen=True, kw_only=True):
    """A model to be loaded before anybody asks for it: ``pointsman.warm_up[]``.

    ``on_start`` None: where no time is given. ``keep_alive`` is in Ollama's form, for how long it is kept loaded from
    then on, None: for good. ``host`` None: one host, the one that can load it at least cost. ``evicts``: even where
    another model may have to go.
    """

    model: Name
    at: tuple[WeekTime, ...] = ()
    on_start: bool | None = None
    keep_alive: msgspec.Raw | None = None
    host: Url | None = None
    evicts: bool = False


class PointsmanSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``pointsman``: what LiteLLM has no key for.

    ``discovery`` None: look for local servers if, and only if, no model is configured.
    """

    discovery: bool | None = None
    ollama: tuple[Url, ...] = ()
    num_ctx_max: PositiveCount | None = None
    upstream_connect_timeout_seconds: Seconds = 2.0
    upstream_load_timeout_seconds: Seconds | None = None
    upstream_idle_timeout_seconds: Seconds = 120.0
    first_token_timeout_seconds: Seconds | None = None
    retry_wait_seconds_max: Amount = 20.0
    retry_budget_percent: Annotated[float, Meta(ge=0, le=100)] = 10.0
    shutdown_grace_seconds: Amount = 30.0
    log_prompts: bool = False
    prompt_log_retention_days: PositiveCount = 30
    ollama_management: bool = False
    response_retention_days: Annotated[int, Meta(ge=0, le=3650)] = 30
    allow_unknown_response_ids: bool = False
    response_store_bytes_max: PositiveCount = 8 * 1024 * 1024 * 1024
    storage_grace_seconds: Amount = 3600.0
    fetch_remote_images: bool = False
    fetch_remote_image_bytes_max: PositiveCount = 20 * 1024 * 1024
    fetch_remote_documents: bool = False
    fetch_remote_document_bytes_max: PositiveCount = 20 * 1024 * 1024
    pass_through_for_all_keys: bool = False
    return_upstream_headers: bool = False
    routing_rules: tuple[RoutingRuleSection, ...] = ()
    conversation_affinity_seconds: Amount = 900.0
    upstream_first_byte_timeout_seconds: Seconds | None = None
    on_disconnect: Annotated[str, Meta(pattern=r"^(cancel|finish_load)$", description="cancel or finish_load")] = (
        "cancel"
    )
    keep_alive: msgspec.Raw | None = None
    warm_up: tuple[WarmUp, ...] = ()
    unload_after_seconds: Amount | None = None
    unload_after_seconds_by_model: Mapping[str, Amount] = {}
    wake_seconds_max: Seconds = 120.0
    energy_counts_as_spend: bool = False
    local_hosts: tuple[LocalHost, ...] = ()
    queue_max_group_wait_seconds: Amount = 30.0
    queue_ageing_seconds: Seconds = 10.0
    queue_wait_seconds_max: Seconds = 1800.0
    traffic: tuple[TrafficRule, ...] = ()
    bulkheads: Mapping[str, Bulkhead] = {}
    sign_in: SignInSection = SignInSection()
    billing: Billing = Billing()
    model_limits: Mapping[str, BudgetSection] = {}
    alert_emails: tuple[Name, ...] = ()
    budget_alert_percents: tuple[Annotated[int, Meta(ge=1, le=100)], ...] = (80, 95)
    shared_limits: Annotated[str, Meta(pattern=r"^(exact|leased)$", description="exact or leased")] = "leased"
    redis_namespace: Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.-]{1,64}$", description="a short name")] = "pointsman"
    redis_timeout_seconds: Annotated[float, Meta(ge=0.01, le=5)] = 0.25
    audit_retention_days: PositiveCount | None = None
    metrics_labels: tuple[MetricsLabel, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration, whole and valid. ``local`` is the section ``pointsman``.

    ``stored_models`` were added at run time and are served beside those of the file.
    """

    model_list: tuple[ModelEntry, ...] = ()
    litellm_settings: LiteLLMSettings = LiteLLMSettings()
    general_settings: GeneralSettings = GeneralSettings()
    router_settings: RouterSettings = RouterSettings()
    local: PointsmanSettings = PointsmanSettings()
    stored_models: tuple[ModelEntry, ...] = ()

    @property
    def discovers(self) -> bool:
        """Whether local servers are looked for."""
        return not self.model_list if self.local.discovery is None else self.local.discovery
