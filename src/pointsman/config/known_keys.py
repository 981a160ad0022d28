"""Every key that a configuration may hold, ours and all of LiteLLM 1.109.1's, as data in ``known_keys.json``.

That file has for each section ``key: [type, meaning]``, families of keys (``supports_*``), the prices, and the fields
of an upstream body that may be pinned. Whether a key is *honoured* it does not say: a key is honoured when a struct of
:mod:`~pointsman.config.sections` has a field for it, or when :data:`HONOURED_OTHERWISE` or :func:`is_token_price`
says so. What is known and not honoured, or in :data:`NOT_YET`, is warned of, unless :data:`SO_ANYWAY` has its value.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from pointsman.config.billing_sections import Billing, BillingTerms
from pointsman.config.customer_sections import ServiceAccountSettings, UserHeaderMapping
from pointsman.config.deployment_sections import INFO_TERMS
from pointsman.config.handling_sections import CachePoint, SessionTag
from pointsman.config.jwt_sections import JwtAuth, JwtIssuer, JwtRoleMap, JwtRoleMapping, JwtScope
from pointsman.config.limit_sections import BudgetSection, PrioritySettings
from pointsman.config.people_sections import KeyGeneration, PersonalKeys, TeamDefaults, TeamKeys, UserDefaults
from pointsman.config.redis_sections import CacheParams, CoordinationRedis, RedisNode
from pointsman.config.routing_sections import ModelAlias, StrategyArgs, StrategyGroup
from pointsman.config.rule_sections import (
    OverflowSection,
    RestrictionSection,
    RoutingRuleSection,
    RuleThen,
    RuleTier,
    RuleWhen,
)
from pointsman.config.sections import (
    GeneralSettings,
    KeyBounds,
    KeyManagementSettings,
    LiteLLMParams,
    LiteLLMSettings,
    LocalHost,
    ModelEntry,
    ModelInfo,
    PointsmanSettings,
    RouterSettings,
    WarmUp,
)
from pointsman.config.sign_in_sections import SignInGroup, SignInProvider, SignInSection
from pointsman.config.traffic_sections import Bulkhead, Canary, Hedge, Mirror, TrafficRule, Variant

__all__ = [
    "HONOURED_OTHERWISE",
    "NOT_KEYS",
    "NOT_YET",
    "SO_ANYWAY",
    "STRUCTS",
    "KnownKeys",
    "field_names",
    "is_honoured",
    "is_so_anyway",
    "is_token_price",
    "known_keys",
]

STRUCTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "model_entry": ModelEntry,
    "litellm_params": LiteLLMParams,
    "cache_control_injection_points": CachePoint,
    "aws_session_tags": SessionTag,
    "model_info": ModelInfo,
    "litellm_settings": LiteLLMSettings,
    "upperbound_key_generate_params": KeyBounds,
    "cache_params": CacheParams,
    "general_settings": GeneralSettings,
    "coordination_redis": CoordinationRedis,
    "startup_nodes": RedisNode,
    "redis_startup_nodes": RedisNode,
    "user_header_mappings": UserHeaderMapping,
    "service_account_settings": ServiceAccountSettings,
    "default_internal_user_params": UserDefaults,
    "default_team_params": TeamDefaults,
    "key_generation_settings": KeyGeneration,
    "team_key_generation": TeamKeys,
    "personal_key_generation": PersonalKeys,
    "key_management_settings": KeyManagementSettings,
    "router_settings": RouterSettings,
    "model_group_alias": ModelAlias,
    "routing_strategy_args": StrategyArgs,
    "routing_groups": StrategyGroup,
    "pointsman": PointsmanSettings,
    "routing_rules": RoutingRuleSection,
    "when": RuleWhen,
    "then": RuleThen,
    "only": RestrictionSection,
    "overflow": OverflowSection,
    "tiers": RuleTier,
    "local_hosts": LocalHost,
    "warm_up": WarmUp,
    "traffic": TrafficRule,
    "canary": Canary,
    "variants": Variant,
    "mirror": Mirror,
    "hedge": Hedge,
    "bulkheads": Bulkhead,
    "litellm_jwtauth": JwtAuth,
    "issuers": JwtIssuer,
    "role_mappings": JwtRoleMapping,
    "jwt_litellm_role_map": JwtRoleMap,
    "scope_mappings": JwtScope,
    "sign_in": SignInSection,
    "providers": SignInProvider,
    "groups": SignInGroup,
    "billing": Billing,
    "billing_terms": BillingTerms,
    "model_limits": BudgetSection,
    "provider_budget_config": BudgetSection,
    "tag_budget_config": BudgetSection,
    "priority_reservation_settings": PrioritySettings,
}
"""The struct that each section is read into."""

NOT_KEYS: Final = frozenset({
    "address_stored", "extras", "missing_credential", "pinned", "place", "prices", "stored", "supports",
})  # fmt: skip
"""Fields of those structs that gather keys, or what was found out, and are none themselves."""

HONOURED_OTHERWISE: Final[Mapping[str, frozenset[str]]] = {
    "top": frozenset({
        "credential_list", "environment_variables", "general_settings", "include", "litellm_settings", "model_list",
        "pointsman", "router_settings",
    }),
    "credential": frozenset({"credential_info", "credential_name", "credential_values"}),
    "model_info": INFO_TERMS | {
        "allow_fail_open", "disable_background_health_check", "enable_tag_filtering", "health_check_model",
        "health_check_timeout",
    },
    "router_settings": frozenset({"default_litellm_params"}),
}  # fmt: skip
"""Keys that are used up while the configuration is put together, or read where they act."""

NOT_YET: Final[Mapping[str, frozenset[str]]] = {
    "litellm_params": frozenset({
        "keepalive_seconds",
    }),
    "general_settings": frozenset({
        "completion_model", "disable_spend_logs", "embedding_model",
    }),
    "pointsman": frozenset({"prompt_log_retention_days"}),
}  # fmt: skip
"""Fields that are read and checked while nothing acts on them yet, so that they warn like any key without effect.

The change that makes one act takes its name out of here.
"""

SO_ANYWAY: Final[Mapping[str, Mapping[str, tuple[object, ...]]]] = {
    "litellm_settings": {
        "cache": (False,),
        "callbacks": ("prometheus", ["prometheus"]),
        "failure_callback": ("prometheus", ["prometheus"]),
        "success_callback": ("prometheus", ["prometheus"]),
    },
    "general_settings": {
        "disable_spend_logs": (False,),
    },
    "key_management_settings": {"store_virtual_keys": (False,)},
    "router_settings": {"enable_weighted_failover": (True,)},
}
"""What keys without effect may say without a warning, since it is what happens: of ``callbacks``, say, the metrics.

The change that makes such a key act takes it out of here.
"""

_TOKEN_PRICE: Final = re.compile(
    r"(?:(?:input|output)_cost_per_token|cache_(?:read|creation)_input_token_cost|output_cost_per_reasoning_token"
    r"|(?:input|output)_cost_per_audio_token|input_cost_per_request)(?:_above_[0-9]{1,9}k?_tokens)?"
    r"(?:_(?:balanced|flex|priority|ultrafast))?"
    r"|(?:input|output)_cost_per_(?:image|image_token|character|second)|input_cost_per_query",
    re.ASCII,
)


class KnownKeys(msgspec.Struct, frozen=True):
    """The contents of ``known_keys.json``; a key's value is its type and its meaning."""

    keys: Mapping[str, Mapping[str, tuple[str, str]]]
    families: Mapping[str, tuple[str, ...]]
    prices: tuple[str, ...]
    body: frozenset[str]

    def knows(self, section: str, key: str) -> bool:
        """Whether LiteLLM or we have a meaning for ``key`` there."""
        if key in self.keys[section] or any(fnmatchcase(key, family) for family in self.families.get(section, ())):
            return True
        return section in {"litellm_params", "model_info"} and (key in self.prices or is_token_price(key))

    def sections_with(self, key: str) -> tuple[str, ...]:
        """The sections in which ``key`` would have a meaning."""
        return tuple(section for section, keys in self.keys.items() if key in keys)


@functools.cache
def known_keys() -> KnownKeys:
    """The packaged list."""
    data = Path(__file__).with_name("known_keys.json").read_bytes()
    return msgspec.json.decode(data, type=KnownKeys)


def field_names(struct: type[msgspec.Struct]) -> frozenset[str]:
    """The keys that a section's struct has fields for."""
    return frozenset(struct.__struct_fields__) - NOT_KEYS


def is_honoured(section: str, key: str) -> bool:
    """Whether setting ``key`` there has an effect."""
    if key in NOT_YET.get(section, ()):
        return False
    if key in HONOURED_OTHERWISE.get(section, ()):
        return True
    struct = STRUCTS.get(section)
    if struct is not None and key in field_names(struct):
        return True
    if section == "model_info" and key.startswith("supports_"):
        return True
    return section in {"litellm_params", "model_info"} and is_token_price(key)


def is_so_anyway(section: str, key: str, value: object) -> bool:
    """Whether a key without effect asks for no more than what happens without it."""
    # By type too, since False equals 0.
    return any(type(value) is type(one) and value == one for one in SO_ANYWAY.get(section, {}).get(key, ()))


def is_token_price(key: str) -> bool:
    """Whether ``key`` is a price that costs are computed from, in USD per token, request or other unit."""
    return _TOKEN_PRICE.fullmatch(key) is not None
