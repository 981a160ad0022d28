from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin.models.counting import TokenCountReply
from pointsman.admin.models.description import Described, address_without_secrets, described
from pointsman.admin.models.info import ModelGroupReply, ModelInfoReply
from pointsman.admin.models.listing import ModelList
from pointsman.catalog.models import ModelFacts
from pointsman.routing.table import Pattern, RoutingTable
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.records import Team
from tests.unit.admin.office_desk import CANARY, Desk, deployment, found_host


async def ids(desk: Desk, key: str | None = None, **query: Any) -> list[str]:
    given = {} if key is None else {"key": key}
    answer = await desk.ask("GET", "/v1/models", **given, **query)  # type: ignore[arg-type]
    return [card.id for card in msgspec.json.decode(answer.body, type=ModelList).data]


async def test_what_the_operator_tells_of_a_model_is_shown_and_never_in_place_of_what_is_known() -> None:
    told = {"team": msgspec.Raw(b'{"lead":"ada"}'), "base_model": msgspec.Raw(b'"gpt-4o"'), "id": msgspec.Raw(b'"x"')}
    desk = Desk(table=lambda: RoutingTable([deployment(told=told)]))
    (row,) = (await desk.ask("GET", "/model/info")).json()["data"]
    assert (row["model_info"]["team"], row["model_info"]["base_model"]) == ({"lead": "ada"}, "gpt-4o")
    assert row["model_info"]["id"] == "id-llama3"


async def test_the_operator_sees_every_name_that_is_not_hidden(desk: Desk) -> None:
    assert await ids(desk) == ["llama3", "embedder", "vip", "gpt-4"]
    assert await ids(desk, return_wildcard_routes="true") == ["llama3", "embedder", "vip", "gpt-4", "openai/*"]
    willing = Desk(list_wildcards=True)
    assert "openai/*" in await ids(willing)
    assert "openai/*" not in await ids(willing, return_wildcard_routes="false")


async def test_a_card_is_openais_with_litellms_additions(desk: Desk) -> None:
    cards = (await desk.ask("GET", "/models")).json()["data"]
    assert cards[0] == {
        "id": "llama3", "object": "model", "created": 1677610602, "owned_by": "openai", "mode": "chat",
        "max_input_tokens": 4096, "max_output_tokens": 512,
    }  # fmt: skip
    assert cards[1]["mode"] == "embedding"


@pytest.mark.parametrize(
    ("models", "seen"),
    [
        ([], ["llama3", "embedder", "vip", "gpt-4"]),
        (["llama3"], ["llama3", "gpt-4"]),
        (["gpt-4"], ["gpt-4"]),
        (["beta"], ["vip"]),
        (["l*"], ["llama3", "gpt-4"]),
        (["openai/gpt-4o", "embedder"], ["embedder", "openai/gpt-4o"]),
        (["no-default-models"], []),
        (["nothing-here"], []),
    ],
)
async def test_a_key_sees_what_it_may_use(desk: Desk, models: list[str], seen: list[str]) -> None:
    assert await ids(desk, await desk.new_key(models=models)) == seen


async def test_a_key_sees_its_own_aliases(desk: Desk) -> None:
    key = await desk.new_key(models=["embedder", "mine"], aliases={"mine": "embedder", "lost": "nowhere"})
    assert await ids(desk, key) == ["embedder", "mine"]


FURTHER = {"llama3:latest": "llama3", "ollama/llama3": "llama3", "ollama/llama3:latest": "llama3"}


@pytest.mark.parametrize(
    ("models", "listed"),
    [
        ([], ["llama3"]),
        (["llama3*"], ["llama3"]),
        (["ollama/*"], ["ollama/llama3"]),
        (["ollama/llama3:latest"], ["ollama/llama3:latest"]),
        (["gpt*"], []),
    ],
)
async def test_a_found_model_is_listed_once_and_answers_to_all_its_names(models: list[str], listed: list[str]) -> None:
    desk = Desk(table=lambda: RoutingTable([deployment()], unlisted=FURTHER))
    key = await desk.new_key(models=models)
    assert await ids(desk, key) == listed
    for name in ("llama3", *FURTHER) if not models else listed:
        assert (await desk.ask("GET", f"/v1/models/{name}", key=key)).json()["id"] == name


@pytest.mark.parametrize("path", ["/v1/models/", "/models/"])
@pytest.mark.parametrize("name", ["llama3", "gpt-4", "hidden", "openai/gpt-4o"])
async def test_one_model_by_its_name(desk: Desk, path: str, name: str) -> None:
    answer = await desk.ask("GET", path + name)
    assert (answer.status, answer.json()["id"]) == (200, name)


@pytest.mark.parametrize("name", ["nope", "vip", "openai/", "a/b/c", "ll\u00e4ma"])
async def test_a_model_that_is_not_there_or_not_yours_is_404_alike(desk: Desk, name: str) -> None:
    answer = await desk.ask("GET", f"/v1/models/{name}", key=await desk.new_key(models=["llama3"]))
    assert (answer.status, answer.error.code, answer.error.param) == (404, "model_not_found", "model")
    assert answer.error.message.startswith(f"The model '{name}' does not exist or you do not have access to it.")


async def test_info_describes_each_deployment(desk: Desk) -> None:
    answer = await desk.ask("GET", "/model/info")
    rows = msgspec.json.decode(answer.body, type=ModelInfoReply).data
    assert [row.model_info.id for row in rows] == ["id-llama3", "id-llama3-b", "id-embedder", "id-vip"]
    assert rows[0].litellm_params.api_base == "http://10.0.0.7:11434"
    second = answer.json()["data"][1]["model_info"]
    assert (second["input_cost_per_token"], second["output_cost_per_token"]) == (1e-9, 2e-9)
    assert (second["max_input_tokens"], second["max_output_tokens"]) == (4096, 512)
    assert second["supports_function_calling"] is True and second["supports_vision"] is False
    one = await desk.ask("GET", "/v1/model/info?litellm_model_id=id-vip")
    assert [row["model_name"] for row in one.json()["data"]] == ["vip"]
    assert (await desk.ask("GET", "/model/info?litellm_model_id=x")).status == 404


async def test_a_key_is_not_told_where_models_run(desk: Desk) -> None:
    desk.hosts = (found_host("http://10.0.0.7:11434", online=False, problem="10.0.0.7 refused"),)
    key = await desk.new_key(models=["llama3"])
    for path in ("/model/info", "/model_group/info", "/health", "/v1/models"):
        answer = await desk.ask("GET", path, key=key)
        assert answer.status == 200
        assert b"10.0.0" not in answer.body and b"vip" not in answer.body


@pytest.mark.parametrize(
    "path", ["/model/info", "/model_group/info", "/health", "/v1/models", "/openapi.json", "/routes"]
)
async def test_no_secret_is_shown_even_to_the_operator(desk: Desk, path: str) -> None:
    desk.hosts = (found_host(f"http://u:{CANARY}@10.0.0.7:11434", online=True),)
    answer = await desk.ask("GET", path)
    assert answer.status == 200
    assert CANARY.encode() not in answer.body


async def test_a_group_is_what_all_its_deployments_can_do(desk: Desk) -> None:
    answer = await desk.ask("GET", "/model_group/info?model_group=llama3")
    (group,) = msgspec.json.decode(answer.body, type=ModelGroupReply).data
    assert (group.providers, group.max_input_tokens, group.input_cost_per_token) == (("ollama",), 4096, 1e-9)
    assert group.health_status is None
    assert answer.json()["data"][0]["supports_function_calling"] is True


def described_as(**changes: Any) -> Described:
    row = ModelFacts(
        key="m", source="", mode="completion", context_tokens=8192, output_tokens_max=8192,
        capabilities=frozenset({"tools", "vision"}),
    )  # fmt: skip
    return described(deployment(**changes), lambda _deployment: row)


def test_what_a_server_says_of_its_model_wins_over_the_catalogue() -> None:
    found = described_as(discovered=True, context_tokens=32768, capabilities=frozenset({"tools"}))
    assert found == Described("chat", 32768, None, frozenset({"tools"}))
    found = described_as(discovered=True, context_tokens=32768, capabilities=frozenset())
    assert found.capabilities == frozenset()


def test_of_a_server_that_says_little_the_catalogue_tells_the_rest() -> None:
    found = described_as(discovered=True, context_tokens=None, capabilities=frozenset())
    assert found == Described("chat", 8192, 8192, frozenset({"tools", "vision"}))


def test_what_the_operator_says_a_model_is_for_stays() -> None:
    assert described_as(mode="chat").mode == "chat"
    assert described_as(mode="embedding").mode == "embedding"


@pytest.mark.parametrize(
    "address",
    [
        "http://u:p@h:1/v1?key=x#y", "http://h:1/v1", "http://[::1]:8/v1", "https://h/v1", "", "http://h:99999", "nonsense",  # noqa: E501
    ],
)  # fmt: skip
def test_an_address_is_shown_without_what_may_be_secret(address: str) -> None:
    shown = address_without_secrets(address)
    assert not set("@?#") & set(shown)
    assert shown in {"http://h:1/v1", "http://[::1]:8/v1", "https://h/v1", ""}


@pytest.mark.parametrize("content", [{"prompt": "four"}, {"messages": [{"role": "user", "content": "hello"}]}])
async def test_tokens_are_estimated_and_it_is_said(desk: Desk, content: dict[str, Any]) -> None:
    answer = await desk.ask("POST", "/utils/token_counter", {"model": "gpt-4", **content})
    reply = msgspec.json.decode(answer.body, type=TokenCountReply)
    assert reply.total_tokens > 0
    assert (reply.request_model, reply.model_used, reply.tokenizer_type) == ("gpt-4", "ollama_chat/llama3", "estimate")


async def test_tokens_of_nothing_cannot_be_counted(desk: Desk) -> None:
    assert (await desk.ask("POST", "/utils/token_counter", {"model": "gpt-4"})).status == 400
    assert (await desk.ask("POST", "/utils/token_counter", {"model": "nope", "prompt": "x"})).status == 404
    assert (await desk.ask("POST", "/utils/token_counter", {"prompt": "x"})).error.param == "model"


async def test_deployments_are_listed_a_page_at_a_time() -> None:
    desk = Desk(wildcards=lambda: (deployment("openai/*"),))

    async def page(**query: Any) -> Any:
        return (await desk.ask("GET", "/v2/model/info", **query)).json()

    everything = await page()
    names = [row["model_name"] for row in everything["data"]]
    assert everything["total_count"] == len(names) and everything["total_pages"] == everything["current_page"] == 1
    assert "openai/*" in names and everything["size"] == 50
    first = await page(size=2, sortBy="model_name", sortOrder="desc")
    assert [row["model_name"] for row in first["data"]] == sorted(names, reverse=True)[:2]
    assert (first["total_count"], first["total_pages"]) == (len(names), -(-len(names) // 2))
    assert {row["model_name"] for row in (await page(search="LLAMA"))["data"]} == {"llama3"}
    assert [row["model_name"] for row in (await page(wildcard_only="true"))["data"]] == ["openai/*"]
    assert [row["model_name"] for row in (await page(modelId="id-vip"))["data"]] == ["vip"]
    assert (await page(model="none")) == {**everything, "data": [], "total_count": 0, "total_pages": 0}
    assert (await page(blocked="true"))["data"] == [] and len((await page(sortBy="costs"))["data"]) == len(names)
    answer = await desk.ask("GET", "/v2/model/info?user_models_only=true")
    assert answer.status == 400 and answer.error.param == "user_models_only"


async def test_lists_are_narrowed_to_what_a_team_may_use(desk: Desk) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="red", models=("vip", "embedder")))
    await desk.directory.insert(TEAMS, Team(team_id="all"))
    for path, param, name in (
        ("/v2/model/info", "teamId", "model_name"), ("/model/info", "teamId", "model_name"),
        ("/v1/models", "team_id", "id"),
    ):  # fmt: skip
        rows = (await desk.ask("GET", f"{path}?{param}=red")).json()["data"]
        assert {row[name] for row in rows} == {"vip", "embedder"}
        whole = (await desk.ask("GET", f"{path}?{param}=all")).json()["data"]
        assert whole == (await desk.ask("GET", path)).json()["data"]
        unknown = await desk.ask("GET", f"{path}?{param}=none")
        assert (unknown.status, unknown.error.param) == (404, param)
        key = await desk.new_key()
        told = [await desk.ask("GET", f"{path}?{param}={team}", key=key) for team in ("red", "none")]
        assert [one.status for one in told] == [403, 403]
    assert (await desk.ask("GET", "/model/info?healthy_only=true&include_team_models=true")).status == 200


async def test_groups_of_models_are_listed_beside_the_models_or_alone(desk: Desk) -> None:
    plain = [one["id"] for one in (await desk.ask("GET", "/v1/models")).json()["data"]]
    both = [one["id"] for one in (await desk.ask("GET", "/v1/models?include_model_access_groups=true")).json()["data"]]
    alone = [one["id"] for one in (await desk.ask("GET", "/v1/models?only_model_access_groups=true")).json()["data"]]
    assert (both, alone) == ([*plain, "beta"], ["beta"])


async def test_a_page_has_what_the_key_may_use(desk: Desk) -> None:
    key = await desk.new_key(models=["llama3"])
    told = (await desk.ask("GET", "/v2/model/info", key=key)).json()
    assert {row["model_name"] for row in told["data"]} == {"llama3"} and told["total_count"] == 2
    assert "api_base" not in told["data"][0]["litellm_params"]


async def test_what_a_model_can_be_told_is_in_its_description() -> None:
    desk = Desk()
    for path in ("/model/info", "/v2/model/info"):
        for row in (await desk.ask("GET", path)).json()["data"]:
            info = row["model_info"]
            assert "tools" in info["supported_openai_params"] or info["mode"] == "embedding", row
    for row in (await desk.ask("GET", "/model_group/info")).json()["data"]:
        assert isinstance(row["supported_openai_params"], list)


async def test_what_wildcards_are_known_to_stand_for_is_described_for_those_who_may_use_it() -> None:
    def expand(name: str, _stars: tuple[str, ...]) -> Any:
        return deployment(name, provider="openai")

    table = RoutingTable([deployment()], patterns=[Pattern("openai/*", expand, lambda: ("openai/a", "openai/b"))])
    desk = Desk(table=lambda: table)

    async def shown(key: str | None = None) -> list[str]:
        given = {} if key is None else {"key": key}
        rows = (await desk.ask("GET", "/model/info", **given)).json()["data"]  # type: ignore[arg-type]
        return [row["model_name"] for row in rows]

    assert await shown() == ["llama3", "openai/a", "openai/b"]
    assert await shown(await desk.new_key(models=["openai/b"])) == ["openai/b"]
