"""On which service tier a call was served is read from its answer, and what it costs depends on it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.price import Price, Tier
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.providers.lanes import LaneBook
from pointsman.providers.service_tiers import ServiceTierLane

PRICE = Price(10, 20, tiers=(Tier(-1, Price(30, 60), "priority"), Tier(-1, Price(5, 10), "flex")))
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
CHAT = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}]}


def deployment(price: Price | None = PRICE) -> Deployment:
    return Deployment(
        id="d", group="g", provider="openai", model="m", litellm_model="openai/m", api_base="http://u", price=price
    )


def ask(operation: Operation = Operation.CHAT, *, stream: bool = False, **fields: Any) -> Ask:
    body = {"model": "g", "messages": [{"role": "user", "content": "hi"}], **fields}
    raws = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in body.items()}
    return Ask(operation=operation, model="g", fields=raws, stream=stream, include_usage=True)


def lane(price: Price | None = PRICE) -> Any:
    return LaneBook({}).lane(Operation.CHAT, deployment(price=price))


@pytest.mark.parametrize(
    ("asked", "told", "charged"),
    [
        (None, "priority", "priority"), ("flex", "default", ""), ("priority", "standard", ""), ("flex", None, "flex"),
        ("auto", None, ""), (None, None, ""), ("priority", "flex", "flex"), ("fast", None, "priority"),
        ("flex", "scale", "flex"), (None, "Priority", "priority"), (["flex"], None, ""), ("flex", 7, "flex"),
    ],
)  # fmt: skip
def test_the_answer_says_what_is_charged_and_the_request_where_it_does_not(asked: Any, told: Any, charged: str) -> None:
    answer = lane().answer(ask(**({} if asked is None else {"service_tier": asked})))
    answer.whole(json.dumps({**CHAT, "usage": USAGE, **({} if told is None else {"service_tier": told})}).encode())
    assert (answer.usage.service, answer.usage.total) == (charged, 10)


def events(*payloads: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in payloads) + b"data: [DONE]\n\n"


def chunk(text: str | None, **more: Any) -> dict[str, Any]:
    delta = [] if text is None else [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": delta, **more}


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_stream_says_it_wherever_it_is_cut(size: int) -> None:
    data = events(
        chunk("hi", service_tier="default"), chunk("", service_tier="default"),
        chunk(None, service_tier="priority", usage=USAGE),
    )  # fmt: skip
    answer = lane().answer(ask(stream=True))
    for start in range(0, len(data), size):
        answer.feed(data[start : start + size])
    answer.cut()
    assert answer.usage.service == "priority"


def test_what_a_model_or_a_client_writes_does_not_count() -> None:
    said = {**CHAT, "usage": USAGE, "service_tier": "priority", "metadata": {"service_tier": "flex"}}
    said["choices"] = [{"message": {"content": '"service_tier":"flex"', "service_tier": "flex"}}]
    answer = lane().answer(ask())
    answer.whole(json.dumps(said).encode())
    assert answer.usage.service == "priority"


@pytest.mark.parametrize(
    ("said", "charged"),
    [
        ({"type": "message_start", "message": {"usage": {"service_tier": "priority"}}}, "priority"),
        ({"type": "response.completed", "response": {"service_tier": "flex", "usage": {}}}, "flex"),
        ({"usageMetadata": {"trafficType": "ON_DEMAND_PRIORITY"}}, "priority"),
        ({"usageMetadata": {"trafficType": "ON_DEMAND"}}, ""),
        ({"usageMetadata": {"trafficType": "FLEX"}}, "flex"),
    ],
)
def test_every_provider_says_it_at_its_own_place(said: Any, charged: str) -> None:
    class Inner:
        prepares = False

        def answer(self, _ask: Ask) -> Any:
            return lane(price=None).answer(ask(stream=True))

    inner: Any = Inner()
    answer: Any = ServiceTierLane(inner).answer(ask(stream=True, service_tier="priority" if charged == "" else "auto"))
    answer._follow(events(said))
    assert answer.usage.service == charged


def test_only_where_the_price_depends_on_it_is_it_looked_for() -> None:
    longer = Price(10, 20, tiers=(Tier(5, Price(30, 60)),))
    for price, around in ((PRICE, True), (longer, False), (None, False)):
        made = LaneBook({}).lane(Operation.MODERATION, deployment(price=price))
        assert isinstance(made, ServiceTierLane) is around
        assert not isinstance(lane(price), ServiceTierLane), "the express lane reads it itself"
        answer = lane(price).answer(ask(service_tier="flex"))
        answer.whole(json.dumps({**CHAT, "usage": USAGE, "service_tier": "priority"}).encode())
        assert answer.usage.service == ("priority" if around else "")


def test_an_answer_without_usage_is_estimated_on_the_tier_that_was_asked_for() -> None:
    answer = lane().answer(ask(service_tier="flex", stream=True))
    answer.feed(events(chunk("hi")))
    answer.cut()
    assert (answer.usage.source, answer.usage.service) == ("estimated", "flex")
