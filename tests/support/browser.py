"""As much of a web browser as signing in takes: cookies, redirects, and the headers that tell which page asks."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from tests.support.http_client import Answer

__all__ = ["Browser"]


class Browser:
    """Keeps cookies by host and port. ``cookie_lines`` are all Set-Cookie headers so far."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.cookies: dict[str, dict[str, str]] = {}
        self.cookie_lines: list[str] = []
        self.csrf = ""

    def ask(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
    ) -> Answer:
        """One request, as a page of ``origin`` makes it (None: of the gateway's own)."""
        target = urlsplit(urljoin(self.home, url))
        sent = {"Sec-Fetch-Site": "same-origin" if origin is None else "cross-site"}
        if method != "GET":
            sent["Origin"] = origin or self.home
            if self.csrf and origin is None:
                sent["X-CSRF-Token"] = self.csrf
        jar = self.cookies.setdefault(target.netloc, {})
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        data = None
        if form is not None:
            data, sent["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        elif body is not None:
            data, sent["Content-Type"] = msgspec.json.encode(body), "application/json"
        connection = http.client.HTTPConnection(target.netloc, timeout=15.0)
        try:
            place = f"{target.path}?{target.query}" if target.query else target.path
            connection.request(method, place, data, {**sent, **(headers or {})})
            response = connection.getresponse()
            lines = [value for name, value in response.getheaders() if name.lower() == "set-cookie"]
            self._keep(jar, lines)
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()

    def follow(self, url: str, hops_max: int = 10) -> tuple[Answer, str]:
        """Go there and wherever that leads; gives the last answer, and its address."""
        place = urljoin(self.home, url)
        for _ in range(hops_max):
            answer = self.ask("GET", place)
            if answer.status not in {302, 303, 307}:
                return answer, place
            place = urljoin(place, answer.headers["location"])
        raise AssertionError("it leads round and round")

    def session(self) -> dict[str, Any]:
        """What the gateway says of whoever is signed in; remembers what shows that pages of its own ask."""
        answer = self.ask("GET", "/session")
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json()
        self.csrf = found["csrf_token"] or ""
        return found

    def _keep(self, jar: dict[str, str], lines: list[str]) -> None:
        self.cookie_lines += lines
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value
