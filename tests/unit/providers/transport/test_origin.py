"""Base URLs are taken apart once, and what would not fit into a request is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Misconfigured
from pointsman.providers.transport.origin import Origin, header_line


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "path", "query"),
    [
        ("http://127.0.0.1:8000/v1", "http", "127.0.0.1", 8000, "/v1", ""),
        ("https://api.openai.com/v1/", "https", "api.openai.com", 443, "/v1", ""),
        ("http://host", "http", "host", 80, "", ""),
        ("http://host/", "http", "host", 80, "", ""),
        ("HTTP://HOST:81/A/b//", "http", "host", 81, "/A/b", ""),
        ("http://[::1]:9000/v1", "http", "::1", 9000, "/v1", ""),
        (
            "https://x.azure.com/openai?api-version=2024-10-21",
            "https",
            "x.azure.com",
            443,
            "/openai",
            "api-version=2024-10-21",
        ),
        ("  http://host:1/x  ", "http", "host", 1, "/x", ""),
        ("http://a_b.local:1", "http", "a_b.local", 1, "", ""),
    ],
)
def test_a_url_is_taken_apart(url: str, scheme: str, host: str, port: int, path: str, query: str) -> None:
    assert Origin.parse(url) == Origin(scheme, host, port, path, query)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://host:80/x", "host"),
        ("http://host:443/x", "host:443"),
        ("https://host:443/x", "host"),
        ("http://[::1]/x", "[::1]"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_authority_leaves_the_usual_port_out(url: str, authority: str) -> None:
    assert Origin.parse(url).authority == authority


def test_a_shown_url_has_no_credentials_and_no_query() -> None:
    assert Origin.parse("https://me:secret@host:8443/v1?key=secret").url == "https://host:8443/v1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8000",
        "127.0.0.1:8000/v1",
        "ftp://host/",
        "http://",
        "http:///v1",
        "http://ho st/",
        "http://host:port/",
        "http://host:99999/",
        "http://[::1/",
        "unix:///sock",
        "http://münchen.de/",
        "http://host/a b",
        "http://host/ü",
        "http://host/v1?a b",
        "http://host/v1?ü=1",
    ],
)
def test_what_is_no_usable_address_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="api_base"):
        Origin.parse(url)


def test_the_refusal_does_not_show_the_password() -> None:
    with pytest.raises(Misconfigured) as caught:
        Origin.parse("ftp://me:topsecret@host/")
    assert "topsecret" not in caught.value.told()


@given(st.text(max_size=40))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    try:
        origin = Origin.parse(f"http://{text}")
    except Misconfigured:
        return
    line = f"{origin.authority} {origin.path} {origin.query}"
    assert line.isascii() and line.isprintable() and line.count(" ") == 2


@pytest.mark.parametrize(
    ("name", "value", "line"), [("X-A", "b c", b"X-A: b c\r\n"), ("x", "", b"x: \r\n"), ("x", "\xe9", b"x: \xe9\r\n")]
)
def test_a_header_is_one_line(name: str, value: str, line: bytes) -> None:
    assert header_line(name, value) == line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nY: b"),
        ("X", "a\nb"),
        ("X", "a\0"),
        ("X\r\nY", "b"),
        ("", "b"),
        ("X", "\x7f"),
        ("X: Y", "b"),
        ("X Y", "b"),
        ("Ü", "b"),
    ],
)
def test_a_header_that_would_be_two_or_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(Misconfigured):
        header_line(name, value)
