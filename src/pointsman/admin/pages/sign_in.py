"""The pages for signing in, which need no script: a form, a link for each identity provider, and who is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import quote, urlencode

from pointsman.admin.pages.documentation import page_part, page_policy

__all__ = ["sign_in_page", "signed_in_page"]

_FORM: Final = (
    '<form method="post" action="/login">'
    '<p><label>Name or e-mail address<br><input name="username" autocomplete="username" required></label></p>'
    '<p><label>Password<br><input name="password" type="password" autocomplete="current-password" required></label></p>'
    '<p><button type="submit">Sign in</button></p></form>'
)


def sign_in_page(
    providers: Sequence[str], *, passwords: bool, message: str | None = None, place: str | None = None
) -> tuple[bytes, str]:
    """The page that asks who it is, and its policy; ``message`` says why it is shown again."""
    style = page_part("style.css")
    rest = f"&{urlencode({'return_to': place})}" if place else ""
    links = "".join(
        f'<p><a href="/sso/key/generate?provider={quote(name, safe="")}{escape(rest)}">'
        f"Sign in with {escape(name)}</a></p>"
        for name in providers
    )
    page = page_part("sign_in.html").replace("/*STYLE*/", style)
    page = page.replace("<!--MESSAGE-->", f'<p role="alert">{escape(message)}</p>' if message else "")
    page = page.replace("<!--PROVIDERS-->", links).replace("<!--PASSWORD-->", _FORM if passwords else "")
    return page.encode(), page_policy(style, forms=True)


def signed_in_page(who: str | None) -> tuple[bytes, str]:
    """The page behind the sign-in, and its policy; ``who`` None: nobody is."""
    style = page_part("style.css")
    text = f"Signed in as {escape(who)}." if who else 'Nobody is signed in: <a href="/login">sign in</a>.'
    return page_part("signed_in.html").replace("/*STYLE*/", style).replace("<!--WHO-->", text).encode(), page_policy(
        style, forms=False
    )
