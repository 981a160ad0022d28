"""The headers of an answer, in LiteLLM's names."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.identity import token_of
from pointsman.core.outcome import CallRecord
from pointsman.core.price import PICODOLLARS_PER_DOLLAR, Price, Tier
from pointsman.core.usage import Usage
from pointsman.lifecycle import heads as heads_module
from pointsman.lifecycle.heads import Heads, clean
from pointsman.policies.principal import Principal
from tests.unit.lifecycle.house_script import KEY, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, refusal
from tests.unit.policies.desk import key_record

DEPLOYMENT = {
    "x-litellm-version": "1.2.3",
    "x-litellm-model-id": "dep-1",
    "x-litellm-model-group": "public",
    "x-litellm-model-name": "openai/real",
    "x-pointsman-route": "dep-1;reason=only;attempts=1",
    "x-litellm-attempted-retries": "0",
    "x-litellm-attempted-fallbacks": "0",
    "x-pointsman-attempts": "1",
}


NOTHING_ADDED = {
    "x-litellm-response-cost-discount-amount": "0.0",
    "x-litellm-response-cost-margin-amount": "0.0",
    "x-litellm-response-cost-margin-percent": "0.0",
    "x-litellm-response-cost-tool-usage": "0.0",
    "x-litellm-callback-duration-ms": "0.0",
}
ADDRESS = {"x-litellm-model-api-base": "http://upstream/v1"}
SSE = b"text/event-stream; charset=utf-8"
OPERATOR = Principal(key_record(), admin=True)


def lines(head: bytes) -> dict[str, str]:
    """The header lines, each of which stands there once and is complete."""
    assert head.endswith(b"\r\n")
    found = [line.split(": ", 1) for line in head.decode("latin-1").removesuffix("\r\n").split("\r\n")]
    assert len(dict(found)) == len(found)
    return dict(found)


def whole(heads: Heads, principal: Principal, **changes: object) -> dict[str, str]:
    record = CallRecord("call-1", "acompletion", "/chat/completions", 1.0, cost=25 * 10**6, overhead_ms=1.25)
    made = msgspec.structs.replace(deployment(), **changes)
    return lines(heads.whole(record, made, principal, 1234.5678))


def test_a_whole_answer_tells_what_it_cost_how_long_it_took_and_who_gave_it() -> None:
    principal = Principal(key_record(spend=PICODOLLARS_PER_DOLLAR // 2))
    assert whole(Heads("1.2.3"), principal) == {
        "content-type": "application/json",
        "x-litellm-call-id": "call-1",
        "request-id": "call-1",
        "x-request-id": "call-1",
        "x-litellm-response-cost": "2.5e-05",
        "x-litellm-response-cost-original": "2.5e-05",
        "x-litellm-response-cost-input": "2.5e-05",
        "x-litellm-response-cost-output": "0.0",
        "x-litellm-key-spend": "0.5",
        "x-litellm-response-duration-ms": "1234.568",
        "x-litellm-overhead-duration-ms": "1.250",
        **NOTHING_ADDED,
        **DEPLOYMENT,
    }


def test_a_stream_tells_who_gives_it_and_is_neither_kept_nor_held_back_on_the_way() -> None:
    principal = Principal(key_record(spend=PICODOLLARS_PER_DOLLAR // 2))
    head = Heads("1.2.3").stream("call-1", SSE, deployment(), principal, milliseconds=(12.3456, 1.25))
    assert lines(head) == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
        "x-litellm-call-id": "call-1",
        "request-id": "call-1",
        "x-request-id": "call-1",
        "x-litellm-response-cost-original": "0.0",
        "x-litellm-response-cost-input": "0.0",
        "x-litellm-response-cost-output": "0.0",
        "x-litellm-key-spend": "0.5",
        "x-litellm-response-duration-ms": "12.346",
        "x-litellm-overhead-duration-ms": "1.250",
        **NOTHING_ADDED,
        **DEPLOYMENT,
    }


def test_an_error_tells_who_gave_it_as_far_as_that_was_decided() -> None:
    heads = Heads("1.2.3")
    plain = {
        "content-type": "application/json",
        "x-litellm-call-id": "call-1",
        "request-id": "call-1",
        "x-request-id": "call-1",
    }
    assert lines(heads.error("call-1", None, None, None)) == {**plain, "x-litellm-version": "1.2.3"}
    told = {**plain, **DEPLOYMENT, "x-litellm-timeout": "600.0", "retry-after": "31"}
    assert lines(heads.error("call-1", 31.0, deployment(), None)) == told
    told |= {"x-litellm-response-cost": "0", "x-litellm-key-spend": "0.0"}
    limited = Principal(key_record(rpm_limit=3))
    assert lines(heads.error("call-1", 31.0, deployment(), limited)) == {**told, "x-litellm-key-rpm-limit": "3"}
    assert lines(heads.error("call-1", 31.0, deployment(), OPERATOR)) == {**told, **ADDRESS}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, {}),
        (
            {"rpm_limit": 10},
            {
                "x-litellm-key-rpm-limit": "10",
                "x-ratelimit-limit-requests": "10",
                "x-ratelimit-remaining-requests": "7",
                "x-ratelimit-reset-requests": "60s",
                "x-ratelimit-api_key-limit-requests": "10",
                "x-ratelimit-api_key-remaining-requests": "7",
            },
        ),
        (
            {"max_parallel_requests": 4},
            {
                "x-ratelimit-api_key-limit-max_parallel_requests": "4",
                "x-ratelimit-api_key-remaining-max_parallel_requests": "3",
            },
        ),
        (
            {"tpm_limit": 500},
            {
                "x-litellm-key-tpm-limit": "500",
                "x-ratelimit-limit-tokens": "500",
                "x-ratelimit-remaining-tokens": "380",
                "x-ratelimit-reset-tokens": "60s",
                "x-ratelimit-api_key-limit-tokens": "500",
                "x-ratelimit-api_key-remaining-tokens": "380",
            },
        ),
        (
            {"rpm_limit": 2, "tpm_limit": 100, "max_budget": 3 * PICODOLLARS_PER_DOLLAR},
            {
                "x-litellm-key-tpm-limit": "100",
                "x-litellm-key-rpm-limit": "2",
                "x-litellm-key-max-budget": "3.0",
                "x-ratelimit-limit-requests": "2",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "60s",
                "x-ratelimit-limit-tokens": "100",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "60s",
                "x-ratelimit-api_key-limit-requests": "2",
                "x-ratelimit-api_key-remaining-requests": "0",
                "x-ratelimit-api_key-limit-tokens": "100",
                "x-ratelimit-api_key-remaining-tokens": "0",
            },
        ),
    ],
)
def test_the_limits_of_a_key_are_told_with_what_is_left_of_them(
    limits: dict[str, int], expected: dict[str, str]
) -> None:
    principal = Principal(key_record(**limits))
    principal.requests.add(3, 100)
    principal.tokens.add(120, 100)
    principal.in_flight = 1
    told = whole(Heads("1"), principal)
    assert {name: value for name, value in told.items() if "limit" in name or "budget" in name} == expected
    stream = lines(Heads("1").stream("call-1", SSE, deployment(), principal))
    assert {name: value for name, value in stream.items() if "limit" in name or "budget" in name} == expected


@pytest.mark.parametrize(
    ("price", "usage", "cost", "parts"),
    [
        (Price(1000, 3000), Usage(10, 5), 25, ("1e-11", "1.5e-11")),
        (Price(1000, 3000, cache_read=100), Usage(10, 5, cached=10), 16, ("1e-12", "1.5e-11")),
        (Price(1000, 3000, reasoning=9000), Usage(10, 5, reasoning=2), 37, ("1e-11", "2.7e-11")),
        (Price(1, 3), Usage(10, 5), 1, ("1e-12", "0.0")),
        (Price(1000, 3000), Usage(10, 5), 0, ("0.0", "0.0")),
        (None, Usage(10, 5), 7, ("7e-12", "0.0")),
        (Price(1, 1, tiers=(Tier(8, Price(2000, 4000)),)), Usage(10, 5), 40, ("2e-11", "2e-11")),
    ],
)
def test_the_cost_is_told_in_its_two_parts_too(
    price: Price | None, usage: Usage, cost: int, parts: tuple[str, str]
) -> None:
    record = CallRecord("call-1", "acompletion", "/chat/completions", 1.0, cost=cost, usage=usage)
    told = lines(Heads("1").whole(record, deployment(price=price), OPERATOR, 1.0))
    assert (told["x-litellm-response-cost-input"], told["x-litellm-response-cost-output"]) == parts


@pytest.mark.parametrize(
    ("base", "shown"),
    [
        ("http://here/v1?key=secret", "http://here/v1"),
        ("http://here/v1?a=1?b=secret", "http://here/v1"),
        ("http://user:secret@here/v1", "http://here/v1"),
        ("https://secret@here:8000", "https://here:8000"),
        ("http://here/@odd", "http://here/@odd"),
    ],
)
def test_the_address_of_the_upstream_is_shown_without_what_may_be_secret(base: str, shown: str) -> None:
    assert whole(Heads("1"), OPERATOR, api_base=base)["x-litellm-model-api-base"] == shown


@given(st.text(), st.text(), st.text())
def test_no_name_can_begin_a_line_of_its_own(identity: str, group: str, model: str) -> None:
    told = whole(Heads(model), OPERATOR, id=identity, group=group, litellm_model=model)
    assert len(told) == 25


def test_what_is_no_text_in_a_header_becomes_a_question_mark() -> None:
    assert clean("a\r\nb\x00c\x7fd\te é") == "a??b?c?d?e é"


def test_a_deployment_that_was_changed_is_told_of_as_it_is_now() -> None:
    heads = Heads("1")
    assert whole(heads, OPERATOR)["x-litellm-model-api-base"] == "http://upstream/v1"
    assert whole(heads, OPERATOR, api_base="http://other")["x-litellm-model-api-base"] == "http://other"


def test_ever_new_deployments_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads_module, "_HEADS_MAX", 10)
    heads, principal = Heads("1"), Principal(key_record())
    for number in range(100):
        assert whole(heads, principal, id=f"dep-{number}")["x-litellm-model-id"] == f"dep-{number}"
        assert len(heads._known) <= 10


# -- in the story --------------------------------------------------------------------------------------------


async def test_the_story_tells_cost_and_spend_with_the_call_counted_and_what_is_left_of_the_limits() -> None:
    stage = Stage(record=key_record(KEY, rpm_limit=5, spend=1_000_000))
    await stage.house.keyring.look_up(token_of(KEY))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    inbound = stage.inbound(chat_body(), KEY)
    stage.clock.now += 0.5
    _, client = stage.begin_with(inbound)
    told = lines(client.head)
    assert told["x-litellm-call-id"] == stage.record.call_id
    assert float(told["x-litellm-response-cost"]) == 10 / PICODOLLARS_PER_DOLLAR
    assert float(told["x-litellm-key-spend"]) == 1_000_010 / PICODOLLARS_PER_DOLLAR
    assert (told["x-litellm-response-duration-ms"], told["x-litellm-overhead-duration-ms"]) == ("500.000", "500.000")
    assert told["x-ratelimit-remaining-requests"] == "4"


async def test_a_limit_that_is_reached_says_when_to_come_again() -> None:
    stage = Stage(record=key_record(KEY, rpm_limit=1))
    await stage.house.keyring.look_up(token_of(KEY))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    stage.tell(chat_body(), KEY)
    stage.clock.now += 20
    _, client = stage.tell(chat_body(), KEY)
    told = lines(client.head)
    assert (client.status, told["retry-after"], told["x-pointsman-attempts"]) == (429, "41", "0")
    assert told["x-pointsman-route"] == "dep-1;reason=only;attempts=0"


@pytest.mark.parametrize("stream", [False, True])
def test_the_upstreams_key_is_in_no_header(stream: bool) -> None:
    for act in (GOOD, LAST, refusal("upstream-credential-77")):
        stage = Stage()
        stage.sender.act = lambda flight, act=act: flight.answer(act, 401 if b"error" in act else 200)
        _, client = stage.tell(chat_body(stream=stream))
        assert client.head and b"credential-77" not in client.head + client.body
