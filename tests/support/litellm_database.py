"""LiteLLM's tables in PostgreSQL, with the names and types of version 1.109.1 (``proxy/schema.prisma``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tests.support.servers import PostgresServer

__all__ = ["LiteLLMTables"]

_LIMITS: Final = "max_parallel_requests integer, tpm_limit bigint, rpm_limit bigint, max_budget double precision"
_STAMPS: Final = (
    "created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, created_by text,"
    " updated_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_by text"
)
_SPEND: Final = "spend double precision NOT NULL DEFAULT 0"
_PERIOD: Final = "budget_duration text, budget_reset_at timestamp(3)"
_DAY: Final = (
    "date text NOT NULL, api_key text NOT NULL, model text, model_group text, custom_llm_provider text,"
    " mcp_namespaced_tool_name text, endpoint text, prompt_tokens bigint NOT NULL DEFAULT 0,"
    " completion_tokens bigint NOT NULL DEFAULT 0, cache_read_input_tokens bigint NOT NULL DEFAULT 0,"
    " cache_creation_input_tokens bigint NOT NULL DEFAULT 0, spend double precision NOT NULL DEFAULT 0,"
    " api_requests bigint NOT NULL DEFAULT 0, successful_requests bigint NOT NULL DEFAULT 0,"
    " failed_requests bigint NOT NULL DEFAULT 0, total_response_time_ms bigint NOT NULL DEFAULT 0"
)
_EMPTY: Final = "text[] NOT NULL DEFAULT '{}'"

_COLUMNS: Final[Mapping[str, str]] = {
    "LiteLLM_BudgetTable": f"budget_id text PRIMARY KEY, soft_budget double precision, {_LIMITS}, tpd_limit bigint,"
    f" model_max_budget jsonb, {_PERIOD}, allowed_models {_EMPTY}, temp_budget_increase double precision,"
    f" temp_budget_expiry timestamp(3), {_STAMPS}",
    "LiteLLM_OrganizationTable": "organization_id text PRIMARY KEY, organization_alias text NOT NULL, budget_id text,"
    f" metadata jsonb NOT NULL DEFAULT '{{}}', models {_EMPTY}, {_SPEND}, model_spend jsonb, object_permission_id text,"
    f" {_STAMPS}",
    "LiteLLM_OrganizationMembership": "user_id text, organization_id text, user_role text, spend double precision,"
    f" budget_id text, {_STAMPS}, PRIMARY KEY (user_id, organization_id)",
    "LiteLLM_ModelTable": f"id serial PRIMARY KEY, aliases jsonb, {_STAMPS}",
    "LiteLLM_TeamTable": "team_id text PRIMARY KEY, team_alias text, organization_id text, object_permission_id text,"
    f" admins {_EMPTY}, members {_EMPTY}, members_with_roles jsonb NOT NULL DEFAULT '{{}}',"
    f" metadata jsonb NOT NULL DEFAULT '{{}}', soft_budget double precision, {_SPEND}, models {_EMPTY}, {_LIMITS},"
    f" tpd_limit bigint, {_PERIOD}, blocked boolean NOT NULL DEFAULT false, model_spend jsonb, model_max_budget jsonb,"
    f" router_settings jsonb, team_member_permissions {_EMPTY}, access_group_ids {_EMPTY}, policies {_EMPTY},"
    f" default_team_member_models {_EMPTY}, budget_limits jsonb, model_id integer, {_STAMPS}",
    "LiteLLM_TeamMembership": f"user_id text, team_id text, {_SPEND}, total_spend double precision, budget_id text,"
    " PRIMARY KEY (user_id, team_id)",
    "LiteLLM_UserTable": "user_id text PRIMARY KEY, user_alias text, team_id text, sso_user_id text UNIQUE,"
    f" organization_id text, object_permission_id text, password text, teams {_EMPTY}, user_role text, {_SPEND},"
    f" user_email text, models {_EMPTY}, metadata jsonb NOT NULL DEFAULT '{{}}', {_LIMITS}, {_PERIOD},"
    f" allowed_cache_controls {_EMPTY}, policies {_EMPTY}, model_spend jsonb, model_max_budget jsonb,"
    " created_at timestamp(3), updated_at timestamp(3)",
    "LiteLLM_EndUserTable": f"user_id text PRIMARY KEY, alias text, {_SPEND}, allowed_model_region text,"
    f" default_model text, models {_EMPTY}, budget_id text, object_permission_id text,"
    " blocked boolean NOT NULL DEFAULT false",
    "LiteLLM_ProjectTable": "project_id text PRIMARY KEY, project_alias text, description text, team_id text,"
    f" budget_id text, metadata jsonb NOT NULL DEFAULT '{{}}', models {_EMPTY}, {_SPEND}, model_spend jsonb,"
    " model_rpm_limit jsonb, model_tpm_limit jsonb, blocked boolean NOT NULL DEFAULT false, object_permission_id text,"
    f" {_STAMPS}",
    "LiteLLM_ModelAccessGroupBudgetTable": f"access_group_name text PRIMARY KEY, {_SPEND}, budget_id text, {_STAMPS}",
    "LiteLLM_TagTable": f"tag_name text PRIMARY KEY, description text, models {_EMPTY}, model_info jsonb, {_SPEND},"
    f" budget_id text, {_STAMPS}",
    "LiteLLM_AccessGroupTable": "access_group_id text PRIMARY KEY, access_group_name text UNIQUE, description text,"
    f" access_model_names {_EMPTY}, access_mcp_server_ids {_EMPTY}, mcp_tool_permissions jsonb,"
    f" access_agent_ids {_EMPTY}, access_skill_names {_EMPTY}, assigned_team_ids {_EMPTY}, assigned_key_ids {_EMPTY},"
    f" {_STAMPS}",
    "LiteLLM_CredentialsTable": "credential_id text PRIMARY KEY, credential_name text UNIQUE, display_name text,"
    f" credential_values jsonb NOT NULL, credential_info jsonb, {_STAMPS}",
    "LiteLLM_ProxyModelTable": "model_id text PRIMARY KEY, model_name text NOT NULL, litellm_params jsonb NOT NULL,"
    f" model_info jsonb, blocked boolean NOT NULL DEFAULT false, {_STAMPS}",
    "LiteLLM_ObjectPermissionTable": f"object_permission_id text PRIMARY KEY, mcp_servers {_EMPTY}, models {_EMPTY},"
    f" vector_stores {_EMPTY}, agents {_EMPTY}",
    "LiteLLM_VerificationToken": "token text PRIMARY KEY, key_name text, key_alias text, soft_budget_cooldown boolean,"
    f" {_SPEND}, total_spend double precision, expires timestamp(3), models {_EMPTY},"
    " aliases jsonb NOT NULL DEFAULT '{}', config jsonb NOT NULL DEFAULT '{}', router_settings jsonb, user_id text,"
    " team_id text, agent_id text, project_id text, permissions jsonb NOT NULL DEFAULT '{}',"
    f" metadata jsonb NOT NULL DEFAULT '{{}}', blocked boolean, {_LIMITS}, tpd_limit bigint, {_PERIOD},"
    f" allowed_cache_controls {_EMPTY}, allowed_routes {_EMPTY}, key_type text, policies {_EMPTY},"
    f" access_group_ids {_EMPTY}, model_spend jsonb, model_max_budget jsonb, budget_fallbacks jsonb, budget_id text,"
    f" organization_id text, object_permission_id text, {_STAMPS}, settings_updated_at timestamp(3),"
    " last_active timestamp(3), rotation_count integer, auto_rotate boolean, rotation_interval text,"
    " last_rotation_at timestamp(3), key_rotation_at timestamp(3), budget_limits jsonb",
    "LiteLLM_DeprecatedVerificationToken": "id text PRIMARY KEY, token text UNIQUE, active_token_id text,"
    " revoke_at timestamp(3), created_at timestamp(3) DEFAULT CURRENT_TIMESTAMP",
    "LiteLLM_BudgetWindowSpend": "entity_type text, entity_id text, window_duration text, window_start timestamp(3),"
    f" {_SPEND}, PRIMARY KEY (entity_type, entity_id, window_duration)",
    **{
        f"LiteLLM_Daily{whose}Spend": f"id text PRIMARY KEY, {column} text, {_DAY}"
        for whose, column in (
            ("User", "user_id"),
            ("Team", "team_id"),
            ("Organization", "organization_id"),
            ("EndUser", "end_user_id"),
            ("Tag", "tag"),
        )
    },
}


class LiteLLMTables:
    """A database of a server that has these tables."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.name = server.new_database()
        server.execute(
            *(f'CREATE TABLE "{table}" ({columns})' for table, columns in _COLUMNS.items()),
            *(f'GRANT SELECT ON "{table}" TO pointsman' for table in _COLUMNS),
            database=self.name,
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return self._server.url(self.name)

    def add(self, table: str, **values: Any) -> None:
        """One row; dictionaries are JSON, and so are lists of dictionaries."""
        shown = ", ".join(f'"{column}"' for column in values)
        self._server.execute(
            f'INSERT INTO "{table}" ({shown}) VALUES ({", ".join(map(_literal, values.values()))})', database=self.name
        )

    def change(self, table: str, identity: str, **values: Any) -> None:
        """Other values in the row with an ``id``."""
        changed = ", ".join(f'"{column}" = {_literal(value)}' for column, value in values.items())
        self._server.execute(f'UPDATE "{table}" SET {changed} WHERE id = {_literal(identity)}', database=self.name)

    def drop(self, *tables: str) -> None:
        """Remove tables, as in an older version."""
        self._server.execute(*(f'DROP TABLE "{table}"' for table in tables), database=self.name)


def _literal(value: object) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    if value is None:
        return "NULL"
    if isinstance(value, list) and not any(isinstance(one, dict) for one in value):
        return f"ARRAY[{', '.join(map(_literal, value))}]::text[]"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "'" + text.replace("'", "''") + "'"
