"""Rules and a request's own demands, as they decide about requests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.config.rule_sections import RoutingRuleSection
from pointsman.core.price import FREE, Price
from pointsman.core.rules import Target
from pointsman.core.upstream import Deployment
from pointsman.lifecycle.house import House
from pointsman.routing.hosts import LoadedModel
from pointsman.routing.queue import Ticket
from pointsman.routing.router import Router
from pointsman.routing.rules import Rulebook
from pointsman.routing.settings import FallbackLists, RoutingSettings
from pointsman.routing.table import RoutingTable
from tests.unit.lifecycle.house_script import ScriptedClient, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, refusal

DOLLAR_A_MILLION = Price(1_000_000_000, 1_000_000_000)
HOME = deployment(
    id="home",
    group="chat",
    provider="hosted_vllm",
    local=True,
    api_base="http://den:8000/v1",
    price=FREE,
    charges=False,
)
CLOUD = deployment(id="cloud", group="cloud", price=DOLLAR_A_MILLION)


def ruled(machines: tuple[Deployment, ...], *rules: dict[str, Any], **settings: Any) -> Stage:
    sections = [{"name": f"r{index}", **rule} for index, rule in enumerate(rules)]
    rulebook = Rulebook(msgspec.convert(sections, list[RoutingRuleSection]))
    stage = Stage(*machines)
    settings = {"num_retries": 0, **settings}
    stage.house.router = Router(
        RoutingTable(machines), RoutingSettings(rulebook=rulebook, **settings), draw=lambda: 0.0
    )
    stage.sender.act = lambda flight: flight.answer(GOOD)
    return stage


def told(client: ScriptedClient) -> str:
    (line,) = [line for line in client.head.decode().split("\r\n") if line.startswith("x-pointsman-route: ")]
    return line.removeprefix("x-pointsman-route: ")


def keep_busy(house: House, requests: int) -> None:
    """Let so many requests be at the local host, of which one can be worked on."""
    fleet, now = house.router.fleet, house.clock.monotonic()
    host = fleet.at(HOME.api_base)
    fleet.queue_of(host)
    fleet.resize(host, 1, now)
    for _ in range(requests):
        fleet.queue_of(host).enter(Ticket("real", "chat", "somebody", now), now)


def test_the_cloud_helps_out_where_the_local_host_would_have_to_be_waited_for() -> None:
    stage = ruled((HOME, CLOUD), {"then": {"overflow": {"to": "cloud", "wait_seconds": 5}}})
    assert told(stage.tell(chat_body(model="chat"))[1]) == "home;reason=only;attempts=1;rules=r0"
    stage.house.router.lives.of(HOME).latency = 4.0
    keep_busy(stage.house, 2)  # one is worked on and one waits: two answers until it is one's turn
    _, client = stage.tell(chat_body(model="chat"))
    assert told(client) == "cloud;reason=only;attempts=1;rules=r0,r0:overflow"


def test_the_cloud_helps_out_where_the_local_host_is_away() -> None:
    stage = ruled((HOME, CLOUD), {"then": {"overflow": {"to": "cloud", "wait_seconds": 5}}})
    stage.house.router.fleet.at(HOME.api_base).online = False
    assert told(stage.tell(chat_body(model="chat"))[1]).startswith("cloud;")


def test_a_model_that_has_to_be_loaded_is_waited_for_or_not() -> None:
    stage = ruled((HOME, CLOUD), {"then": {"overflow": {"to": "cloud", "wait_seconds": 5}}})
    host = stage.house.router.fleet.at(HOME.api_base)
    host.kind = "ollama"
    assert told(stage.tell(chat_body(model="chat"))[1]).startswith("cloud;"), "six gigabytes are assumed"
    host.loaded = {"real": LoadedModel("real")}
    assert told(stage.tell(chat_body(model="chat"))[1]).startswith("home;")


def test_local_deployments_of_a_model_are_preferred_up_to_a_wait() -> None:
    pair = (HOME, msgspec.structs.replace(CLOUD, group="chat"))
    stage = ruled(pair, {"then": {"prefer": "local", "overflow": {"wait_seconds": 5}}})
    assert told(stage.tell(chat_body(model="chat"))[1]) == "home;reason=only;attempts=1;rules=r0"
    stage.house.router.lives.of(HOME).latency = 4.0
    keep_busy(stage.house, 2)
    assert told(stage.tell(chat_body(model="chat"))[1]).startswith("cloud;")


def test_what_only_some_may_serve_no_fallback_serves_elsewhere() -> None:
    tagged = msgspec.structs.replace(HOME, tags=("eu",))
    stage = ruled(
        (tagged, CLOUD), {"then": {"only": {"tags": ["eu"]}}}, fallbacks=FallbackLists(default=(Target("cloud"),))
    )

    def fails(flight: ScriptedFlight) -> None:
        flight.answer(refusal("no"), 500)

    stage.sender.act = fails
    _, client = stage.tell(chat_body(model="chat"))
    assert client.status >= 500 and [one.id for one, _, _ in stage.sender.sent] == ["home"]
    _, client = stage.tell(chat_body(model="cloud"))
    assert client.status == 403 and b"(r0)" in client.body and len(stage.sender.sent) == 1


@pytest.mark.parametrize(("limit", "chosen"), [(50, "dear"), (5_000, "cheap")])
def test_the_cost_is_estimated_before_anybody_is_chosen(limit: int, chosen: str) -> None:
    dear = deployment(id="dear", group="chat", price=Price(10**10, 10**10), order=1)
    cheap = deployment(id="cheap", group="chat", price=DOLLAR_A_MILLION, order=2)
    unknown = deployment(id="unknown", group="chat", price=None, order=1)
    stage = ruled((dear, cheap, unknown), {"then": {"max_cost": 0.02}})
    stage.tell(chat_body(model="chat", max_tokens=limit))
    assert stage.sender.sent[-1][0].id == chosen
    trace = stage.record.trace
    assert trace is not None and trace.rules == ("r0",)
    assert ("unknown", "price unknown") in [(one.deployment, one.reason) for one in trace.dropped]


def test_who_is_too_slow_is_left_out_while_there_is_another() -> None:
    pair = (deployment(id="slow", group="chat"), deployment(id="quick", group="chat"))
    stage = ruled(pair, {"then": {"max_latency_ms": 1000}})
    lives = stage.house.router.lives
    lives.of(pair[0]).latency, lives.of(pair[1]).latency = 3.0, 0.5
    stage.tell(chat_body(model="chat"))
    assert stage.sender.sent[-1][0].id == "quick"
    lives.of(pair[1]).latency = 5.0
    stage.tell(chat_body(model="chat"))
    assert stage.sender.sent[-1][0].id == "slow", "nobody is quick, so the quickest"


def test_a_rule_may_choose_another_strategy() -> None:
    trio = tuple(deployment(id=f"dep-{index}", group="chat") for index in range(3))
    stage = ruled(trio, {"then": {"strategy": "round-robin"}})
    for _ in range(6):
        stage.tell(chat_body(model="chat"))
    assert sorted(one.id for one, _, _ in stage.sender.sent) == sorted(2 * [one.id for one in trio])


def test_without_a_rule_that_matches_nothing_is_kept() -> None:
    stage = ruled((HOME, CLOUD), {"when": {"model": ["other"]}, "then": {"model": "cloud"}})
    _, client = stage.tell(chat_body(model="chat"))
    assert told(client) == "home;reason=only;attempts=1" and stage.record.trace is None
