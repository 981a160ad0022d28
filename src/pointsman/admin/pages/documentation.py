"""Puts the pages together, and the content security policy that lets exactly their own style and script run."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Final

__all__ = ["documentation_page", "front_page", "page_part", "page_policy"]

_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def documentation_page() -> tuple[bytes, str]:
    """The page that shows ``/openapi.json``, and its policy."""
    style, script = page_part("style.css"), page_part("documentation.js")
    page = page_part("documentation.html").replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    policy = f"{_POLICY}; connect-src 'self'; style-src {_hash(style)}; script-src {_hash(script)}"
    return page.encode(), policy


def front_page(*, docs: bool) -> tuple[bytes, str]:
    """The page at ``/``, and its policy. It does not tell the version: anybody may see it."""
    style = page_part("style.css")
    link = '<p>The routes and their fields: <a href="docs">documentation</a>, <a href="openapi.json">OpenAPI</a>.</p>'
    page = page_part("front.html").replace("/*STYLE*/", style).replace("<!--DOCS-->", link if docs else "")
    return page.encode(), f"{_POLICY}; style-src {_hash(style)}"


def page_part(name: str) -> str:
    """A file of the pages, as it is written."""
    return files("pointsman.admin.pages").joinpath(name).read_text("utf-8").strip()


def page_policy(style: str, *, forms: bool) -> str:
    """The policy of a page without scripts; ``forms``: its forms may be sent, to us."""
    policy = _POLICY.replace("form-action 'none'", "form-action 'self'") if forms else _POLICY
    return f"{policy}; style-src {_hash(style)}"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
