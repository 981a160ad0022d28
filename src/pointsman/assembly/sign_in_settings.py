"""From a configuration and LiteLLM's variables to what signing in, signed tokens and addresses go by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.sign_in.settings import GroupRule, OperatorAccount, SignInParty, SignInSettings
from pointsman.config.jwt_sections import JwtAuth, JwtIssuer
from pointsman.config.load import Loaded
from pointsman.config.sign_in_sections import SignInProvider
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.policies.addresses import AddressSettings
from pointsman.policies.bearers.settings import BearerSettings, ClaimFields, TrustedIssuer
from pointsman.policies.sign_in.passwords import PasswordRules
from pointsman.policies.sign_in.sessions import SessionSettings
from pointsman.policies.sign_in.throttle import ThrottleSettings
from pointsman.providers.identity import IdentityParty
from pointsman.providers.identity.parties import DEFAULT_SCOPE, PersonFields
from pointsman.providers.transport import Origin
from pointsman.stores.directory.records import Role
from pointsman.wire.jose_signatures import demand_jose

__all__ = [
    "address_settings",
    "bearer_settings",
    "session_settings",
    "sign_in_settings",
    "throttle_settings",
]

_GOOGLE: Final = "https://accounts.google.com"
_MICROSOFT: Final = "https://login.microsoftonline.com"
_OPEN_TENANTS: Final = frozenset({"common", "organizations", "consumers"})
"""Tenants of Microsoft's in which anybody may have an account, with whatever address they like."""
_OPERATOR_ID: Final = "default_user_id"
_OPERATOR_NAME: Final = "admin"

_Variables = Mapping[str, str]


def address_settings(loaded: Loaded) -> AddressSettings:
    """The rules about addresses."""
    general = loaded.settings.general_settings
    return AddressSettings(
        allowed=general.allowed_ips, use_forwarded=general.use_x_forwarded_for, trusted=general.trusted_proxy_ranges
    )


def throttle_settings(loaded: Loaded) -> ThrottleSettings:
    """How often somebody may be wrong."""
    general = loaded.settings.general_settings
    return ThrottleSettings(
        per_pair=general.max_failed_login_attempts,
        per_address=general.max_failed_login_attempts_per_source,
        window_seconds=float(general.failed_login_window_seconds),
        block_seconds=float(general.failed_login_block_seconds),
    )


def session_settings(loaded: Loaded) -> SessionSettings:
    """How long sessions live."""
    section = loaded.settings.local.sign_in
    return SessionSettings(life_seconds=section.session_seconds_max, idle_seconds=section.session_idle_seconds_max)


def bearer_settings(loaded: Loaded) -> BearerSettings | None:
    """Whose signed tokens are taken; None: nobody's.

    Raises:
        Misconfigured: they cannot be checked: the library is missing, or nobody is named who signs them.
    """
    general = loaded.settings.general_settings
    if not general.enable_jwt_auth:
        return None
    demand_jose()
    rules = general.litellm_jwtauth
    fields = _usual_fields(rules)
    issuers = [_issuer(one, fields) for one in rules.issuers]
    urls = tuple(url.strip() for url in _variable(loaded.variables, "JWT_PUBLIC_KEY_URL").split(",") if url.strip())
    for url in urls:
        Origin.parse(url)
    name = _variable(loaded.variables, "JWT_ISSUER") or None
    if urls or name:
        audiences = tuple(
            text.strip() for text in _variable(loaded.variables, "JWT_AUDIENCE").split(",") if text.strip()
        )
        issuers.append(TrustedIssuer(issuer=name, jwks_urls=urls, audiences=audiences, fields=fields))
    if not issuers:
        raise Misconfigured(
            "general_settings.enable_jwt_auth: nobody is named whose tokens are taken.",
            hint="Set JWT_PUBLIC_KEY_URL (and JWT_ISSUER, JWT_AUDIENCE), or litellm_jwtauth.issuers.",
        )
    return BearerSettings(issuers=tuple(issuers), rules=rules)


def sign_in_settings(loaded: Loaded, master_key: Secret) -> SignInSettings:
    """How people sign in.

    Raises:
        Misconfigured: a provider is named that cannot be used, or the library for it is missing.
    """
    general, section, variables = loaded.settings.general_settings, loaded.settings.local.sign_in, loaded.variables
    parties = (*_parties_of_variables(variables), *(_party(one) for one in section.providers))
    names = [party.party.name for party in parties]
    if len(set(names)) != len(names):
        raise Misconfigured("pointsman.sign_in.providers: two have the same name.", hint="Name each differently.")
    if parties:
        demand_jose()
    only_providers = bool(parties) and general.disable_password_login_when_sso_enabled
    operator = OperatorAccount(
        username=_variable(variables, "UI_USERNAME") or _OPERATOR_NAME,
        password=Secret(_variable(variables, "UI_PASSWORD") or master_key.reveal()),
        user_id=_variable(variables, "PROXY_ADMIN_ID") or _OPERATOR_ID,
    )
    domains = _variable(variables, "ALLOWED_EMAIL_DOMAINS")
    return SignInSettings(
        parties=parties,
        operator=None if only_providers or general.disable_env_credential_login else operator,
        base_url=_base_url(_variable(variables, "PROXY_BASE_URL")),
        logout_url=_variable(variables, "PROXY_LOGOUT_URL") or None,
        admin_id=_variable(variables, "PROXY_ADMIN_ID") or None,
        email_domains=tuple(domain.strip() for domain in domains.split(",") if domain.strip()),
        default_role=Role(section.default_role),
        groups=tuple(
            GroupRule(group=one.group, teams=one.teams, role=None if one.role is None else Role(one.role))
            for one in section.groups
        ),
        passwords=section.local_passwords and not only_providers,
        password_rules=PasswordRules(
            length_min=general.password_policy_min_length,
            uppercase=general.password_policy_require_uppercase,
            lowercase=general.password_policy_require_lowercase,
            numbers=general.password_policy_require_numbers,
            special_characters=general.password_policy_require_special_characters,
        ),
        creates_users=section.create_users,
        starts_with_provider=bool(parties) and general.auto_redirect_ui_login_to_sso,
        state_key=master_key,
    )


def _parties_of_variables(variables: _Variables) -> tuple[SignInParty, ...]:
    """The providers that LiteLLM's variables name."""
    found = []
    if client_id := _variable(variables, "GOOGLE_CLIENT_ID"):
        secret = _secret(variables, "GOOGLE_CLIENT_SECRET")
        found.append(
            SignInParty(party=IdentityParty(name="google", client_id=client_id, client_secret=secret, issuer=_GOOGLE))
        )
    if client_id := _variable(variables, "MICROSOFT_CLIENT_ID"):
        tenant = _variable(variables, "MICROSOFT_TENANT") or "common"
        party = IdentityParty(
            name="microsoft",
            client_id=client_id,
            client_secret=_secret(variables, "MICROSOFT_CLIENT_SECRET"),
            issuer=f"{_MICROSOFT}/{tenant}/v2.0",
            fields=PersonFields(groups="groups", role="roles"),
        )
        found.append(SignInParty(party=party, trusts_email=tenant not in _OPEN_TENANTS))
    if client_id := _variable(variables, "GENERIC_CLIENT_ID"):
        found.append(SignInParty(party=_generic(variables, client_id)))
    return tuple(found)


def _generic(variables: _Variables, client_id: str) -> IdentityParty:
    def attribute(what: str, usual: str) -> str:
        return _variable(variables, f"GENERIC_USER_{what}_ATTRIBUTE") or usual

    endpoints = {
        what: _variable(variables, f"GENERIC_{what.upper()}") or None
        for what in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    }
    missing = [f"GENERIC_{what.upper()}" for what, url in endpoints.items() if url is None]
    if missing:
        raise Misconfigured(
            f"GENERIC_CLIENT_ID is set, but not {', '.join(missing)}.",
            hint="Set them, or describe the provider in pointsman.sign_in.providers by its issuer.",
        )
    return IdentityParty(
        name="generic",
        client_id=client_id,
        client_secret=_secret(variables, "GENERIC_CLIENT_SECRET"),
        scope=_variable(variables, "GENERIC_SCOPE") or DEFAULT_SCOPE,
        fields=PersonFields(
            user_id=attribute("ID", "preferred_username"),
            email=attribute("EMAIL", "email"),
            first_name=attribute("FIRST_NAME", "first_name"),
            last_name=attribute("LAST_NAME", "last_name"),
            display_name=attribute("DISPLAY_NAME", "name"),
            role=attribute("ROLE", "role"),
        ),
        authorization_endpoint=endpoints["authorization_endpoint"],
        token_endpoint=endpoints["token_endpoint"],
        userinfo_endpoint=endpoints["userinfo_endpoint"],
    )


def _party(provider: SignInProvider) -> SignInParty:
    party = IdentityParty(
        name=provider.name,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        issuer=provider.issuer,
        authorization_endpoint=provider.authorization_endpoint,
        token_endpoint=provider.token_endpoint,
        userinfo_endpoint=provider.userinfo_endpoint,
        jwks_url=provider.jwks_url,
        scope=provider.scope,
        fields=PersonFields(
            user_id=provider.user_id_claim,
            email=provider.email_claim,
            display_name=provider.name_claim,
            role=provider.role_claim,
            groups=provider.groups_claim,
        ),
    )
    if party.issuer is None and (party.authorization_endpoint is None or party.token_endpoint is None):
        raise Misconfigured(
            f"pointsman.sign_in.providers: {party.name} has neither an issuer nor the addresses of its endpoints.",
            hint="Set issuer to the address behind which its /.well-known/openid-configuration is.",
        )
    return SignInParty(party=party, trusts_email=provider.trust_email)


def _usual_fields(rules: JwtAuth) -> ClaimFields:
    return ClaimFields(
        user_id=rules.user_id_jwt_field,
        user_email=rules.user_email_jwt_field,
        team_id=rules.team_id_jwt_field,
        team_ids=rules.team_ids_jwt_field,
        org_id=rules.org_id_jwt_field,
        end_user_id=rules.end_user_id_jwt_field,
    )


def _issuer(one: JwtIssuer, usual: ClaimFields) -> TrustedIssuer:
    """An issuer of ``issuers[]``; as in LiteLLM it must say for whom its tokens are, or that this does not matter."""
    audiences = _audiences(one)
    if bool(audiences) == one.disable_audience_validation:
        raise Misconfigured(
            f"litellm_jwtauth.issuers: {one.issuer} must have either audience or disable_audience_validation: true.",
            hint="Set audience to what its tokens for this gateway say as `aud`.",
        )
    own = ClaimFields(
        user_id=one.user_id_jwt_field or usual.user_id,
        user_email=one.user_email_jwt_field or usual.user_email,
        team_id=one.team_id_jwt_field or usual.team_id,
        team_ids=one.team_ids_jwt_field or usual.team_ids,
        org_id=one.org_id_jwt_field or usual.org_id,
        end_user_id=one.end_user_id_jwt_field or usual.end_user_id,
    )
    urls = () if one.jwks_url is None else (one.jwks_url,)
    return TrustedIssuer(issuer=one.issuer, jwks_urls=urls, audiences=audiences, fields=own)


def _audiences(one: JwtIssuer) -> tuple[str, ...]:
    try:
        said = msgspec.json.decode(one.audience or b"null", type=str | tuple[str, ...] | None)
    except msgspec.ValidationError:
        message = f"litellm_jwtauth.issuers: audience of {one.issuer} is neither a text nor a list of texts."
        raise Misconfigured(message) from None
    return (said,) if isinstance(said, str) else said or ()


def _base_url(text: str) -> str | None:
    if not text:
        return None
    try:
        origin = Origin.parse(text)
    except Misconfigured:
        raise Misconfigured("PROXY_BASE_URL is no address.", hint="Write it like https://llm.example.com.") from None
    return origin.url


def _variable(variables: _Variables, name: str) -> str:
    return variables.get(name, "").strip()


def _secret(variables: _Variables, name: str) -> Secret | None:
    text = _variable(variables, name)
    return Secret(text) if text else None
