"""The report about traffic: every rule and bulkhead of the configuration, with what it has done."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.admin.traffic import TrafficReply
from pointsman.config.traffic_sections import Bulkhead, Canary, Hedge, Mirror, TrafficRule, Variant
from pointsman.core.outcome import CallRecord
from pointsman.core.price import picodollars
from pointsman.core.usage import Usage
from pointsman.lifecycle.bulkheads import BulkheadCounts
from pointsman.lifecycle.tally import Tally
from pointsman.lifecycle.traffic import TrafficCounts, TrafficState
from pointsman.lifecycle.ways import RuleCounts
from tests.unit.admin.office_desk import Desk

RULES = (
    TrafficRule(
        model="chat", canary=Canary(percent=20, model="next"), mirror=Mirror(model="shadow"), hedge=Hedge(),
    ),
    TrafficRule(
        model="other",
        coalesce_embeddings=True,
        variants=(Variant(name="a", weight=3), Variant(name="b", tag="new")),
    ),
)  # fmt: skip


def state() -> TrafficState:
    canary = Tally()
    for number in range(8):
        record = CallRecord("c", "o", "/r", 1.0, 1.5, 1.2, usage=Usage(3, 4), cost=picodollars(0.5))
        canary.add(record, rescued=number == 0)
    canary.add(CallRecord("c", "o", "/r", 1.0, 1.5, status="failure"))
    canary.add(CallRecord("c", "o", "/r", 1.0, 1.5, status="cancelled"))
    counts = RuleCounts(arms={"canary": canary}, left_out=2, asked=10, second=1, won=1)
    bulkheads = {"openai": Bulkhead(max_in_flight=5), "groq": Bulkhead(max_in_flight=7)}
    return TrafficState(RULES, bulkheads, TrafficCounts({"chat": counts}, {"openai": BulkheadCounts(4, 0, 9)}))


async def report(query: str = "") -> TrafficReply:
    answer = await Desk(traffic=state).ask("GET", f"/traffic{query}")
    assert answer.status == 200
    return msgspec.json.decode(answer.body, type=TrafficReply)


async def test_arms_are_shown_with_their_share_and_calls() -> None:
    chat, other = (await report()).models
    stable, canary = chat.variants
    assert (stable.name, stable.served_by, stable.share, stable.calls.calls) == ("stable", "the rest", 0.8, 0)
    assert stable.calls.latency_ms_p50 is None and stable.calls.error_rate == 0
    assert (canary.name, canary.served_by, canary.share) == ("canary", "model next", 0.2)
    calls = canary.calls
    assert (calls.calls, calls.errors, calls.cancelled, calls.rescued, calls.error_rate) == (10, 1, 1, 1, 0.2)
    assert calls.latency_ms_p95 == pytest.approx(500, rel=0.15) and calls.latency_ms_mean == pytest.approx(500)
    assert calls.first_byte_ms_p50 == pytest.approx(200, rel=0.15)
    assert (calls.prompt_tokens, calls.completion_tokens, calls.spend) == (24, 32, 4.0)
    assert [(arm.name, arm.served_by, arm.share) for arm in other.variants] == [
        ("a", "the rest", 0.75),
        ("b", "tag new", 0.25),
    ]


async def test_the_other_rules_are_shown_where_there_are_any() -> None:
    chat, other = (await report()).models
    assert chat.mirror is not None and (chat.mirror.model, chat.mirror.left_out) == ("shadow", 2)
    assert chat.hedge is not None and (chat.hedge.asked, chat.hedge.second, chat.hedge.won) == (10, 1, 1)
    assert chat.coalescing is None and other.mirror is None and other.hedge is None
    assert other.coalescing is not None and other.coalescing.sent == 0


async def test_bulkheads_are_shown_used_or_not() -> None:
    openai, groq = (await report()).bulkheads
    assert (openai.name, openai.max_in_flight, openai.in_flight, openai.refused) == ("openai", 5, 4, 9)
    assert (groq.name, groq.in_flight, groq.refused) == ("groq", 0, 0)


async def test_one_model_may_be_asked_for() -> None:
    reply = await report("?model=other")
    assert [one.model for one in reply.models] == ["other"] and reply.bulkheads == ()


async def test_without_rules_there_is_nothing_and_only_the_operator_is_told() -> None:
    desk = Desk()
    assert (await desk.ask("GET", "/traffic")).json() == {"models": [], "bulkheads": []}
    assert (await desk.ask("GET", "/traffic", key=await desk.new_key())).status == 403
