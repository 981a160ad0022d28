"""A prompt is never cut silently: the window is opened wide enough, or the request is refused with both numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.configs import ollama_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, OllamaModel, Reply

TOKEN = "word"  # four characters, which is a token for the fake


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOllama]]:
    models = [
        OllamaModel("wide", context_length=32_768),
        OllamaModel("narrow", context_length=4096),
        OllamaModel("capped", context_length=131_072),
    ]
    with FakeOllama(models) as upstream:
        entries = [ollama_entry(model.name, upstream, model.name) for model in models[:2]]
        config = {
            "model_list": [*entries, ollama_entry("capped", upstream, "capped", num_ctx=8192)],
            "pointsman": {"num_ctx_max": 16_384},
        }
        with Gateway.start(config) as gateway:
            yield gateway, upstream


def prompt(tokens: int) -> str:
    return " ".join(["abc"] * tokens)


def windows(upstream: FakeOllama) -> list[int]:
    return [request.json()["options"]["num_ctx"] for request in upstream.inference]


def test_a_long_prompt_opens_a_window_that_holds_it(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    answer = gateway.chat("wide", prompt(6000))
    assert answer.status == 200
    assert windows(upstream)[0] >= 6000
    assert upstream.cut == []
    assert answer.json()["usage"]["prompt_tokens"] == 6000


def test_neighbouring_lengths_share_a_window_and_load_once(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    for tokens in (6000, 5000, 5500, 100, 6000):
        assert gateway.chat("wide", prompt(tokens)).status == 200
    assert len(set(windows(upstream))) == 1
    assert upstream.models["wide:latest"].loads == 1
    assert upstream.cut == []


@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_fit_is_refused_with_both_numbers(house: tuple[Gateway, FakeOllama], stream: bool) -> None:
    gateway, upstream = house
    upstream.forget()
    answer = gateway.chat("narrow", prompt(6000), stream=stream)
    assert answer.status == 400
    assert answer.error["code"] == "context_length_exceeded"
    numbers = [int(number) for number in re.findall(r"\d{3,}", answer.error["message"])]
    assert 4096 in numbers
    assert any(number > 4096 for number in numbers)
    assert upstream.inference == []


def test_the_answer_counts_towards_the_window(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    answer = gateway.chat("narrow", prompt(1000), max_tokens=4000)
    assert answer.status == 400
    assert answer.error["code"] == "context_length_exceeded"
    assert gateway.chat("narrow", prompt(1000), max_tokens=1000).status == 200


def test_the_operators_cap_is_kept(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    assert gateway.chat("wide", prompt(20_000)).status == 400
    assert gateway.chat("capped", prompt(7000)).status == 200
    assert gateway.chat("capped", prompt(12_000)).status == 400
    assert windows(upstream) == [8192]
    assert upstream.cut == []


def test_embeddings_are_not_cut_either(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.pull(OllamaModel("embedder", capabilities=("embedding",), context_length=2048))
    upstream.forget()
    body = {"model": "wide", "input": [prompt(3000)]}
    answer = gateway.http("POST", "/v1/embeddings", body)
    assert answer.status in {200, 400}
    assert upstream.cut == []
    if answer.status == 200:
        assert answer.json()["usage"]["prompt_tokens"] == 3000


def test_a_server_that_cuts_all_the_same_is_told_of_and_counted(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    before = gateway.metric("pointsman_context_truncations_total")
    answer = {"role": "assistant", "content": "What?"}
    cut = {"model": "wide", "message": answer, "done": True, "done_reason": "stop", "prompt_eval_count": 2048}
    upstream.script(Reply.json({**cut, "eval_count": 2}))
    assert gateway.chat("wide", prompt(6000)).status == 200
    assert gateway.metric("pointsman_context_truncations_total") == before + 1
    assert "may have been cut" in gateway.output()
