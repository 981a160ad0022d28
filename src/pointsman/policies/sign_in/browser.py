"""What a browser must show to act for somebody: its cookie, and that a page of ours asks and nobody else's.

Sources: https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html,
https://www.w3.org/TR/fetch-metadata/, RFC 6265bis (the prefix ``__Host-``).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.core.errors import Forbidden
from pointsman.core.secret import Secret
from pointsman.policies.sign_in.sessions import csrf_token

__all__ = ["CSRF_HEADER", "Cookie", "Sender", "cookie_in", "demand_csrf", "demand_own_page", "session_cookie"]

CSRF_HEADER: Final = "x-csrf-token"
_SAFE_SITES: Final = frozenset({"same-origin", "none"})
_HEADER_CHARACTERS_MAX: Final = 16_384


class Sender(msgspec.Struct, frozen=True):
    """Whence a request comes, as far as its connection and its head tell. Header names are lower case."""

    headers: Sequence[tuple[bytes, bytes]]
    scheme: str = "http"
    peer: str = ""

    @property
    def host(self) -> str:
        """The Host header, which the client writes."""
        return next((value.decode("latin-1") for name, value in self.headers if name == b"host"), "")


class Cookie(msgspec.Struct, frozen=True):
    """A cookie of ours. Over https its name has the prefix that lets only this host set it, and only over https."""

    name: str
    secure: bool

    @property
    def full_name(self) -> str:
        """The name in headers."""
        return f"__Host-{self.name}" if self.secure else self.name

    def line(self, value: str, seconds: int) -> str:
        """The value of a Set-Cookie header; 0 seconds: forget it. Scripts cannot read it, other sites not send it."""
        secure = "; Secure" if self.secure else ""
        return f"{self.full_name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def session_cookie(*, secure: bool) -> Cookie:
    """The cookie that holds a session's token."""
    return Cookie("pointsman_session", secure)


def cookie_in(headers: Sequence[tuple[bytes, bytes]], cookie: Cookie) -> str | None:
    """The value of a cookie in the headers (lower-case names), or None."""
    name = cookie.full_name
    for header, line in headers:
        if header != b"cookie" or len(line) > _HEADER_CHARACTERS_MAX:
            continue
        for pair in line.decode("latin-1").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
    return None


def demand_own_page(headers: Sequence[tuple[bytes, bytes]], own_origin: str) -> None:
    """Raise where a browser says that a page of another site asks. Programs that say nothing of it pass.

    Raises:
        Forbidden: a foreign page.
    """
    said = {name: value.decode("latin-1") for name, value in headers if name in {b"origin", b"sec-fetch-site"}}
    site = said.get(b"sec-fetch-site")
    origin = said.get(b"origin")
    if (site is not None and site not in _SAFE_SITES) or (origin is not None and origin != own_origin):
        raise Forbidden(
            "A page of another site asks for this.",
            hint="Open the gateway's own pages; behind a proxy, PROXY_BASE_URL must be the address that browsers see.",
            code="foreign_page",
        )


def demand_csrf(headers: Sequence[tuple[bytes, bytes]], token: Secret) -> None:
    """Raise unless the request shows what only a page of ours was told.

    Raises:
        Forbidden: it does not.
    """
    shown = next((value for name, value in headers if name == CSRF_HEADER.encode()), b"")
    if not hmac.compare_digest(shown, csrf_token(token.reveal()).encode()):
        raise Forbidden(
            "This request does not show that it comes from a page of the gateway.",
            hint=f"Send csrf_token of GET /session as the header {CSRF_HEADER}.",
            code="csrf",
        )
