"""Where people sign in and out: the parts of it put together, for the routes to use.

Somebody on their way to an identity provider is remembered by a cookie alone, so that nobody can fill our memory with
departures; it is signed, good for some minutes, and holds what has to fit when they come back.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from pointsman.admin.change import Change
from pointsman.admin.sign_in.accounts import Accounts
from pointsman.admin.sign_in.settings import SignInParty, SignInSettings
from pointsman.core.clock import Clock
from pointsman.core.errors import Forbidden, GatewayError, Malformed, NotFound, Unauthenticated
from pointsman.core.identity import KeyRecord
from pointsman.core.secret import Secret
from pointsman.policies.principal import Principal
from pointsman.policies.sign_in.browser import (
    Cookie,
    Sender,
    cookie_in,
    demand_csrf,
    demand_own_page,
    session_cookie,
)
from pointsman.policies.sign_in.passwords import Passwords
from pointsman.policies.sign_in.sessions import OpenedSession, Session, Sessions, proves
from pointsman.policies.sign_in.throttle import Throttle
from pointsman.providers.identity import CodeFlow
from pointsman.providers.identity.code_flow import Return
from pointsman.stores.directory.records import Role, User

__all__ = ["HOME", "Arrived", "Departed", "SignInDesk", "SignedIn"]

_PASSWORD: Final = "password"  # noqa: S105 - how somebody signed in
_OPERATOR: Final = "operator"
_DEPARTURE_SECONDS: Final = 600
_PLACE_CHARACTERS_MAX: Final = 512
_NAME_CHARACTERS_MAX: Final = 320
_CALLBACK: Final = "/sso/callback"
HOME: Final = "/ui/?login=success"
"""Where somebody is sent who has signed in, as in LiteLLM."""


class SignedIn(msgspec.Struct, frozen=True):
    """Somebody who acts through a browser; ``user`` None: the operator, of whom the directory need not know."""

    session: Session
    token: Secret
    principal: Principal
    user: User | None = None


class Departed(msgspec.Struct, frozen=True):
    """Where to send somebody, and the Set-Cookie line to send them with."""

    url: str
    cookie: str


class Arrived(msgspec.Struct, frozen=True):
    """A new session, the Set-Cookie lines that belong to it, where to go with them, and what was changed for it."""

    opened: OpenedSession
    cookies: tuple[str, ...]
    place: str = HOME
    changes: tuple[Change, ...] = ()


class _Departure(msgspec.Struct):
    """``until`` is in seconds since the epoch, ``place`` a path of ours to come back to."""

    party: str
    state: str
    nonce: str
    verifier: str
    until: float
    place: str


_read_departure: Final = msgspec.json.Decoder(_Departure).decode


class SignInDesk:
    """Signs people in; ``settings`` and those of the parts may be replaced."""

    def __init__(
        self,
        settings: SignInSettings,
        *,
        sessions: Sessions,
        accounts: Accounts,
        passwords: Passwords,
        throttle: Throttle,
        flow: CodeFlow,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.sessions = sessions
        self.accounts = accounts
        self.passwords = passwords
        self.throttle = throttle
        self._flow = flow
        self._clock = clock

    # -- who it is -------------------------------------------------------------------------------------

    async def signed_in(self, sender: Sender) -> SignedIn | None:
        """Whoever's session the request shows, if it still holds.

        Raises:
            StorageUnavailable: nobody can say.
        """
        token = cookie_in(sender.headers, session_cookie(secure=self._is_secure(sender)))
        if token is None:
            return None
        session = await self.sessions.find(token)
        if session is None:
            return None
        found = await self._behind(session, Secret(token))
        if found is None:
            await self.sessions.end(session)
        return found

    def demand_intent(self, sender: Sender, signed_in: SignedIn) -> None:
        """Raise unless a page of ours asks for what changes something.

        Raises:
            Forbidden: another page does, or none that knows the session.
        """
        demand_own_page(sender.headers, self.own_origin(sender))
        demand_csrf(sender.headers, signed_in.token)

    async def _behind(self, session: Session, token: Secret) -> SignedIn | None:
        operator = self.settings.operator
        if session.method == _OPERATOR:
            if operator is None or not proves(session, token, operator.password):
                return None
            record = KeyRecord(token=_record_token(operator.user_id), key_name="session", user_id=operator.user_id)
            return SignedIn(session, token, Principal(record, admin=True))
        user = await self.accounts.user(session.user_id)
        if user is None or user.blocked:
            return None
        # Whoever may look at everything is no administrator: what they see is for the rights to say.
        is_admin = user.role is Role.ADMIN or user.user_id == self.settings.admin_id
        record = KeyRecord(
            token=_record_token(user.user_id), key_name="session", user_id=user.user_id, models=user.models
        )  # fmt: skip
        return SignedIn(session, token, Principal(record, admin=is_admin), user)

    # -- with a password -------------------------------------------------------------------------------

    async def enter(self, name: str, password: Secret, sender: Sender) -> Arrived:
        """Sign in somebody by name and password.

        Raises:
            Unauthenticated: alike for whoever is not known, and as late.
            LimitReached: they, or others for them, were wrong too often.
            Forbidden: a page of another site asks.
        """
        demand_own_page(sender.headers, self.own_origin(sender))
        if len(name) > _NAME_CHARACTERS_MAX:
            raise _wrong()
        self.throttle.demand_patience(name, sender.peer)
        self.throttle.failed(name, sender.peer)
        try:
            opened = await self._operator(name, password, sender) or await self._local(name, password, sender)
        except GatewayError:
            self.throttle.forgive(name, sender.peer)
            raise
        if opened is None:
            raise _wrong()
        self.throttle.succeeded(name, sender.peer)
        return Arrived(opened, (self._session_line(opened, sender),))

    async def _operator(self, name: str, password: Secret, sender: Sender) -> OpenedSession | None:
        operator = self.settings.operator
        if operator is None or not Secret(operator.username).matches(name):
            return None
        if not operator.password.matches(password.reveal()):
            return None
        return await self.sessions.open(operator.user_id, _OPERATOR, sender.peer, operator.password)

    async def _local(self, name: str, password: Secret, sender: Sender) -> OpenedSession | None:
        if not self.settings.passwords:
            return None
        user = await self.accounts.named(name)
        known = await self.passwords.matches(password, None if user is None else user.password)
        if user is None or not known or user.blocked:
            return None
        return await self.sessions.open(user.user_id, _PASSWORD, sender.peer)

    async def set_password(self, user_id: str, password: Secret) -> None:
        """Give a user another password.

        Raises:
            Malformed: it does not keep the rules.
            NotFound: no such user.
        """
        await self.accounts.set_password(user_id, await self.digest(password))

    async def digest(self, password: Secret) -> str:
        """What is kept of a new password.

        Raises:
            Malformed: it does not keep the rules.
            LimitReached: too many wait for theirs.
        """
        self.settings.password_rules.demand(password.reveal())
        return await self.passwords.digest(password)

    async def change_password(self, signed_in: SignedIn, old: Secret, new: Secret, peer: str) -> int:
        """Change one's own password; every other session of the user ends. How many that were.

        Raises:
            Forbidden: the operator's is none of ours to change, or the old one is wrong.
            Malformed: the new one does not keep the rules.
        """
        user = signed_in.user
        if user is None:
            raise Forbidden(
                "The operator's password is not kept here.",
                hint="Set UI_PASSWORD, or the master key, where the gateway is started.",
            )
        if user.password is None or not self.settings.passwords:
            # Whom a provider no longer vouches for must not have kept a way in.
            raise Forbidden("This user has no password here.", hint="Ask an administrator for an invitation.")
        self.throttle.demand_patience(user.user_id, peer)
        self.throttle.failed(user.user_id, peer)
        if not await self.passwords.matches(old, user.password):
            raise Forbidden("The current password is another.", hint="Type it again.", code="wrong_password")
        self.throttle.forgive(user.user_id, peer)
        await self.set_password(user.user_id, new)
        return await self.sessions.end_all(user.user_id, but=signed_in.session)

    async def open_for(self, user: User, sender: Sender) -> Arrived:
        """Sign in somebody who has just chosen a password."""
        opened = await self.sessions.open(user.user_id, _PASSWORD, sender.peer)
        return Arrived(opened, (self._session_line(opened, sender),))

    # -- with an identity provider ---------------------------------------------------------------------

    async def depart(self, name: str | None, place: str | None, sender: Sender) -> Departed:
        """Send somebody to a provider; None: the only one, or the first.

        Raises:
            NotFound: there is no such provider.
            GatewayError: it cannot be asked.
        """
        party = self._party(name)
        departure = await self._flow.depart(party.party, self.own_address(sender) + _CALLBACK)
        kept = _Departure(
            party.party.name,
            departure.state,
            departure.nonce,
            departure.verifier,
            self._clock.wall() + _DEPARTURE_SECONDS,
            _own_place(place),
        )
        line = self._departure_cookie(sender).line(self._sealed(kept), _DEPARTURE_SECONDS)
        return Departed(departure.url, line)

    async def arrive(self, code: str | None, state: str | None, issuer: str | None, sender: Sender) -> Arrived:
        """Sign in whom a provider sent back.

        Raises:
            Unauthenticated: nobody left from here like this, or the provider does not confirm who it is.
            Forbidden: they may not sign in.
            GatewayError: the provider cannot be asked.
        """
        departure = self._unsealed(cookie_in(sender.headers, self._departure_cookie(sender)))
        fits = departure is not None and hmac.compare_digest(departure.state.encode(), (state or "").encode())
        if departure is None or not fits:
            raise Unauthenticated(
                "This sign-in was not begun in this browser, or too long ago.",
                hint="Sign in again.",
                code="sign_in_failed",
            )
        if not code:
            raise Unauthenticated(
                "The identity provider signed nobody in.", hint="Sign in again.", code="sign_in_failed"
            )
        party = self._party(departure.party)
        back = Return(code, issuer, departure.nonce, departure.verifier)
        proven = await self._flow.arrive(party.party, back, self.own_address(sender) + _CALLBACK)
        changes: list[Change] = []
        user = await self.accounts.arrived(proven, party, self.settings, changes)
        opened = await self.sessions.open(user.user_id, party.party.name, sender.peer)
        forget = self._departure_cookie(sender).line("", 0)
        return Arrived(opened, (self._session_line(opened, sender), forget), departure.place, tuple(changes))

    def _party(self, name: str | None) -> SignInParty:
        for party in self.settings.parties:
            if name in {None, party.party.name}:
                return party
        raise NotFound(
            "There is no such identity provider here.", hint="The operator sets pointsman.sign_in.providers."
        )

    # -- the address, and cookies ----------------------------------------------------------------------

    def own_address(self, sender: Sender) -> str:
        """The gateway's address, for providers to send people back to.

        Raises:
            Malformed: it is not known; what a client writes into Host is not to be believed.
        """
        if self.settings.base_url is not None:
            return self.settings.base_url
        if not _is_this_machine(sender.host):
            raise Malformed(
                "The gateway does not know its own address, so nobody can be sent back to it.",
                hint="The operator sets PROXY_BASE_URL to the address that browsers see, such as https://llm.example.com.",
                code="no_base_url",
            )
        return f"{sender.scheme}://{sender.host}"

    def own_origin(self, sender: Sender) -> str:
        """What a browser says of our own pages as ``Origin``."""
        if self.settings.base_url is None:
            return f"{sender.scheme}://{sender.host}"
        parts = urlsplit(self.settings.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def leave_line(self, sender: Sender) -> str:
        """The Set-Cookie line that has a browser forget its session."""
        return session_cookie(secure=self._is_secure(sender)).line("", 0)

    def _session_line(self, opened: OpenedSession, sender: Sender) -> str:
        seconds = int(opened.session.expires_at - self._clock.wall())
        return session_cookie(secure=self._is_secure(sender)).line(opened.token.reveal(), seconds)

    def _is_secure(self, sender: Sender) -> bool:
        return self.own_origin(sender).startswith("https://")

    def _departure_cookie(self, sender: Sender) -> Cookie:
        return Cookie("pointsman_sign_in", self._is_secure(sender))

    def _sealed(self, departure: _Departure) -> str:
        text = base64.urlsafe_b64encode(msgspec.json.encode(departure)).decode()
        return f"{text}.{self._seal(text)}"

    def _unsealed(self, value: str | None) -> _Departure | None:
        text, _, seal = (value or "").partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(text).encode()):
            return None
        try:
            departure = _read_departure(base64.urlsafe_b64decode(text))
        except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return departure if departure.until > self._clock.wall() else None

    def _seal(self, text: str) -> str:
        key = sha256(b"pointsman sign-in\n" + self.settings.state_key.reveal().encode("utf-8", "surrogateescape"))
        return hmac.new(key.digest(), text.encode(), sha256).hexdigest()


def _own_place(place: str | None) -> str:
    """A path of ours to come back to; anything else is nowhere to be sent to."""
    if place is None:
        return HOME
    parts = urlsplit(place)
    plain = place.isascii() and place.isprintable() and "\\" not in place and len(place) <= _PLACE_CHARACTERS_MAX
    if parts.scheme or parts.netloc or not place.startswith("/") or place.startswith("//") or not plain:
        raise Malformed("return_to must be a path of this gateway.", param="return_to")
    return quote(place, safe="/?&=%#-._~+:,;@!$'()*")


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _record_token(user_id: str) -> str:
    """Under which what somebody does in sessions is recorded, and found again; no key's token looks like this."""
    return "user-" + sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "The name or the password is wrong.", hint="Try again, or ask an administrator.", code="invalid_credentials"
    )
