"""Principals out of signed tokens, each looked at once and then remembered by its digest until it expires.

What is remembered is found by the digest of the whole token, marked as a token's, so that nothing else can be taken for
it: neither a key, nor another token that begins alike.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.eager import become_task
from pointsman.core.errors import Unauthenticated
from pointsman.core.identity import KeyRecord
from pointsman.policies.bearers.claims import Claimant, claim_text, read_claimant
from pointsman.policies.bearers.noting import NotedDirectory
from pointsman.policies.bearers.people import Resolved, resolve
from pointsman.policies.bearers.settings import BearerSettings, TrustedIssuer
from pointsman.policies.principal import Principal
from pointsman.stores.audit import AuditStore
from pointsman.stores.directory.ports import DirectoryStore
from pointsman.stores.directory.records import Role
from pointsman.wire.jose import PublicKey, read_token
from pointsman.wire.jose_signatures import Expected, believe

__all__ = ["BEARERS_CACHED_MAX", "BEARER_MARK", "Bearers", "IssuerKeys"]

BEARER_MARK: Final = "jwt."
"""Begins what a signed token is remembered by; the digests of keys are bare."""

BEARERS_CACHED_MAX: Final = 10_000
_REFUSED_SECONDS: Final = 5.0


class IssuerKeys(Protocol):
    """Where the public keys of issuers come from."""

    async def keys_of(self, issuer: TrustedIssuer, key_id: str | None) -> tuple[PublicKey, ...]:
        """The issuer's keys, among them the one with this name if it has one.

        Raises:
            GatewayError: nobody can say.
        """
        ...


class _Known(msgspec.Struct, frozen=True):
    principal: Principal
    user_id: str | None
    team_id: str | None
    organization_id: str | None


class Bearers:
    """Turns signed tokens into principals, or raises. ``audit`` has what they change in the directory."""

    def __init__(
        self,
        settings: BearerSettings,
        keys: IssuerKeys,
        directory: DirectoryStore,
        clock: Clock = SYSTEM_CLOCK,
        bind: Callable[[Principal], Awaitable[None]] | None = None,
        audit: AuditStore | None = None,
    ) -> None:
        self._bind = bind
        self._settings = settings
        self._keys = keys
        self._directory = NotedDirectory(directory, audit, clock)
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def follow(self, settings: BearerSettings) -> None:
        """Go by these from now on; what was found out by others is forgotten."""
        if settings != self._settings:
            self._settings = settings
            self._known.clear()
            self._refused.clear()

    def forget(self, identities: Collection[str]) -> None:
        """Users, teams or organisations with these ids were changed: look again at whoever is of them."""
        for token, known in list(self._known.items()):
            if not {known.user_id, known.team_id, known.organization_id}.isdisjoint(identities):
                del self._known[token]

    def recall(self, token: str) -> Principal | None:
        """The principal of a token in memory, by its digest; None: :meth:`look_up`.

        Raises:
            Unauthenticated: it has expired, or was not believed a moment ago.
        """
        known = self._known.get(token)
        if known is None:
            if self._refused.get(token, 0.0) > self._clock.monotonic():
                raise _refused("it was not believed a moment ago")
            return None
        expires = known.principal.record.expires
        if expires is not None and expires <= self._clock.wall():
            del self._known[token]
            raise _refused("it has expired")
        return known.principal

    async def look_up(self, token: str, text: bytes) -> Principal:
        """The principal of a token that is not in memory. ``token`` is its digest, ``text`` the whole.

        Raises:
            Unauthenticated: it is not to be believed.
            Forbidden: whom it speaks of may not use the gateway.
            GatewayError: the issuer's keys, or the directory, are not to be had.
        """
        await become_task()
        try:
            claimant, expires = await self._believed(text)
        except ValueError as wrong:
            self._refused[token] = self._clock.monotonic() + _REFUSED_SECONDS
            while len(self._refused) > BEARERS_CACHED_MAX:
                self._refused.popitem(last=False)
            raise _refused(str(wrong)) from None
        resolved = await resolve(claimant, self._settings.rules, self._directory, self._clock)
        record = _record(claimant, resolved, expires)
        known_admin = resolved.user is not None and resolved.user.role is Role.ADMIN
        principal = Principal(record, admin=known_admin or claimant.role == "proxy_admin")
        if self._bind is not None:
            await self._bind(principal)
        team_id = None if resolved.team is None else resolved.team.team_id
        self._known[token] = _Known(principal, claimant.user_id or record.user_id, team_id, resolved.organization_id)
        while len(self._known) > BEARERS_CACHED_MAX:
            self._known.popitem(last=False)
        return principal

    async def _believed(self, text: bytes) -> tuple[Claimant, float]:
        token = read_token(text)
        issuer = claim_text(token.claims, "iss") or ""
        trusted = self._settings.trusted(issuer)
        if trusted is None:
            message = "it comes from another issuer (`iss`) than is trusted"
            raise ValueError(message)
        keys = await self._keys.keys_of(trusted, token.key_id)
        expected = Expected(trusted.issuer, trusted.audiences)
        claims, expires = believe(token, keys, expected, now=self._clock.wall())
        return read_claimant(claims, issuer, trusted.fields, self._settings.rules), expires


def _record(claimant: Claimant, resolved: Resolved, expires: float) -> KeyRecord:
    """The caller in the form that keys have; its token stays the same for all tokens of one subject."""
    models = claimant.models if claimant.models is not None else resolved.models
    if claimant.models is not None and resolved.models and "all-proxy-models" not in resolved.models:
        models = tuple(name for name in claimant.models if name in resolved.models) or ("no-default-models",)
    extra = {
        "organization_id": resolved.organization_id,
        "allowed_routes": claimant.allowed_routes,
        "end_user_id": claimant.end_user_id,
    }
    return KeyRecord(
        token=claimant.identity,
        key_name="signed token",
        models=() if claimant.role == "proxy_admin" else models,
        user_id=claimant.user_id if resolved.user is None else resolved.user.user_id,
        team_id=None if resolved.team is None else resolved.team.team_id,
        expires=expires,
        extra=msgspec.Raw(msgspec.json.encode({name: value for name, value in extra.items() if value is not None})),
    )


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"Authentication Error, this signed token is not accepted: {why}.",
        hint="Get a new one from your identity provider, for this gateway.",
        code="invalid_token",
        kind="auth_error",
    )
