"""The router's settings of a key or a team: LiteLLM's ``router_settings``, its key's before its team's."""

from __future__ import annotations

from typing import Any

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.upstreams import FakeOpenAI, Reply


def asks(gateway: Gateway, key: str, model: str = "m", **more: Any) -> str:
    """Which upstream answered, or the status of an error."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    answer = gateway.http("POST", "/v1/chat/completions", body, key=key)
    return answer.json()["choices"][0]["message"]["content"] if answer.status == 200 else str(answer.status)


def test_what_keys_and_teams_say_of_their_way(launch: Launch) -> None:
    with FakeOpenAI() as a, FakeOpenAI() as b, FakeOpenAI() as broken:
        a.pieces, b.pieces = ("a",), ("b",)
        broken.always(Reply.error(500, "broken"))
        gateway = launch({
            "model_list": [
                openai_entry("m", broken), openai_entry("a", a), openai_entry("b", b),
                openai_entry("two", a, {"id": "two-a"}, weight=1), openai_entry("two", b, {"id": "two-b"}, weight=0),
                openai_entry("tagged", a, tags=["x"]), openai_entry("tagged", b, tags=["y"]),
            ],
            "router_settings": {"num_retries": 1, "disable_cooldowns": True, "fallbacks": [{"m": ["a"]}]},
        })  # fmt: skip
        team = gateway.http("POST", "/team/new", {"router_settings": {"fallbacks": [{"m": ["b"]}]}}).json()
        assert team["router_settings"] == {"fallbacks": [{"m": ["b"]}]}
        plain, of_team = gateway.new_key(), gateway.new_key(team_id=team["team_id"])
        assert (asks(gateway, plain), asks(gateway, of_team)) == ("a", "b")
        for other in ("a", "b"):
            changed = {"team_id": team["team_id"], "router_settings": {"fallbacks": [{"m": [other]}]}}
            gateway.http("POST", "/team/update", changed)
            assert asks(gateway, of_team) == other, "a change of the team's holds for the next request"

        own = {"num_retries": 0, "enable_tag_filtering": True, "weights": {"two": {"two-b": 1}}}
        key = gateway.new_key(team_id=team["team_id"], router_settings=own)
        before = len(broken.inference)
        assert asks(gateway, key) == "a", "a key's settings stand in place of its team's as a whole"
        assert len(broken.inference) == before + 1
        assert {asks(gateway, key, "two") for _ in range(4)} == {"b"} and asks(gateway, plain, "two") == "a"
        assert [asks(gateway, key, "tagged", tags=["y"]) for _ in range(4)] == ["b"] * 4
        assert asks(gateway, key, fallbacks=["b"]) == "b", "what a request says itself wins"

        narrow = {"fallbacks": [{"m": ["b"]}], "model_group_alias": {"mine": "a", "theirs": "b"}}
        key = gateway.new_key(models=["m", "a", "theirs"], router_settings=narrow)
        assert asks(gateway, key) == "502", "nobody stands in that the key may not use"
        answer = gateway.chat("mine", key=key).json()
        assert (answer["model"], answer["choices"][0]["message"]["content"]) == ("mine", "a")
        assert asks(gateway, key, "theirs") == "403", "an alias leads to nothing that the key may not use"
        told = gateway.http("POST", "/routing/explain", {"model": "mine", "messages": []}, key=key).json()
        assert told["settings"] == ["fallbacks", "model_group_alias"]
        assert {"by": "own_alias", "name": "mine", "to": "a"} in told["resolved"], told


def test_settings_that_cannot_be_meant_are_refused_and_others_named(shared: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = shared
    wrong = gateway.http("POST", "/key/generate", {"router_settings": {"routing_strategy": "fastest"}})
    assert wrong.status == 400 and wrong.json()["error"]["param"] == "router_settings.routing_strategy"
    slip = gateway.http("POST", "/key/generate", {"router_settings": {"fallback": []}})
    assert slip.status == 400 and "fallbacks" in slip.json()["error"]["message"] + str(slip.json())
    made = gateway.http("POST", "/key/generate", {"router_settings": {"cooldown_time": 3, "timeout": 9}})
    assert made.json()["router_settings"] == {"cooldown_time": 3, "timeout": 9}
    assert made.headers["x-pointsman-not-enforced"] == "router_settings.cooldown_time"
