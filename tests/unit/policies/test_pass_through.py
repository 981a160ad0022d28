"""Who may use a provider's own API."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Forbidden
from pointsman.policies.pass_through import demand_passage, demand_undenied
from pointsman.policies.principal import Principal
from tests.unit.policies.desk import key_record


def may(path: str, *, for_all_keys: bool = False, admin: bool = False, manages: bool = False, **extra: Any) -> bool:
    record = key_record("sk-x", extra=msgspec.Raw(json.dumps(extra).encode()))
    try:
        demand_passage(Principal(record, admin=admin), path, for_all_keys=for_all_keys, manages_ollama=manages)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize("route", ["/anthropic", "/anthropic/", "/anthropic/*", "anthropic", "/anthropic/v1/files"])
def test_a_route_covers_itself_and_what_is_below(route: str) -> None:
    assert may("/anthropic/v1/files", allowed_passthrough_routes=[route])
    assert may("/anthropic/v1/files/x", allowed_passthrough_routes=[route])
    assert not may("/openai/v1/files", allowed_passthrough_routes=[route])


@pytest.mark.parametrize(
    "routes", [None, [], ["*"], [""], ["/"], ["/*"], ["/anthropi"], ["/anthropic/v1/file"], 7, ["x", 7]]
)
def test_what_does_not_name_the_path_grants_nothing(routes: Any) -> None:
    assert not may("/anthropic/v1/files", allowed_passthrough_routes=routes)


def test_the_operator_may_and_may_open_it_for_all() -> None:
    assert may("/x/y", admin=True) and may("/x/y", for_all_keys=True) and not may("/x/y")
    assert not may("/x/y", for_all_keys=True, denied_passthrough_routes=["/x"])
    assert not may("/x/%79", allowed_passthrough_routes=["/x"], denied_passthrough_routes=["/x/y"])


@pytest.mark.parametrize(
    "path", ["/ollama/api/pull", "/ollama/api%2Fpush", "/ollama_chat/api/blobs/sha256:0", "/Ollama/api/create"]
)
def test_models_of_ollama_are_managed_by_administrators_where_that_is_allowed(path: str) -> None:
    assert not may(path, for_all_keys=True, manages=True)
    assert not may(path, allowed_passthrough_routes=["/ollama", "/ollama_chat", "/Ollama"], manages=True)
    assert not may(path, admin=True)
    assert may(path, admin=True, manages=True)
    assert may("/ollama/api/show", for_all_keys=True)


def test_what_is_denied_is_denied_in_every_spelling() -> None:
    record = key_record("sk-x", extra=msgspec.Raw(b'{"denied_passthrough_routes":["/openai/v1/files"]}'))
    principal = Principal(record)
    demand_undenied(principal, ("/openai/v1/models", "/openai/models"))
    for path in ("/openai/v1/files/x", "/OpenAI/V1/files", "/openai/v1/%66iles"):
        with pytest.raises(Forbidden):
            demand_undenied(principal, ("/openai/files", path))
    demand_undenied(Principal(record, admin=True), ("/openai/v1/files",))
