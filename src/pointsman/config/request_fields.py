"""Fields of a request's body that are not simply the upstream's, in LiteLLM's names."""

from __future__ import annotations

from typing import Final

__all__ = ["FOR_THE_GATEWAY", "OPERATORS", "RULES", "SPECIAL", "TIMEOUTS"]

RULES: Final = frozenset({"additional_drop_params", "allowed_openai_params", "drop_params"})
"""Fields of a body that say what becomes of the others; no upstream is sent them."""

TIMEOUTS: Final = frozenset({"request_timeout", "stream_timeout", "timeout"})
"""How long an attempt may take."""

FOR_THE_GATEWAY: Final = frozenset({
    "allowed_model_region", "caching", "content_policy_fallbacks", "context_window_fallbacks", "disable_fallbacks",
    "enable_tag_filtering", "fallbacks", "fastest_response", "guardrail_config",
    "guardrails", "include_fallback_errors", "litellm_call_id", "litellm_metadata",
    "litellm_session_id", "litellm_trace_id", "mock_response", "mock_testing_content_policy_fallbacks",
    "mock_testing_context_fallbacks", "mock_testing_fallbacks", "mock_testing_rate_limit_error", "no-log",
    "num_retries", "policies", "request_timeout", "stream_timeout", "tags", "timeout",
})  # fmt: skip
"""LiteLLM's fields that are meant for the gateway and no upstream knows, so none is sent them.

Not here are those whose name means something to some upstream too: ``cache``, ``priority`` (vLLM).
"""

OPERATORS: Final = frozenset({
    "api_base", "api_key", "api_version", "aws_access_key_id", "aws_bedrock_runtime_endpoint", "aws_external_id",
    "aws_profile_name", "aws_region_name", "aws_role_name", "aws_secret_access_key", "aws_session_name",
    "aws_session_token", "aws_sts_endpoint", "aws_web_identity_token", "azure_ad_token", "azure_ad_token_provider",
    "azure_password", "azure_scope", "azure_username", "base_url", "client_id", "client_secret",
    "configurable_clientside_auth_params", "custom_llm_provider", "default_headers", "deployment_id", "extra_headers",
    "headers", "litellm_credential_name", "model_list", "organization", "region_name", "sagemaker_base_url",
    "tenant_id", "use_in_pass_through", "use_litellm_proxy", "user_config", "vertex_ai_credentials",
    "vertex_ai_location", "vertex_ai_project", "vertex_credentials", "vertex_location", "vertex_project",
    "watsonx_deployment_space_id", "wx_credentials",
})  # fmt: skip
"""Where an upstream is, whose account it is on and with which headers: never for a request to say."""

SPECIAL: Final = RULES | FOR_THE_GATEWAY | OPERATORS
"""Every field that is not simply the upstream's; most requests have none of them."""
