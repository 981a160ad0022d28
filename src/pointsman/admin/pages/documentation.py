"""Puts the pages together, and the content security policy that lets exactly their own style and script run."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Final

__all__ = ["documentation_page", "front_page"]

_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def documentation_page() -> tuple[bytes, str]:
    """The page that shows ``/openapi.json``, and its policy."""
    style, script = _part("style.css"), _part("documentation.js")
    page = _part("documentation.html").replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    policy = f"{_POLICY}; connect-src 'self'; style-src {_hash(style)}; script-src {_hash(script)}"
    return page.encode(), policy


def front_page(*, docs: bool) -> tuple[bytes, str]:
    """The page at ``/``, and its policy. It does not tell the version: anybody may see it."""
    style = _part("style.css")
    link = '<p>The routes and their fields: <a href="docs">documentation</a>, <a href="openapi.json">OpenAPI</a>.</p>'
    page = _part("front.html").replace("/*STYLE*/", style).replace("<!--DOCS-->", link if docs else "")
    return page.encode(), f"{_POLICY}; style-src {_hash(style)}"


def _part(name: str) -> str:
    return files("pointsman.admin.pages").joinpath(name).read_text("utf-8").strip()


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
