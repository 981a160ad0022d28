"""Sign-in by authorization code with PKCE: where to send somebody, and who it is that came back.

Sources: https://openid.net/specs/openid-connect-core-1_0.html section 3.1, RFC 6749 section 4.1, RFC 7636 (PKCE),
RFC 9207 (the issuer in the answer), RFC 9700 (how it is attacked).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Misconfigured, Unauthenticated, UpstreamFailed
from pointsman.core.secret import Secret
from pointsman.providers.identity.documents import DocumentBook, ProviderDocument
from pointsman.providers.identity.fetching import ANSWER_BYTES_MAX, IdentityFetcher, ask, unavailable
from pointsman.providers.identity.key_sets import KeySetBook
from pointsman.providers.identity.parties import IdentityParty
from pointsman.wire.jose import is_encrypted, looks_like_jwt, read_token
from pointsman.wire.jose_signatures import Expected, believe, signed_claims
from pointsman.wire.upstream_errors import fit_to_repeat

__all__ = ["CodeFlow", "Departure", "Proven", "Return"]

_FORM: Final = "application/x-www-form-urlencoded"
_BASIC: Final = "client_secret_basic"
_POST: Final = "client_secret_post"


class Departure(msgspec.Struct, frozen=True):
    """Somebody who was sent to a provider: where to, and what must fit when they come back."""

    url: str
    state: str
    nonce: str
    verifier: str


class Return(msgspec.Struct, frozen=True):
    """What the provider sent somebody back with, and what was remembered of their departure."""

    code: str
    issuer: str | None
    nonce: str
    verifier: str


class Proven(msgspec.Struct, frozen=True):
    """Who came back: what the provider says of them, as raw JSON by claim."""

    party: str
    claims: Mapping[str, msgspec.Raw]


class _Grant(msgspec.Struct):
    access_token: str | None = None
    id_token: str | None = None
    error: str | None = None
    error_description: str | None = None


_read_grant: Final = msgspec.json.Decoder(_Grant).decode
_read_claims: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class CodeFlow:
    """Signs people in with any provider."""

    def __init__(
        self, fetcher: IdentityFetcher, documents: DocumentBook, keys: KeySetBook, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._fetcher = fetcher
        self._documents = documents
        self._keys = keys
        self._clock = clock

    async def depart(self, party: IdentityParty, redirect_uri: str) -> Departure:
        """Where to send somebody who wants to sign in.

        Raises:
            GatewayError: the provider cannot be asked, or is not described well enough.
        """
        document = await self._described(party)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            **party.extra,
            "response_type": "code",
            "client_id": party.client_id,
            "redirect_uri": redirect_uri,
            "scope": party.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in document.authorization_endpoint else "?"
        url = f"{document.authorization_endpoint}{joint}{urlencode(query, quote_via=quote)}"
        return Departure(url, state, nonce, verifier)

    async def arrive(self, party: IdentityParty, back: Return, redirect_uri: str) -> Proven:
        """Who it is that came back.

        Raises:
            Unauthenticated: the provider does not confirm it.
            GatewayError: the provider cannot be asked.
        """
        document = await self._described(party)
        is_missing = back.issuer is None and document.authorization_response_iss_parameter_supported
        if is_missing or (back.issuer is not None and document.issuer and back.issuer != document.issuer):
            raise _refused("The answer comes from another provider than the one that was asked.")
        grant = await self._redeem(party, document, back, redirect_uri)
        claims: dict[str, msgspec.Raw] = {}
        if document.jwks_uri and document.issuer:
            claims.update(await self._identified(party, document, grant, back.nonce))
        if document.userinfo_endpoint and grant.access_token:
            told = await self._user_info(party, document, Secret(grant.access_token))
            # OpenID Connect Core, section 5.3.2: an answer about somebody else must not be used.
            if claims and told.get("sub", claims["sub"]) != claims["sub"]:
                raise _refused("What the provider says of the user is about somebody else.")
            claims = {**told, **claims}
        if not claims:
            raise _refused("The provider does not say who it is.")
        return Proven(party.name, claims)

    async def _described(self, party: IdentityParty) -> ProviderDocument:
        found = ProviderDocument("") if party.issuer is None else await self._documents.document(party.issuer)
        document = msgspec.structs.replace(
            found,
            authorization_endpoint=party.authorization_endpoint or found.authorization_endpoint,
            token_endpoint=party.token_endpoint or found.token_endpoint,
            userinfo_endpoint=party.userinfo_endpoint or found.userinfo_endpoint,
            jwks_uri=party.jwks_url or found.jwks_uri,
        )
        identified = (document.jwks_uri and document.issuer) or document.userinfo_endpoint
        if not (document.authorization_endpoint and document.token_endpoint and identified):
            raise Misconfigured(
                f"The identity provider {party.name!r} is not described well enough to sign in with.",
                hint="It needs an issuer with a discovery document, or the addresses of its endpoints.",
            )
        return document

    async def _redeem(
        self, party: IdentityParty, document: ProviderDocument, back: Return, redirect_uri: str
    ) -> _Grant:
        """Exchange the code (RFC 6749, section 4.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": back.code,
            "redirect_uri": redirect_uri,
            "client_id": party.client_id,
            "code_verifier": back.verifier,
        }
        headers: tuple[tuple[str, str], ...] = ()
        ways = document.token_endpoint_auth_methods_supported
        if party.client_secret is not None:
            if _POST in ways and _BASIC not in ways:
                form["client_secret"] = party.client_secret.reveal()
            else:
                headers = (("Authorization", _basic(party.client_id, party.client_secret)),)
        try:
            reply = await ask(
                self._fetcher,
                "POST",
                document.token_endpoint,
                body=urlencode(form).encode(),
                headers=headers,
                content_type=_FORM,
            )
        except UpstreamFailed as error:
            raise unavailable(document.token_endpoint, error.message) from None
        try:
            grant = _read_grant(reply.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            grant = _Grant()
        if reply.status >= 500 or reply.status == 429:
            raise unavailable(document.token_endpoint, f"it answered with status {reply.status}.")
        if reply.status != 200 or grant.error or not (grant.access_token or grant.id_token):
            words = fit_to_repeat(grant.error_description or grant.error or f"status {reply.status}")
            raise _refused(f"The provider does not accept the code: {words}")
        return grant

    async def _identified(
        self, party: IdentityParty, document: ProviderDocument, grant: _Grant, nonce: str
    ) -> Mapping[str, msgspec.Raw]:
        """The claims of the ID token (OpenID Connect Core, section 3.1.3.7)."""
        if not grant.id_token:
            raise _refused("The provider sent no ID token.")
        try:
            token = read_token(grant.id_token.encode("ascii", "replace"), ANSWER_BYTES_MAX)
            keys = await self._keys.keys(document.jwks_uri, token.key_id)
            issuer = _with_tenant(document.issuer, token.claims)
            expected = Expected(issuer, (party.client_id,))
            claims, _ = believe(token, keys, expected, now=self._clock.wall())
        except ValueError as wrong:
            raise _refused(f"The provider's ID token is not to be believed: {wrong}.") from None
        if not hmac.compare_digest(_text(claims.get("nonce")).encode(), nonce.encode()):
            raise _refused("The provider's ID token was made for another sign-in.")
        if len(_texts(claims.get("aud"))) > 1 and _text(claims.get("azp")) != party.client_id:
            raise _refused("The provider's ID token was made for another client.")
        if not _text(claims.get("sub")):
            raise _refused("The provider's ID token names nobody.")
        return claims

    async def _user_info(
        self, party: IdentityParty, document: ProviderDocument, token: Secret
    ) -> Mapping[str, msgspec.Raw]:
        """OpenID Connect Core, section 5.3: JSON, or a signed token with the same claims."""
        url = document.userinfo_endpoint or ""
        try:
            reply = await ask(self._fetcher, "GET", url, headers=(("Authorization", f"Bearer {token.reveal()}"),))
        except UpstreamFailed as error:
            raise unavailable(url, error.message) from None
        if reply.status != 200:
            raise _refused(f"The provider does not say who it is (status {reply.status}).")
        text = reply.body.strip()
        try:
            if looks_like_jwt(text) or is_encrypted(text):
                signed = read_token(text, ANSWER_BYTES_MAX)
                keys = await self._keys.keys(document.jwks_uri, signed.key_id) if document.jwks_uri else ()
                return signed_claims(signed, keys, Expected(document.issuer or None, (party.client_id,)))
            return _read_claims(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _refused("The provider's answer about the user cannot be read.") from None
        except ValueError as wrong:
            raise _refused(f"The provider's answer about the user is not to be believed: {wrong}.") from None


def _basic(name: str, secret: Secret) -> str:
    """RFC 6749, section 2.3.1: both parts are encoded as in forms first."""
    pair = f"{quote(name, safe='')}:{quote(secret.reveal(), safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _with_tenant(issuer: str, claims: Mapping[str, msgspec.Raw]) -> str:
    """Microsoft's document for all tenants has a placeholder where tokens have theirs."""
    if "{tenantid}" not in issuer:
        return issuer
    tenant = _text(claims.get("tid"))
    return issuer.replace("{tenantid}", tenant) if tenant else issuer


def _text(raw: msgspec.Raw | None) -> str:
    return "".join(_texts(raw)[:1])


def _texts(raw: msgspec.Raw | None) -> tuple[str, ...]:
    try:
        value = msgspec.json.decode(raw or b"null", type=str | tuple[str, ...] | None)
    except msgspec.MsgspecError:
        return ()
    return (value,) if isinstance(value, str) else value or ()


def _refused(message: str) -> Unauthenticated:
    return Unauthenticated(message, hint="Sign in again.", code="sign_in_failed")
