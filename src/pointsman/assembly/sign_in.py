"""Puts signing in together: the desk where people do, signed tokens, and whose address is whose."""

from __future__ import annotations

import logging
from typing import Final

from pointsman.admin.sign_in.accounts import Accounts
from pointsman.admin.sign_in.desk import SignInDesk
from pointsman.admin.sign_in.invitations import Invitations
from pointsman.assembly.sign_in_settings import (
    address_settings,
    bearer_settings,
    session_settings,
    sign_in_settings,
    throttle_settings,
)
from pointsman.config.load import Loaded
from pointsman.core.clock import Clock
from pointsman.core.errors import Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.policies.addresses import AddressSettings, read_networks
from pointsman.policies.bearers.bearers import Bearers
from pointsman.policies.bearers.settings import BearerSettings, TrustedIssuer
from pointsman.policies.keyring import Keyring
from pointsman.policies.sign_in.passwords import Passwords
from pointsman.policies.sign_in.sessions import Sessions
from pointsman.policies.sign_in.throttle import Throttle
from pointsman.providers.identity import CodeFlow, DocumentBook, IdentityFetcher, KeySetBook
from pointsman.providers.identity.fetching import unavailable
from pointsman.stores.audit import AuditStore
from pointsman.stores.directory.ports import DirectoryStore
from pointsman.stores.sign_in_ports import SignInStore
from pointsman.wire.jose import PublicKey

__all__ = ["Entrance", "EntrancePlan"]

_DOCUMENT_ENDING: Final = "/openid-configuration"
_log: Final = logging.getLogger("pointsman")


class _IssuerKeys:
    """See :class:`pointsman.policies.bearers.bearers.IssuerKeys`."""

    def __init__(self, documents: DocumentBook, keys: KeySetBook) -> None:
        self._documents = documents
        self._keys = keys

    async def keys_of(self, issuer: TrustedIssuer, key_id: str | None) -> tuple[PublicKey, ...]:
        """See the protocol. The addresses are the operator's; what a token says leads nowhere."""
        if issuer.jwks_urls:
            places = [await self._place(url) for url in issuer.jwks_urls]
        else:
            places = [await self._discovered(issuer.issuer or "")]
        if len(places) == 1:
            return await self._keys.keys(places[0], key_id)
        found = [key for place in places for key in await self._keys.keys(place, None)]
        if key_id is not None and all(key.identity != key_id for key in found):
            # Only where none of them has it are they all asked again.
            found = [key for place in places for key in await self._keys.keys(place, key_id)]
        return tuple(found)

    async def _place(self, url: str) -> str:
        """Where the keys are: at the address itself, or where the document behind it says."""
        return await self._discovered(url) if url.endswith(_DOCUMENT_ENDING) else url

    async def _discovered(self, issuer: str) -> str:
        place = (await self._documents.document(issuer)).jwks_uri
        if not place:
            raise unavailable(issuer, "its document names no keys.")
        return place


class EntrancePlan:
    """All that a configuration says of who comes in, read and found to be sound before any of it is in force."""

    def __init__(self, loaded: Loaded, master_key: Secret | None) -> None:
        self.addresses = _sound(address_settings(loaded))
        self.bearers = bearer_settings(loaded)
        self.sign_in = None if master_key is None else sign_in_settings(loaded, master_key)
        self.sessions = session_settings(loaded)
        self.throttle = throttle_settings(loaded)


class Entrance:
    """Made at the start, and told of each new configuration."""

    def __init__(
        self,
        plan: EntrancePlan,
        *,
        keyring: Keyring,
        directory: DirectoryStore,
        audit: AuditStore,
        store: SignInStore,
        fetcher: IdentityFetcher,
        nursery: Nursery,
        clock: Clock,
    ) -> None:
        self._keyring = keyring
        self._directory = directory
        self._audit = audit
        self._clock = clock
        documents = DocumentBook(fetcher, nursery, clock)
        self._keys = KeySetBook(fetcher, nursery, clock)
        self._issuer_keys = _IssuerKeys(documents, self._keys)
        self.invitations = Invitations(store, clock)
        self.desk: SignInDesk | None = None
        if plan.sign_in is not None:
            self.desk = SignInDesk(
                plan.sign_in,
                sessions=Sessions(store, plan.sessions, clock),
                accounts=Accounts(directory, clock),
                passwords=Passwords(),
                throttle=Throttle(plan.throttle, clock),
                flow=CodeFlow(fetcher, documents, KeySetBook(fetcher, nursery, clock), clock),
                clock=clock,
            )
        self.follow(plan)

    def follow(self, plan: EntrancePlan) -> None:
        """Go by this plan from now on."""
        self._follow_bearers(plan.bearers)
        desk = self.desk
        if desk is not None and plan.sign_in is not None:
            desk.settings = plan.sign_in
            desk.sessions.settings = plan.sessions
            desk.throttle.settings = plan.throttle

    def _follow_bearers(self, settings: BearerSettings | None) -> None:
        keyring = self._keyring
        if settings is None or not keyring.asks:
            keyring.bearers = None
            return
        self._keys.fresh_seconds = settings.rules.public_key_ttl
        self._keys.stale_seconds = settings.rules.public_key_stale_ttl
        if keyring.bearers is None:
            keyring.bearers = Bearers(
                settings, self._issuer_keys, self._directory, self._clock, keyring.bind, self._audit
            )
        keyring.bearers.follow(settings)
        for issuer in settings.issuers:
            if issuer.issuer is None or (not issuer.audiences and not settings.rules.issuers):
                _log.warning(
                    "Signed tokens are taken whoever they are meant for, or whatever issuer they name; "
                    "set JWT_ISSUER and JWT_AUDIENCE."
                )


def _sound(settings: AddressSettings) -> AddressSettings:
    for path, texts in (("allowed_ips", settings.allowed or ()), ("trusted_proxy_ranges", settings.trusted)):
        try:
            read_networks(texts)
        except ValueError as wrong:
            raise Misconfigured(
                f"general_settings.{path}: {wrong}.", hint="Write addresses like 10.0.0.7, and ranges like 10.0.0.0/8."
            ) from None
    return settings
