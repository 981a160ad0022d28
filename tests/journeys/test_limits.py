"""Requests per minute, tokens per minute and parallel requests of a key hold exactly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply, faults
from tests.upstreams.openai_shapes import chat_reply, usage

Shared = tuple[Gateway, FakeOpenAI]


def test_requests_per_minute_hold_under_concurrency(shared: Shared) -> None:
    gateway, upstream = shared
    key = gateway.new_key(rpm_limit=7)
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: gateway.chat("fast", key=key), range(30)))
    assert sum(answer.status == 200 for answer in answers) == 7
    refused = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in refused} == {429}
    # A window of whole seconds: what was taken within this second is free again after at most 61.
    assert all(1 <= int(answer.headers["retry-after"]) <= 61 for answer in refused)
    assert {answer.error["code"] for answer in refused} == {"rate_limit_exceeded"}
    assert len(upstream.inference) == 7


def test_what_is_left_is_told_in_the_headers(shared: Shared) -> None:
    gateway, _ = shared
    key = gateway.new_key(rpm_limit=5, tpm_limit=100_000)
    first = gateway.chat("fast", key=key, max_tokens=5).headers
    second = gateway.chat("fast", key=key, max_tokens=5).headers
    assert first["x-ratelimit-limit-requests"] == "5"
    assert first["x-ratelimit-remaining-requests"] == "4"
    assert second["x-ratelimit-remaining-requests"] == "3"
    assert second["x-ratelimit-limit-tokens"] == "100000"
    assert first["x-litellm-key-rpm-limit"] == "5"


def test_tokens_per_minute_hold(shared: Shared) -> None:
    gateway, upstream = shared
    upstream.always(Reply.json(chat_reply("ok", usage(40, 10))))
    key = gateway.new_key(tpm_limit=200)
    statuses = [gateway.chat("fast", key=key, max_tokens=10).status for _ in range(12)]
    good = statuses.count(200)
    # Fifty tokens each: four fill the limit; what is not known beforehand may let one more in.
    assert good in {4, 5}
    assert statuses == [200] * good + [429] * (12 - good)


def test_parallel_requests_hold_and_come_free(shared: Shared) -> None:
    gateway, upstream = shared
    gate = Gate()
    upstream.always(Reply.json(chat_reply("ok", usage(1, 1))).behind(gate))
    key = gateway.new_key(max_parallel_requests=3)
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(gateway.chat, "fast", key=key) for _ in range(20)]
        try:
            eventually(lambda: sum(future.done() for future in futures) == 17, "all but three are turned away")
        finally:
            gate.open()
        answers = [future.result() for future in futures]
    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 17
    upstream.clear()
    assert gateway.chat("fast", key=key).status == 200


def test_every_kind_of_ending_frees_the_slot(shared: Shared) -> None:
    gateway, upstream = shared
    key = gateway.new_key(max_parallel_requests=1)
    for reply in (
        Reply.error(400),
        Reply.error(500),
        faults.garbage(),
        faults.half_event([]),
        faults.reset_in_body({}),
        Reply.json(chat_reply("ok", usage(1, 1))),
    ):
        for stream in (False, True):
            upstream.always(reply)
            gateway.chat("fast", key=key, stream=stream)
            upstream.clear()
            eventually(lambda: gateway.chat("fast", key=key).status == 200, "the slot is free", 2.0)
    for refused in ("nobody-serves-this", ""):
        assert gateway.chat(refused, key=key).status == 400
        assert gateway.chat("fast", key=key).status == 200


def test_a_refused_request_takes_nothing_from_the_limit(shared: Shared) -> None:
    gateway, _ = shared
    key = gateway.new_key(rpm_limit=2, models=["fast"])
    for _ in range(5):
        assert gateway.chat("priced", key=key).status == 403
        assert gateway.chat("nobody-serves-this", key=key).status == 400
    assert [gateway.chat("fast", key=key).status for _ in range(3)] == [200, 200, 429]


def test_the_gateways_own_limit_holds_for_all_keys_together(launch: Launch, upstream: FakeOpenAI) -> None:
    config = {
        "model_list": [openai_entry("fast", upstream)],
        "general_settings": {"global_max_parallel_requests": 2},
    }
    gateway = launch(config)
    gate = Gate()
    upstream.always(Reply.json(chat_reply("ok", usage(1, 1))).behind(gate))
    keys = [gateway.new_key() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(gateway.chat, "fast", key=key) for key in keys]
        try:
            eventually(lambda: sum(future.done() for future in futures) == 4, "all but two are turned away")
        finally:
            gate.open()
    assert sorted(future.result().status for future in futures) == [200, 200, 429, 429, 429, 429]
    assert gateway.http("GET", "/health/liveliness", key="").status == 200
