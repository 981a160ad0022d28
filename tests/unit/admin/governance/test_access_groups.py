from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin.governance.access_groups import AccessGroupRow
from pointsman.core.identity import token_of
from pointsman.stores.directory.kinds import MODELS, TEAMS
from pointsman.stores.directory.records import StoredModel, Team
from tests.unit.admin.office_desk import Desk


async def new(desk: Desk, **fields: object) -> dict[str, Any]:
    answer = await desk.ask("POST", "/v1/access_group", {"access_group_name": "writers", **fields})
    assert answer.status == 201, answer.body
    msgspec.json.decode(answer.body, type=AccessGroupRow)
    row: dict[str, Any] = answer.json()
    return row


async def test_a_group_is_given_to_teams_and_keys_and_taken_again(desk: Desk) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="core", alias="Core"))
    key = await desk.new_key(key_alias="ann")
    row = await new(desk, access_model_names=["llama3"], assigned_team_ids=["core"], assigned_key_ids=[key])
    identity = row["access_group_id"]
    assert row["assigned_teams"] == [{"id": "core", "name": "Core"}]
    assert row["assigned_keys"] == [{"id": token_of(key), "name": "ann"}]
    team = await desk.directory.get(TEAMS, "core")
    assert team is not None and team.access_group_ids == (identity,)
    assert msgspec.json.decode(desk.record(key).extra)["access_group_ids"] == [identity]
    body = {"assigned_team_ids": [], "description": "Those who write"}
    changed = (await desk.ask("PUT", f"/v1/access_group/{identity}", body)).json()
    assert (changed["assigned_team_ids"], changed["access_model_names"]) == ([], ["llama3"])
    team = await desk.directory.get(TEAMS, "core")
    assert team is not None and team.access_group_ids == ()
    gone = await desk.ask("DELETE", f"/v1/access_group/{identity}")
    assert (gone.status, gone.body) == (204, b"")
    assert msgspec.json.decode(desk.record(key).extra)["access_group_ids"] == []
    assert (await desk.ask("GET", f"/v1/access_group/{identity}")).status == 404
    assert (await desk.ask("GET", "/v1/access_group")).json() == []


async def test_a_name_is_given_once(desk: Desk) -> None:
    await new(desk)
    answer = await desk.ask("POST", "/v1/access_group", {"access_group_name": "writers"})
    assert (answer.status, answer.error.message.partition(".")[0]) == (409, "Access group 'writers' already exists")
    other = await desk.ask("POST", "/v1/access_group", {"access_group_name": "readers"})
    path = f"/v1/access_group/{other.json()['access_group_id']}"
    assert (await desk.ask("PUT", path, {"access_group_name": "writers"})).status == 409


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"access_mcp_server_ids": ["a"]}, "access_mcp_server_ids"),
        ({"access_agent_ids": ["a"]}, "access_agent_ids"),
        ({"assigned_team_ids": ["nobody"]}, "assigned_team_ids"),
        ({"assigned_key_ids": ["nobody"]}, "assigned_key_ids"),
    ],
)
async def test_a_group_holds_only_what_there_is(desk: Desk, body: dict[str, object], param: str) -> None:
    answer = await desk.ask("POST", "/v1/access_group", {"access_group_name": "writers", **body})
    assert (answer.status, answer.error.param) == (400, param)
    assert (await desk.ask("GET", "/v1/access_group")).json() == []


async def stored(desk: Desk, *names: str) -> None:
    for name in names:
        await desk.directory.insert(MODELS, StoredModel(model_id=f"m-{name}", name=name, info=msgspec.Raw(b'{"a":1}')))


async def groups(desk: Desk) -> dict[str, Any]:
    listed = (await desk.ask("GET", "/access_group/list")).json()["access_groups"]
    return {one["access_group"]: one["model_names"] for one in listed}


async def test_models_that_were_added_get_a_group_and_lose_it(desk: Desk) -> None:
    await stored(desk, "gpt", "claude")
    made = await desk.ask("POST", "/access_group/new", {"access_group": "big", "model_names": ["gpt"]})
    assert made.json() == {"access_group": "big", "model_names": ["gpt"], "model_ids": None, "models_updated": 1}
    assert await groups(desk) == {"beta": ["vip"], "big": ["gpt"]}
    model = await desk.directory.get(MODELS, "m-gpt")
    assert model is not None and msgspec.json.decode(model.info) == {"a": 1, "access_groups": ["big"]}
    await desk.ask("PUT", "/access_group/big/update", {"model_ids": ["m-claude"]})
    assert (await groups(desk))["big"] == ["claude"]
    assert (await desk.ask("GET", "/access_group/big/info")).json()["deployment_count"] == 1
    assert (await desk.ask("DELETE", "/access_group/big/delete")).json()["models_updated"] == 1
    assert await groups(desk) == {"beta": ["vip"]}
    assert (await desk.ask("GET", "/access_group/big/info")).status == 404


async def test_the_configuration_file_is_changed_in_the_file(desk: Desk) -> None:
    await stored(desk, "gpt")
    answer = await desk.ask("POST", "/access_group/new", {"access_group": "x", "model_names": ["llama3"]})
    assert answer.status == 400 and "configuration file" in answer.error.message
    answer = await desk.ask("DELETE", "/access_group/beta/delete")
    assert answer.status == 400 and "configuration file" in answer.error.message
    answer = await desk.ask("POST", "/access_group/new", {"access_group": "x", "model_names": ["none"]})
    assert answer.status == 400 and "not found" in answer.error.message
    assert (await desk.ask("POST", "/access_group/new", {"access_group": "beta", "model_names": ["gpt"]})).status == 409
    assert (await desk.ask("POST", "/access_group/new", {"access_group": "x"})).error.param == "model_names"
