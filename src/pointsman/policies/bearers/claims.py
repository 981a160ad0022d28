"""From the claims of a token that is believed to who it speaks of, by the operator's mapping."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from hashlib import sha256

import msgspec

from pointsman.config.jwt_sections import JwtAuth
from pointsman.core.errors import Forbidden
from pointsman.policies.bearers.settings import ClaimFields

__all__ = ["SIGNED_IDENTITY", "Claimant", "claim_text", "claim_texts", "is_left_out", "read_claimant"]

SIGNED_IDENTITY = "jwt-"
"""Begins the name under which whoever comes with signed tokens is recorded."""

_TEXT_CHARACTERS_MAX = 512
_TEXTS_MAX = 100_000
"""Somebody may be in thousands of groups; how long a token may be is bounded where it is read."""


class Claimant(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token speaks of.

    ``identity`` tells them from everybody else, whatever token they come with: it is made of issuer and subject.
    ``allowed_routes`` and ``models`` None: all. ``teams`` are in the order of the token.
    """

    identity: str
    role: str
    user_id: str | None = None
    email: str | None = None
    teams: tuple[str, ...] = ()
    team_alias: str | None = None
    org_id: str | None = None
    org_alias: str | None = None
    end_user_id: str | None = None
    allowed_routes: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None


def claim_text(claims: Mapping[str, msgspec.Raw], path: str | None) -> str | None:
    """The text (or whole number) in a claim, the first where there are several; None: there is none."""
    return next(iter(claim_texts(claims, path)), None)


def claim_texts(claims: Mapping[str, msgspec.Raw], path: str | None) -> tuple[str, ...]:
    """The texts in a claim. Dots go into objects, unless a claim has them in its name (as those that are URLs)."""
    if not path:
        return ()
    raw = claims.get(path)
    if raw is None and "." in path:
        raw = _nested(claims, path.split("."))
    if raw is None:
        return ()
    try:
        value = msgspec.json.decode(raw, type=str | int | list[str | int] | None)
    except msgspec.MsgspecError:
        return ()
    several = value if isinstance(value, list) else [] if value is None else [value]
    texts = (str(one) for one in several if not isinstance(one, bool))
    return tuple(text for text in texts if 0 < len(text) <= _TEXT_CHARACTERS_MAX)[:_TEXTS_MAX]


def is_left_out(claims: Mapping[str, msgspec.Raw], path: str | None) -> bool:
    """Whether an issuer says that a claim has too much in it to be told here, as Microsoft's do of groups.

    Sources: OpenID Connect Core, section 5.6.2 (``_claim_names``), and
    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference#groups-overage-claim.
    """
    if not path or path in claims:
        return False
    try:
        elsewhere = msgspec.json.decode(claims.get("_claim_names", b"{}"), type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        elsewhere = {}
    has_groups = bytes(claims.get("hasgroups", b"")).strip().strip(b'"') == b"true"
    return path in elsewhere or (path == "groups" and has_groups)


def read_claimant(claims: Mapping[str, msgspec.Raw], issuer: str, fields: ClaimFields, rules: JwtAuth) -> Claimant:
    """Who it is, and what the token alone lets them do.

    Raises:
        Forbidden: the operator's rules do not let in whom it speaks of.
    """
    email = claim_text(claims, fields.user_email)
    if bytes(claims.get("email_verified", b"true")).strip() in {b"false", b'"false"'}:
        # What the issuer itself does not vouch for must not make anybody somebody else.
        email = None
    _demand_domain(email, rules)
    if rules.sync_user_role_and_teams and is_left_out(claims, fields.team_ids):
        raise _refused("This token leaves out the teams of its user, because there are too many.")
    scopes = _scopes(claims)
    user_id = claim_text(claims, fields.user_id)
    teams = tuple(dict.fromkeys((*claim_texts(claims, fields.team_ids), *claim_texts(claims, fields.team_id))))
    roles = claim_texts(claims, rules.roles_jwt_field)
    mapped = next((one.internal_role for one in rules.role_mappings if one.role in roles), None)
    if mapped is not None and rules.object_id_jwt_field:
        named = claim_text(claims, rules.object_id_jwt_field)
        if mapped == "team" and named:
            teams = (named, *teams)
        elif named:
            user_id = user_id or named
    if not teams and rules.team_id_default:
        teams = (rules.team_id_default,)
    subject = claim_text(claims, "sub") or user_id or claim_text(claims, "client_id") or claim_text(claims, "azp") or ""
    claimant = Claimant(
        identity=_identity(issuer, subject),
        role=_role(claims, scopes, teams, mapped, user_id, rules),
        user_id=user_id,
        email=email,
        teams=teams,
        team_alias=claim_text(claims, rules.team_alias_jwt_field),
        org_id=claim_text(claims, fields.org_id),
        org_alias=claim_text(claims, rules.org_alias_jwt_field),
        end_user_id=claim_text(claims, fields.end_user_id),
    )
    return _within_scopes(_with_routes(claimant, rules), scopes, rules)


def _role(
    claims: Mapping[str, msgspec.Raw],
    scopes: tuple[str, ...],
    teams: tuple[str, ...],
    mapped: str | None,
    user_id: str | None,
    rules: JwtAuth,
) -> str:
    """The strongest that the token gives; the order is LiteLLM's.

    Raises:
        Forbidden: rules are set that the token meets none of.
    """
    if rules.admin_jwt_scope in scopes:
        return "proxy_admin"
    own = claim_texts(claims, rules.user_roles_jwt_field)
    given = next(
        (
            one.litellm_role
            for one in rules.jwt_litellm_role_map
            if any(fnmatchcase(role, one.jwt_role) for role in own)
        ),
        None,
    )
    if given is not None and rules.sync_user_role_and_teams:
        return given
    if rules.user_roles_jwt_field and rules.user_allowed_roles and not teams:
        if set(own).isdisjoint(rules.user_allowed_roles):
            raise _refused("None of the roles in this token may use the gateway.")
        return "internal_user"
    if mapped is not None:
        return mapped
    if teams:
        return "team"
    if user_id is not None or not rules.enforce_rbac:
        return "internal_user"
    raise _refused("This token belongs to neither a user, a team nor a role that may use the gateway.")


def _with_routes(claimant: Claimant, rules: JwtAuth) -> Claimant:
    allowed = {"proxy_admin": rules.admin_allowed_routes, "team": rules.team_allowed_routes}.get(claimant.role)
    return msgspec.structs.replace(claimant, allowed_routes=allowed)


def _within_scopes(claimant: Claimant, scopes: tuple[str, ...], rules: JwtAuth) -> Claimant:
    """What the token's scopes leave of it.

    Raises:
        Forbidden: they leave nothing.
    """
    if not rules.enforce_scope_based_access or claimant.role == "proxy_admin":
        return claimant
    opened = [one for one in rules.scope_mappings if one.scope in scopes]
    if not opened:
        raise _refused("None of the scopes of this token opens anything here.")
    every_model = any(not one.models for one in opened)
    every_route = any(not one.routes for one in opened)
    models = None if every_model else tuple(dict.fromkeys(name for one in opened for name in one.models))
    routes = tuple(dict.fromkeys(name for one in opened for name in one.routes))
    return msgspec.structs.replace(
        claimant, models=models, allowed_routes=claimant.allowed_routes if every_route else routes
    )


def _demand_domain(email: str | None, rules: JwtAuth) -> None:
    domain = rules.user_allowed_email_domain
    if domain is None:
        return
    _, sign, own = (email or "").rpartition("@")
    if not sign or own.casefold() != domain.removeprefix("@").casefold():
        raise _refused("The e-mail address in this token is not of the domain that may use the gateway.")


def _scopes(claims: Mapping[str, msgspec.Raw]) -> tuple[str, ...]:
    """``scope`` is one text with blanks (RFC 8693, section 4.2) or a list; Microsoft's is ``scp``."""
    said = (*claim_texts(claims, "scope"), *claim_texts(claims, "scp"))
    return tuple(scope for text in said for scope in text.split())


def _identity(issuer: str, subject: str) -> str:
    """No key's token looks like this, since those are bare digests."""
    return SIGNED_IDENTITY + sha256(f"{issuer}\n{subject}".encode("utf-8", "surrogatepass")).hexdigest()


def _nested(claims: Mapping[str, msgspec.Raw], path: list[str]) -> msgspec.Raw | None:
    raw = claims.get(path[0])
    for name in path[1:]:
        if raw is None:
            return None
        try:
            raw = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get(name)
        except msgspec.MsgspecError:
            return None
    return raw


def _refused(message: str) -> Forbidden:
    return Forbidden(
        message,
        hint="Ask the operator, who sets general_settings.litellm_jwtauth.",
        code="jwt_refused",
        kind="auth_error",
    )
