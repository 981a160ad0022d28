from __future__ import annotations

from tests.unit.admin.office_desk import Desk


async def team_admin(desk: Desk) -> str:
    """The key of somebody who administers the team red, which may spend 10."""
    for path, body in (
        ("/user/new", {"user_id": "tom", "user_role": "internal_user", "auto_create_key": False}),
        ("/team/new", {"team_id": "red", "max_budget": 10}),
        ("/team/member_add", {"team_id": "red", "member": [{"role": "admin", "user_id": "tom"}]}),
        ("/budget/new", {"budget_id": "shared", "max_budget": 3}),
        ("/customer/new", {"user_id": "carol", "budget_id": "shared"}),
    ):
        answer = await desk.ask("POST", path, body)
        assert answer.status == 200, answer.body
    desk.clock.now += 1
    return await desk.new_key(user_id="tom")


async def most(desk: Desk, budget_id: str) -> float:
    found = (await desk.ask("POST", "/budget/info", {"budgets": [budget_id]})).json()
    return float(found[0]["max_budget"])


async def test_a_teams_admin_changes_no_budget_that_others_have_too(desk: Desk) -> None:
    key = await team_admin(desk)
    made = await desk.ask("POST", "/project/new", {"project_id": "p", "team_id": "red", "budget_id": "shared"})
    assert made.json()["budget_id"] == "shared"
    raised = await desk.ask("POST", "/project/update", {"project_id": "p", "max_budget": 9}, key=key)
    assert raised.status == 200, raised.body
    own = raised.json()["budget_id"]
    assert own != "shared" and (await most(desk, own), await most(desk, "shared")) == (9, 3)
    # From then on it is the project's own; an administrator's change of what is shared is one for all, as in LiteLLM.
    again = await desk.ask("POST", "/project/update", {"project_id": "p", "description": "words"}, key=key)
    assert again.json()["budget_id"] == own
    await desk.ask("POST", "/project/update", {"project_id": "p", "budget_id": "shared", "max_budget": 4})
    assert await most(desk, "shared") == 4


async def test_a_teams_admin_changes_the_projects_own_budget_in_its_place(desk: Desk) -> None:
    key = await team_admin(desk)
    made = await desk.ask("POST", "/project/new", {"project_id": "p", "team_id": "red", "max_budget": 2}, key=key)
    changed = await desk.ask("POST", "/project/update", {"project_id": "p", "max_budget": 5}, key=key)
    assert changed.json()["budget_id"] == made.json()["budget_id"]
    assert await most(desk, made.json()["budget_id"]) == 5


KINDS = {"itpm_limit": 900, "otpm_limit": 90}
OF_MODELS = {"model_itpm_limit": {"m": 500}, "model_otpm_limit": {"m": 50}}


async def test_limits_of_input_and_of_output_can_be_said_and_are_shown_of_everybody(desk: Desk) -> None:
    for path, body, said in (
        ("/team/new", {"team_id": "t"}, {**KINDS, **OF_MODELS}),
        ("/user/new", {"user_id": "u", "auto_create_key": False}, KINDS),
        ("/organization/new", {"organization_alias": "o"}, OF_MODELS),
        ("/project/new", {"team_id": "t"}, OF_MODELS),
        ("/key/generate", {}, {**KINDS, **OF_MODELS}),
    ):
        answer = await desk.ask("POST", path, {**body, **said})
        row = answer.json()
        assert {name: row[name] for name in said} == said, (path, answer.body)
    for path, body in (("/budget/new", {}), ("/organization/new", {"organization_alias": "o"})):
        row = (await desk.ask("POST", path, {**body, **KINDS})).json()
        row = row.get("litellm_budget_table", row)
        assert {name: row[name] for name in KINDS} == KINDS


async def test_no_project_has_more_of_a_kind_than_its_team(desk: Desk) -> None:
    await desk.ask("POST", "/team/new", {"team_id": "t", "otpm_limit": 90})
    assert (await desk.ask("POST", "/project/new", {"team_id": "t", "otpm_limit": 91})).status == 400
    assert (await desk.ask("POST", "/project/new", {"team_id": "t", "otpm_limit": 90})).status == 200
