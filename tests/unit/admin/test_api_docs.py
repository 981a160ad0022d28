"""The page about the management API says of every endpoint of LiteLLM what becomes of it, and says the truth."""

from __future__ import annotations

import importlib.util
import tomllib
from types import ModuleType

import pytest

from pointsman.admin.route import RouteFact
from tests.house.code_base import ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_api_docs", ROOT / "scripts" / "make_api_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fact(path: str, tier: str = "litellm") -> RouteFact:
    return RouteFact(method="GET", path=path, scope="admin", summary="", tier=tier)  # type: ignore[arg-type]


def test_every_endpoint_is_judged_and_the_page_is_current(script: ModuleType) -> None:
    found = script.served()
    endpoints, complaints = script.judged(tomllib.loads(script.VERDICTS.read_text("utf-8")), found)
    assert complaints == []
    assert len(endpoints) > 450
    assert script.TARGET.read_text("utf-8") == script.page(endpoints, found)


@pytest.mark.parametrize(
    ("names", "served", "complaint"),
    [
        ({"GET /a": ""}, {}, "GET /a is not served, and nothing says why"),
        ({"GET /a": "identical"}, {}, "GET /a is not served, and nothing says why"),
        ({"GET /a": ""}, {"GET /a": fact("/a")}, "GET /a is served, and its verdict is ''"),
        ({"GET /a": "absent: x"}, {"GET /a": fact("/a")}, "GET /a is served, and its verdict is 'absent: x'"),
        ({"GET /a": "differs"}, {"GET /a": fact("/a")}, "GET /a is served, and its verdict is 'differs'"),
        ({}, {"GET /a": fact("/a")}, "GET /a keeps LiteLLM's contract, and is not in litellm_endpoints.toml"),
    ],
)  # fmt: skip
def test_what_is_not_judged_is_complained_of(
    script: ModuleType, names: dict[str, str], served: dict[str, RouteFact], complaint: str
) -> None:
    assert script.judged({"Group": names}, served)[1] == [complaint]


def test_what_is_judged_is_not_complained_of(script: ModuleType) -> None:
    names = {
        "absent": "no need",
        "GET /a/{one}": "identical",
        "GET /b": "differs: more",
        "GET /c": "",
        "GET /d": "identical",
    }
    served = {"GET /a/{}": fact("/a/{other}"), "GET /b": fact("/b"), "GET /ours": fact("/ours", "pointsman")}
    endpoints, complaints = script.judged({"Group": names}, served)
    assert complaints == []
    assert [(one.verdict, one.note) for one in endpoints] == [
        ("identical", ""), ("differs", "more"), ("absent", "no need"), ("absent", "no need"),
    ]  # fmt: skip
    page = script.page(endpoints, served)
    assert "| `GET /b` | differs | admin | more |" in page and "| `GET /ours` | admin |" in page
