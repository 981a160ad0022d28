"""Routes that are given away with a key are no more than its giver has."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from pointsman.admin.keys.guarding import demand_grantable
from pointsman.core.errors import Forbidden
from pointsman.core.identity import KeyRecord
from pointsman.policies.principal import Principal


def giver(*routes: str, admin: bool = False) -> Principal:
    extra = msgspec.Raw(msgspec.json.encode({"allowed_routes": routes}))
    return Principal(KeyRecord(token="t", key_name="k", extra=extra), admin=admin)


def fields(routes: Sequence[str] | None) -> dict[str, msgspec.Raw]:
    return {} if routes is None else {"allowed_routes": msgspec.Raw(msgspec.json.encode(routes))}


@pytest.mark.parametrize(
    ("has", "wants", "may"),
    [
        (["llm_api_routes"], ["openai_routes"], True),
        (["llm_api_routes"], ["/v1/chat/completions"], True),
        (["openai_routes"], ["llm_api_routes"], False),
        (["llm_api_routes"], ["/key/generate"], False),
        (["llm_api_routes"], ["/*"], False),
        (["llm_api_routes"], ["*"], False),
        (["llm_api_routes"], [], False),
        (["llm_api_routes"], None, False),
        (["/v1/*"], ["/v1/chat/completions", "/v1/models/*"], True),
        (["/v1/models"], ["/v1/*"], False),
        (["/v1/chat/completions"], ["/v1/chat/completions", "/v1/models"], False),
    ],
)
def test_nobody_gives_away_more_routes_than_they_have(has: list[str], wants: list[str] | None, may: bool) -> None:
    if may:
        demand_grantable(giver(*has), fields(wants))
    else:
        with pytest.raises(Forbidden):
            demand_grantable(giver(*has), fields(wants))
    demand_grantable(giver(*has, admin=True), fields(wants))


def test_who_may_call_everything_may_give_everything() -> None:
    demand_grantable(Principal(KeyRecord(token="t", key_name="k")), fields(None))
