"""Limits of a key's use that cannot be understood let nobody in: one that is misspelt must not be none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Forbidden
from pointsman.policies.key_guard import KeyGuard, guard_of
from tests.unit.policies.desk import key_record

CHAT = "/v1/chat/completions"
HERE = "10.0.0.7"


def guard(extra: dict[str, Any] | None = None, **metadata: Any) -> KeyGuard | None:
    written = {
        name: msgspec.Raw(msgspec.json.encode(value or {}))
        for name, value in (("extra", extra), ("metadata", metadata))
    }
    return guard_of(key_record(**written))


def test_most_keys_have_none() -> None:
    assert guard() is None
    assert guard({"allowed_routes": [], "allowed_ips": None}, allowed_ips=[]) is None
    assert guard(end_user_id=5, allowed_routes="all", note="allowed_ips are not mine") is None, "it is the owner's"


@pytest.mark.parametrize(
    ("extra", "metadata"),
    [
        ({"allowed_routes": 5}, {}),
        ({"allowed_routes": {"chat": True}}, {}),
        ({"allowed_ips": 5}, {}),
        ({}, {"allowed_ips": {"from": HERE}}),
        ({"allowed_ips": ["10.0.0.0/99"]}, {}),
        ({}, {"allowed_ips": ["here"]}),
    ],
)
def test_what_cannot_be_understood_lets_nobody_in(extra: dict[str, Any], metadata: dict[str, Any]) -> None:
    found = guard(extra, **metadata)
    assert found is not None
    with pytest.raises(Forbidden):
        found.demand(CHAT, (CHAT,), HERE)


def test_what_requests_must_say_may_stand_in_either_place() -> None:
    for found in (guard(enforced_params=["user"]), guard({"enforced_params": ["user"]})):
        assert found is not None and found.enforced_params == ("user",)
    both = guard({"enforced_params": ["user"]}, enforced_params=["metadata"])
    assert both is not None and both.enforced_params == ("user", "metadata")


@pytest.mark.parametrize("where", ["extra", "metadata"])
def test_a_key_may_come_from_its_addresses_only(where: str) -> None:
    addresses = ["10.0.0.0/24", "fd00::1"]
    found = guard({"allowed_ips": addresses}) if where == "extra" else guard(allowed_ips=addresses)
    assert found is not None
    for address in (HERE, "fd00::1"):
        found.demand(CHAT, (CHAT,), address)
    for address in ("10.0.1.7", "fd00::2", ""):
        with pytest.raises(Forbidden):
            found.demand(CHAT, (CHAT,), address)


def test_a_key_may_call_its_routes_only() -> None:
    found = guard({"allowed_routes": ["/v1/embeddings"]})
    assert found is not None
    found.demand("/v1/embeddings", ("/v1/embeddings",), HERE)
    with pytest.raises(Forbidden):
        found.demand(CHAT, (CHAT,), HERE)
