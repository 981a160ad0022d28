"""Where nobody needs a key, no web page of another site may ask, nor anybody under a public name."""

from __future__ import annotations

import pytest

from pointsman.core.errors import Forbidden
from pointsman.policies.pages import demand_no_foreign_page


def headers(host: str | None, origin: str | None) -> list[tuple[bytes, bytes]]:
    named = ((b"host", host), (b"origin", origin))
    return [(name, value.encode("latin-1")) for name, value in named if value is not None]


@pytest.mark.parametrize("local_pages", [True, False])
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:4000", None),
        ("localhost:4000", None),
        ("[::1]:4000", None),
        ("gpu-box:4000", None),
        ("host.docker.internal:4000", None),
        (None, None),
        ("127.0.0.1:4000", "http://127.0.0.1:4000"),
        ("localhost:4000", "http://localhost:4000"),
    ],
)
def test_programs_and_our_own_pages_are_served(host: str | None, origin: str | None, local_pages: bool) -> None:
    demand_no_foreign_page(headers(host, origin), local_pages=local_pages)


@pytest.mark.parametrize("local_pages", [True, False])
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example:4000", None),
        ("evil.example", "http://evil.example"),
        ("127.0.0.1:4000", "https://evil.example"),
        ("127.0.0.1:4000", "null"),
        ("127.0.0.1:4000", ""),
        ("127.0.0.1:4000", "http://localhost.evil.example"),
        ("127.0.0.1:4000", "http://127.0.0.1.evil.example:4000"),
        ("127.0.0.1:4000", "http://192.168.1.7:4000"),
        ("127.0.0.1:4000", "http://[bad"),
        ("[bad", None),
    ],
)
def test_foreign_pages_and_public_names_are_refused(host: str, origin: str | None, local_pages: bool) -> None:
    with pytest.raises(Forbidden) as refused:
        demand_no_foreign_page(headers(host, origin), local_pages=local_pages)
    assert refused.value.code == "foreign_page"
    assert refused.value.hint


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:5173"])
def test_pages_of_this_machine_may_use_models_but_not_manage(origin: str) -> None:
    demand_no_foreign_page(headers("127.0.0.1:4000", origin), local_pages=True)
    with pytest.raises(Forbidden):
        demand_no_foreign_page(headers("127.0.0.1:4000", origin), local_pages=False)
