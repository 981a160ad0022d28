"""What the operator says of signed tokens, in the forms that they are read with."""

from __future__ import annotations

import msgspec

from pointsman.config.jwt_sections import JwtAuth

__all__ = ["BearerSettings", "ClaimFields", "TrustedIssuer"]


class ClaimFields(msgspec.Struct, frozen=True, kw_only=True):
    """In which claim something stands; dots go into objects, None: it is not told."""

    user_id: str | None = None
    user_email: str | None = None
    team_id: str | None = None
    team_ids: str | None = None
    org_id: str | None = None
    end_user_id: str | None = None


class TrustedIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose word is taken. ``issuer`` None: whatever tokens say, as long as they are signed by ``jwks_urls``.

    No ``jwks_urls``: the issuer's discovery document names one. No ``audiences``: any.
    """

    issuer: str | None
    jwks_urls: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    fields: ClaimFields = ClaimFields()


class BearerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``rules`` is LiteLLM's section. The first issuer that is named as the token's counts."""

    issuers: tuple[TrustedIssuer, ...]
    rules: JwtAuth = JwtAuth()

    def trusted(self, issuer: str) -> TrustedIssuer | None:
        """Who is trusted under the name that a token bears, or where every name is taken."""
        named = next((one for one in self.issuers if one.issuer == issuer), None)
        return named or next((one for one in self.issuers if one.issuer is None), None)
