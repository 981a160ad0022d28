"""Finding out whose key it is: the master key, or a virtual key from memory or from the store.

A key is looked up by its digest. Keys in use are kept in memory (capped, the oldest go first, never
one with a call under way or with unsettled money); digests that belong to nobody are remembered for a moment so that
guessing costs the store nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import parse_qs

from pointsman.core.clock import Clock
from pointsman.core.eager import become_task
from pointsman.core.errors import Forbidden, StorageUnavailable, Unauthenticated
from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.secret import Secret
from pointsman.policies.account_book import AccountBook
from pointsman.policies.bearers.bearers import BEARER_MARK, Bearers
from pointsman.policies.pages import demand_no_foreign_page
from pointsman.policies.principal import Principal, Ties
from pointsman.policies.tied_keys import TiedKeys
from pointsman.stores.directory.kinds import ACCESS_GROUPS, MODEL_GROUP_BUDGETS, ORGANIZATIONS, TEAMS, USERS
from pointsman.stores.directory.ports import Changed
from pointsman.stores.directory.records import RetiredKey
from pointsman.wire.jose import TOKEN_BYTES_MAX, looks_like_jwt
from pointsman.wire.limits import KEYS_CACHED_MAX, UNKNOWN_KEYS_CACHED_MAX

__all__ = [
    "ANONYMOUS_TOKEN",
    "BEARING_HEADERS",
    "MASTER_TOKEN",
    "UNVERIFIED_TOKEN",
    "KeySource",
    "Keyring",
    "RetiredSource",
    "bare_key",
    "presented_key",
    "query_key",
]

MASTER_TOKEN: Final = "master"  # noqa: S105 - the name under which the master key's calls are recorded
ANONYMOUS_TOKEN: Final = "anonymous"  # noqa: S105
UNVERIFIED_TOKEN: Final = "failed-to-connect-to-db"  # noqa: S105

_UNKNOWN_SECONDS: Final = 5.0
_KEY_BYTES_MAX: Final = 4096
_NOWHERE: Final = 99

_KEPT_WHOLE: Final = frozenset({ACCESS_GROUPS.name, MODEL_GROUP_BUDGETS.name})
_BEARING_KINDS: Final = frozenset({USERS.name, TEAMS.name, ORGANIZATIONS.name})

BEARING_HEADERS: Final[Mapping[bytes, int]] = {
    b"x-litellm-api-key": 0,
    b"authorization": 1,
    b"api-key": 2,
    b"x-api-key": 3,
    b"x-goog-api-key": 4,
    b"ocp-apim-subscription-key": 5,
}
"""Where a key may be, as in LiteLLM, and which place counts when there are several (the lowest)."""


class KeySource(Protocol):
    """The part of the key store that the keyring reads."""

    async def get(self, token: str) -> KeyRecord | None:
        """The key with this digest."""
        ...


class RetiredSource(Protocol):
    """Knows which key came in the place of one that may still be used."""

    async def successor(self, token: str) -> RetiredKey | None:
        """The new key, and until when the old one stands for it."""
        ...


def presented_key(headers: Iterable[tuple[bytes, bytes]], places: Mapping[bytes, int]) -> bytes:
    """The key in the headers (lower-case names); empty if there is none."""
    best = _NOWHERE
    found = b""
    for name, value in headers:
        rank = places.get(name)
        if rank is not None and rank < best and value:
            best = rank
            found = value
    return bare_key(found)


def query_key(query: bytes) -> bytes:
    """The key in the query of a URL, where clients of Gemini may put it; empty if there is none.

    Source: https://ai.google.dev/api#authentication. No other client is read like this, since a URL is not a place for
    secrets.
    """
    return parse_qs(query.decode("latin-1")).get("key", [""])[0].encode()


def bare_key(value: bytes) -> bytes:
    """A header's value without the word ``Bearer``."""
    if value.startswith(b"Bearer ") or value[:7].lower() == b"bearer ":
        value = value[7:]
    return value.strip()


class Keyring:
    """Turns a presented key into a principal, or raises; there is no default identity.

    While the store cannot be asked, keys in memory go on, until somebody says by ``doubt`` why they are not to be
    believed any longer. With ``admits_unverified`` keys that cannot be looked up are let in then, as nobody's.
    ``bearers`` know what signed tokens are worth; None: nothing, they are keys like any other.
    """

    def __init__(
        self,
        master_key: Secret | None,
        source: KeySource,
        clock: Clock,
        own_header: str | None = None,
        *,
        share: int = 1,
        accounts: AccountBook | None = None,
    ) -> None:
        self._share = share
        self._accounts = accounts
        self._source = source
        self._clock = clock
        self.places = dict(BEARING_HEADERS)
        if own_header:
            self.places[own_header.lower().encode("latin-1", "replace")] = -1
        self.bearers: Bearers | None = None
        self._master_token = token_of(master_key.reveal()) if master_key is not None else None
        self.master = Principal(KeyRecord(token=MASTER_TOKEN, key_name="master key", key_alias="master"), admin=True)
        self.anonymous = Principal(KeyRecord(token=ANONYMOUS_TOKEN, key_name="no key", key_alias=None), admin=True)
        # As in LiteLLM, also by its name.
        self.unverified = Principal(KeyRecord(token=UNVERIFIED_TOKEN, key_name="not verified"))
        self.admits_unverified = False
        self.doubt: StorageUnavailable | None = None
        self._known: OrderedDict[str, Principal] = OrderedDict()
        self._tied = TiedKeys()
        self._stale: dict[str, Principal] = {}
        """Those of which something has changed that they have to be bound to anew, before they are used again."""
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self.retired: RetiredSource | None = None
        self._retired: OrderedDict[str, RetiredKey] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known) + len(self._stale)

    @property
    def asks(self) -> bool:
        """Whether a key is needed at all."""
        return self._master_token is not None

    def token(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The digest of the key in the headers.

        Raises:
            Unauthenticated: there is none.
        """
        return self.digest(presented_key(headers, self.places))

    async def caller(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """The principal of the key in the headers.

        Raises:
            Unauthenticated, Forbidden, StorageUnavailable: see :meth:`recall` and :meth:`look_up`.
        """
        key = presented_key(headers, self.places)
        return await self.find(self.digest(key), key)

    def identify(self, key: bytes, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """The digest of a presented key; ``headers`` (lower-case names) tell where nobody needs one.

        Raises:
            Unauthenticated: it is empty, or longer than any.
            Forbidden: no key is needed here, and a foreign web page asks.
        """
        if self._master_token is None:
            demand_no_foreign_page(headers, local_pages=True)
        return self.digest(key)

    def digest(self, key: bytes) -> str:
        """The digest of a presented key.

        Raises:
            Unauthenticated: it is empty.
        """
        if self._master_token is None:
            return ANONYMOUS_TOKEN
        if not key or len(key) > (_KEY_BYTES_MAX if self.bearers is None else TOKEN_BYTES_MAX):
            raise self._no_key(key)
        token = sha256(key).hexdigest()
        if self.bearers is not None and looks_like_jwt(key) and token != self._master_token:
            return BEARER_MARK + token
        return token

    def _no_key(self, sent: bytes) -> Unauthenticated:
        bytes_max = _KEY_BYTES_MAX if self.bearers is None else TOKEN_BYTES_MAX
        wrong = f"an API key was sent that is longer than {bytes_max} bytes" if sent else "no API key was sent"
        return Unauthenticated(
            f"Authentication Error, {wrong}.", hint="Send it as the header: Authorization: Bearer sk-…"
        )

    def recall(self, token: str) -> Principal | None:
        """The principal of a key in memory; None: ask the store with :meth:`look_up`.

        Raises:
            Unauthenticated: expired, or known to belong to nobody.
            Forbidden: blocked.
            StorageUnavailable: the store has been silent for too long.
        """
        principal = self._known.get(token)
        if principal is None:
            if token == self._master_token:
                return self.master
            if token == ANONYMOUS_TOKEN and self._master_token is None:
                return self.anonymous
            if self._unknown.get(token, 0.0) > self._clock.monotonic():
                raise _nobodys()
            if token in self._retired:
                return self._successor(token)
            return self.bearers.recall(token) if self.bearers is not None and token.startswith(BEARER_MARK) else None
        if self.doubt is not None:
            raise StorageUnavailable(self.doubt.message, hint=self.doubt.hint)
        record = principal.record
        if principal.shut is not None:
            raise Forbidden(
                principal.shut, hint="Ask the operator to unblock it.", code="key_blocked", kind="auth_error"
            )
        if record.expires is not None and record.expires <= self._clock.wall():
            raise Unauthenticated(
                "Authentication Error, this key has expired.",
                hint="Ask for a new one.",
                code="expired_api_key",
                kind="expired_key",
            )
        return principal

    def presents_key(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether there is a key in the headers, be it good or not."""
        return bool(presented_key(headers, self.places))

    async def find(self, token: str, key: bytes = b"") -> Principal:
        """The principal of a key, from memory or from the store; ``key`` is the whole of it, as signed tokens need.

        Raises:
            Unauthenticated, Forbidden, StorageUnavailable: see :meth:`recall` and :meth:`look_up`.
        """
        return self.recall(token) or await self.look_up(token, key)

    async def look_up(self, token: str, key: bytes = b"") -> Principal:
        """Ask the store for a key that is not in memory; see :meth:`find`.

        Raises:
            Unauthenticated, Forbidden: see :meth:`recall`.
            StorageUnavailable: the store cannot say.
        """
        if self.bearers is not None and token.startswith(BEARER_MARK):
            return await self.bearers.look_up(token, key)
        await become_task()
        try:
            record = await self._source.get(token)
        except StorageUnavailable:
            if self._revive(token):
                return await self.find(token)
            if self.admits_unverified:
                return self.unverified
            raise
        if record is None:
            self._stale.pop(token, None)
            retired = None if self.retired is None else await self.retired.successor(token)
            if retired is None:
                self._remember_unknown(token)
                raise _nobodys()
            self._remember_retired(token, retired)
            return self.recall(retired.successor) or await self.look_up(retired.successor)
        if token not in self._known:
            principal = self._stale.get(token)
            if principal is None:
                principal = Principal(record, share=self._share)
            else:
                principal.refresh_record(record)
            await self._bind(principal)
            self._stale.pop(token, None)
            # Somebody else may have asked at the same time, and was first.
            principal = self._known.setdefault(token, principal)
            self._tied.put(token, principal.ties.sources)
            self._trim()
        known = self.recall(token)
        if known is None:
            raise StorageUnavailable("The key could not be kept in memory.")
        return known

    async def _bind(self, principal: Principal) -> None:
        """Find out whom the key belongs to; one that was known goes on as before while nobody can say.

        Raises:
            StorageUnavailable: nobody can say.
        """
        try:
            await self.bind(principal)
        except StorageUnavailable:
            if principal.identity not in self._stale:
                raise

    async def bind(self, principal: Principal) -> None:
        """Find out whom somebody belongs to, with a key or without.

        Raises:
            StorageUnavailable: nobody can say.
        """
        if self._accounts is not None:
            await self._accounts.bind(principal)

    def _revive(self, token: str) -> bool:
        """Take a key for what it was, as long as nobody can say what it is; False: it was not known."""
        principal = self._stale.pop(token, None)
        if principal is not None:
            self._known[token] = principal
            self._tied.put(token, principal.ties.sources)
        return principal is not None

    def changed(self, token: str, record: KeyRecord | None) -> None:
        """A key was made, changed or (None) deleted."""
        self._unknown.pop(token, None)
        self._retired.pop(token, None)
        if record is None:
            self._let_go(token)
            self._stale.pop(token, None)
            return
        principal = self._known.get(token) or self._stale.get(token)
        if principal is not None:
            before = principal.record
            principal.refresh_record(record)
            if self._accounts is not None and not _same_ties(before, record):
                self._set_aside(token)

    def entries_changed(self, changes: Collection[Changed]) -> None:
        """Entries of the directory were made, changed or removed; keys that they bind find out anew what they say."""
        if self._accounts is not None:
            self._accounts.changed(changes)
        bearing = {changed.identity for changed in changes if changed.kind in _BEARING_KINDS}
        if self.bearers is not None and bearing:
            self.bearers.forget(bearing)
        sources = {Changed(one.kind, "") if one.kind in _KEPT_WHOLE else one for one in changes}
        for token in self._tied.bound_by(sources):
            self._set_aside(token)

    def deployments_changed(self) -> None:
        """What is known of whom calls to a deployment are bound by may be wrong from now on."""
        for principal in (self.master, self.anonymous, *self.principals()):
            principal.bounds.clear()

    def limits_changed(self) -> None:
        """The operator's own limits have changed, so that every key has to be bound anew."""
        if self._accounts is None:
            return
        for operator in (self.master, self.anonymous):
            operator.bind(Ties(has_general=self._accounts.bind_calls))
        self.spending_unknown()

    def spending_unknown(self) -> None:
        """Nobody knows which keys have spent more meanwhile: each is read anew before it is used again."""
        self._stale |= self._known
        self._known.clear()
        self._tied.clear()

    def stored(self, amounts: Iterable[tuple[str, int]]) -> None:
        """The ledger took over these picodollars by key."""
        for token, amount in amounts:
            principal = self._known.get(token) or self._stale.get(token)
            if principal is not None:
                principal.stored(amount)

    def share_among(self, processes: int) -> None:
        """Have so many processes serve the keys from now on."""
        self._share = processes
        for principal in self.principals():
            principal.share_among(processes)
        if self._accounts is not None:
            self._accounts.share_among(processes)

    def remembers(self, token: str) -> bool:
        """Whether anything about this digest is in memory."""
        return any(token in known for known in (self._known, self._stale, self._unknown, self._retired))

    def email_of(self, token: str) -> str:
        """The address of the user of a key that is in memory; empty: it has none, or is not."""
        principal = self._known.get(token)
        return "" if principal is None else principal.ties.user_email or ""

    def principals(self) -> tuple[Principal, ...]:
        """The principals in memory."""
        return (*self._known.values(), *self._stale.values())

    def _remember_unknown(self, token: str) -> None:
        self._unknown[token] = self._clock.monotonic() + _UNKNOWN_SECONDS
        while len(self._unknown) > UNKNOWN_KEYS_CACHED_MAX:
            self._unknown.popitem(last=False)

    def _remember_retired(self, token: str, retired: RetiredKey) -> None:
        self._retired[token] = retired
        while len(self._retired) > UNKNOWN_KEYS_CACHED_MAX:
            self._retired.popitem(last=False)

    def _successor(self, token: str) -> Principal | None:
        """The principal of the key that came in the place of this one; None: the store has to be asked again."""
        retired = self._retired[token]
        if retired.until <= self._clock.wall() or retired.successor in self._unknown:
            del self._retired[token]
            return None
        return self.recall(retired.successor)

    def _let_go(self, token: str) -> Principal | None:
        self._tied.drop(token)
        return self._known.pop(token, None)

    def _set_aside(self, token: str) -> None:
        """Have a key bound anew before it is used again."""
        principal = self._let_go(token)
        if principal is not None:
            self._stale[token] = principal

    def _trim(self) -> None:
        while len(self) > KEYS_CACHED_MAX:
            # Not a list of all of them, since one more comes with every key that is not remembered.
            oldest = next((token for some in (self._stale, self._known) for token in some if some[token].is_idle), None)
            if oldest is None:
                return
            self._stale.pop(oldest, None)
            self._let_go(oldest)


def _same_ties(before: KeyRecord, after: KeyRecord) -> bool:
    """Whether it belongs to the same as before, and may be bound by what is known of these."""
    return (before.team_id, before.user_id, before.models, before.tags, before.extra) == (
        after.team_id, after.user_id, after.models, after.tags, after.extra
    )  # fmt: skip


def _nobodys() -> Unauthenticated:
    return Unauthenticated(
        "Authentication Error, this API key is not known here.",
        hint="Check it, or make one with POST /key/generate.",
        kind="token_not_found_in_db",
    )
