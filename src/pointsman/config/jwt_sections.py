"""What a configuration says of signed tokens: ``general_settings.litellm_jwtauth``, in LiteLLM's names."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

__all__ = ["JwtAuth", "JwtIssuer", "JwtRole", "JwtRoleMap", "JwtRoleMapping", "JwtScope"]

_Span = Annotated[float, Meta(gt=0)]
_Amount = Annotated[float, Meta(ge=0)]
_Text = Annotated[str, Meta(min_length=1, description="text")]
_Address = Annotated[
    str,
    Meta(pattern=r"^https?://[^\s/?#@]+([/?][^\s#]*)?$", description="an address such as https://id.example.com"),
]

JwtRole = Annotated[
    str,
    Meta(
        pattern=r"^(proxy_admin|proxy_admin_viewer|org_admin|internal_user|internal_user_viewer|team|customer)$",
        description=(
            "proxy_admin, proxy_admin_viewer, org_admin, internal_user, internal_user_viewer, team or customer"
        ),
    ),
]

_ADMIN_ROUTES: Final = ("management_routes", "spend_tracking_routes", "global_spend_tracking_routes", "info_routes")
_TEAM_ROUTES: Final = ("openai_routes", "info_routes", "mcp_routes", "/v1/messages", "/v1/messages/count_tokens")


class JwtIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """One issuer beside that of the environment: ``issuers[]``.

    Fields that it does not name are those of the whole section. ``jwks_url`` None: found by discovery. ``audience`` is
    JSON: a text, or a list of them.
    """

    issuer: _Text
    jwks_url: _Address | None = None
    audience: msgspec.Raw | None = None
    disable_audience_validation: bool = False
    user_id_jwt_field: _Text | None = None
    user_email_jwt_field: _Text | None = None
    team_id_jwt_field: _Text | None = None
    team_ids_jwt_field: _Text | None = None
    org_id_jwt_field: _Text | None = None
    end_user_id_jwt_field: _Text | None = None


class JwtRoleMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A role in a token, and what whoever has it is here: ``role_mappings[]``."""

    role: _Text
    internal_role: JwtRole


class JwtRoleMap(msgspec.Struct, frozen=True, kw_only=True):
    """A role in a token (shell patterns allowed), and the role its user is given: ``jwt_litellm_role_map[]``."""

    jwt_role: _Text
    litellm_role: JwtRole


class JwtScope(msgspec.Struct, frozen=True, kw_only=True):
    """A scope, and what it opens: ``scope_mappings[]``. An empty list of either opens all."""

    scope: _Text
    models: tuple[_Text, ...] = ()
    routes: tuple[_Text, ...] = ()


class JwtAuth(msgspec.Struct, frozen=True, kw_only=True):
    """``litellm_jwtauth``. Fields are names of claims; dots go into objects. Times are in seconds."""

    admin_jwt_scope: _Text = "litellm_proxy_admin"
    admin_allowed_routes: tuple[_Text, ...] = _ADMIN_ROUTES
    team_id_jwt_field: _Text | None = None
    team_ids_jwt_field: _Text | None = None
    team_alias_jwt_field: _Text | None = None
    team_id_default: _Text | None = None
    team_id_upsert: bool = False
    team_allowed_routes: tuple[_Text, ...] = _TEAM_ROUTES
    org_id_jwt_field: _Text | None = None
    org_alias_jwt_field: _Text | None = None
    user_id_jwt_field: _Text | None = None
    user_email_jwt_field: _Text | None = None
    user_allowed_email_domain: _Text | None = None
    user_roles_jwt_field: _Text | None = None
    user_allowed_roles: tuple[_Text, ...] = ()
    user_id_upsert: bool = False
    upsert_sso_user_to_team: bool = False
    end_user_id_jwt_field: _Text | None = None
    roles_jwt_field: _Text | None = None
    role_mappings: tuple[JwtRoleMapping, ...] = ()
    object_id_jwt_field: _Text | None = None
    jwt_litellm_role_map: tuple[JwtRoleMap, ...] = ()
    sync_user_role_and_teams: bool = False
    scope_mappings: tuple[JwtScope, ...] = ()
    enforce_scope_based_access: bool = False
    enforce_rbac: bool = False
    team_claim_fallback: bool = False
    fallback_to_db_teams: bool = False
    public_key_ttl: _Span = 600.0
    public_key_stale_ttl: _Amount = 3600.0
    issuers: tuple[JwtIssuer, ...] = ()
