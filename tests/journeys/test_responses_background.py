"""Responses that are worked on after the client has left: polled, followed, cancelled, and lost with the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.configs import ONE_ATTEMPT, ollama_entry, openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Reply, faults
from tests.upstreams import Gate as Barrier
from tests.upstreams.openai_shapes import chat_chunks

MODELS = ["local", "cloud"]


class House:
    """A gateway before an Ollama (model ``local``) and an OpenAI-compatible server (model ``cloud``)."""

    def __init__(self, gateway: Gateway, ollama: FakeOllama, upstream: FakeOpenAI) -> None:
        self.gateway = gateway
        self.ollama = ollama
        self.upstream = upstream
        self.sdk = gateway.openai()

    def begin(self, **fields: Any) -> Any:
        return self.sdk.responses.create(background=True, **{"model": "cloud", "input": "one", **fields})

    def finished(self, response_id: str) -> Any:
        def is_finished() -> bool:
            return self.sdk.responses.retrieve(response_id).status not in {"queued", "in_progress"}

        eventually(is_finished, f"{response_id} is finished")
        return self.sdk.responses.retrieve(response_id)


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as ollama, FakeOpenAI() as upstream:
        entries = [ollama_entry("local", ollama, "llama3.1:8b"), openai_entry("cloud", upstream)]
        with Gateway.start({**ONE_ATTEMPT, "model_list": entries}) as gateway:
            yield House(gateway, ollama, upstream)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    for far in (running.ollama, running.upstream):
        far.clear()
        far.forget()


@pytest.mark.parametrize("model", MODELS)
def test_it_is_there_at_once_and_can_be_polled(house: House, model: str) -> None:
    begun = house.begin(model=model, instructions="be brief")
    assert (begun.status, begun.background, begun.output) == ("queued", True, [])
    done = house.finished(begun.id)
    assert (done.status, done.background, done.model) == ("completed", True, model)
    assert done.output_text and done.usage.output_tokens > 0
    after = house.sdk.responses.create(model=model, input="two", previous_response_id=begun.id)
    assert after.status == "completed"


def test_the_work_goes_on_while_nobody_is_there(house: House) -> None:
    house.upstream.script(faults.stall_in_stream(chat_chunks(("Blue", " sky"), None)[:2]))
    begun = house.begin()
    taken = house.upstream.wait_for(1, "/v1/chat/completions")[0]
    assert house.sdk.responses.retrieve(begun.id).status == "in_progress"
    with pytest.raises(openai.BadRequestError) as refused:
        house.sdk.responses.create(model="cloud", input="x", previous_response_id=begun.id)
    assert refused.value.code == "previous_response_not_complete"
    cancelled = house.sdk.responses.cancel(begun.id)
    assert cancelled.status == "cancelled"
    taken.wait_closed(2.0)
    assert taken.aborted, "the upstream is told"
    assert house.sdk.responses.cancel(begun.id).status == "cancelled"
    assert house.sdk.responses.retrieve(begun.id).status == "cancelled"


def test_deleting_ends_the_work(house: House) -> None:
    house.upstream.script(faults.stall_before_head())
    begun = house.begin()
    taken = house.upstream.wait_for(1, "/v1/chat/completions")[0]
    house.sdk.responses.delete(begun.id)
    taken.wait_closed(2.0)
    with pytest.raises(openai.NotFoundError):
        house.sdk.responses.retrieve(begun.id)


def test_only_work_in_the_background_can_be_cancelled_or_streamed_again(house: House) -> None:
    made = house.sdk.responses.create(model="local", input="one")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        house.sdk.responses.cancel(made.id)
    with pytest.raises(openai.BadRequestError, match="in the background"):
        list(house.sdk.responses.retrieve(made.id, stream=True))
    done = house.finished(house.begin().id)
    assert house.sdk.responses.cancel(done.id).status == "completed"


def test_what_the_upstream_refuses_is_a_failed_response(house: House) -> None:
    house.upstream.script(Reply.error(429, "slow down"))
    done = house.finished(house.begin().id)
    assert done.status == "failed" and done.error.code == "rate_limit_exceeded"
    assert "slow down" in done.error.message


def test_who_is_not_let_in_hears_it_at_once(house: House) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        house.begin(model="nobody")
    assert refused.value.code == "model_not_found"
    stranger = house.gateway.openai("sk-stranger")
    with pytest.raises(openai.AuthenticationError):
        stranger.responses.create(model="cloud", input="x", background=True)
    with pytest.raises(openai.NotFoundError):
        house.begin(previous_response_id="resp_x")
    with pytest.raises(openai.BadRequestError, match="background needs store"):
        house.begin(store=False)
    with pytest.raises(openai.BadRequestError):
        house.begin(input=[{"type": "function_call_output", "call_id": "", "output": "x"}])


def test_it_counts_against_the_keys_limits_and_leaves_one_record(house: House) -> None:
    key = house.gateway.new_key(max_parallel_requests=1)
    sdk = house.gateway.openai(key)
    house.upstream.script(faults.stall_before_head())
    begun = sdk.responses.create(model="cloud", input="x", background=True)
    house.upstream.wait_for(1, "/v1/chat/completions")
    with pytest.raises(openai.RateLimitError):
        sdk.responses.create(model="cloud", input="x", background=True)
    sdk.responses.cancel(begun.id)
    rows = house.gateway.settled_ledger(2, key)
    assert [(row["call_type"], row["status"]) for row in rows] == [("aresponses", "failure")] * 2
    done = sdk.responses.create(model="cloud", input="x", background=True)
    eventually(lambda: sdk.responses.retrieve(done.id).status == "completed", "it is done")
    assert len(house.gateway.settled_ledger(3, key)) == 3


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_can_be_left_and_taken_up_again(house: House, model: str) -> None:
    stream = house.begin(model=model, stream=True)
    first = next(iter(stream))
    assert first.type == "response.created" and first.response.background is True
    stream.close()
    rest = list(house.sdk.responses.retrieve(first.response.id, stream=True, starting_after=first.sequence_number))
    assert [event.sequence_number for event in rest] == list(range(1, len(rest) + 1))
    assert rest[-1].type == "response.completed"
    whole = list(house.sdk.responses.retrieve(first.response.id, stream=True))
    assert whole == [first, *rest]
    found = house.sdk.responses.retrieve(first.response.id)
    assert rest[-1].response.output_text == found.output_text != ""


def test_a_stream_of_what_failed_before_it_began_tells_of_that(house: House) -> None:
    house.upstream.script(Reply.error(500, "no"))
    events = list(house.begin(stream=True))
    assert [event.type for event in events] == ["response.created", "response.in_progress", "response.failed"]


def test_a_conversation_gets_what_was_made_in_the_background(house: House) -> None:
    talk = house.sdk.conversations.create()
    house.finished(house.begin(conversation=talk.id).id)
    items: list[Any] = list(house.sdk.conversations.items.list(talk.id, order="asc"))
    assert [item.role for item in items] == ["user", "assistant"]


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_what_a_restart_interrupts_has_failed(launch: Launch, upstream: FakeOpenAI, way: str) -> None:
    config = {"model_list": [openai_entry("cloud", upstream)], "pointsman": {"shutdown_grace_seconds": 0.2}}
    gateway = launch(config)
    upstream.script(faults.stall_before_head())
    begun = gateway.openai().responses.create(model="cloud", input="x", background=True)
    upstream.wait_for(1, "/v1/chat/completions")
    assert gateway.openai().responses.retrieve(begun.id).status == "in_progress"
    if way == "stop":
        assert gateway.stop() == 0
    else:
        gateway.kill()
    gateway.launch()
    found = gateway.openai().responses.retrieve(begun.id)
    assert found.status == "failed" and found.error is not None and found.error.code == "server_error"


def test_a_shutdown_waits_for_what_goes_on_in_the_background(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("cloud", upstream)]})
    barrier = Barrier()
    upstream.script(Reply.stream(chat_chunks(("Blue",), None)).behind(barrier))
    begun = gateway.openai().responses.create(model="cloud", input="x", background=True)
    upstream.wait_for(1, "/v1/chat/completions")
    gateway.terminate()
    eventually(lambda: gateway.http("GET", "/health/readiness").status == 503, "it drains")
    barrier.open()
    assert gateway.wait() == 0
    gateway.launch()
    assert gateway.openai().responses.retrieve(begun.id).status == "completed"


def test_where_nothing_is_stored_it_is_refused_by_its_name(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("cloud", upstream)], "pointsman": {"response_retention_days": 0}})
    sdk = gateway.openai()
    made = sdk.responses.create(model="cloud", input="x")
    assert made.model_dump()["store"] is False
    with pytest.raises(openai.BadRequestError, match="background") as refused:
        sdk.responses.create(model="cloud", input="x", background=True)
    assert refused.value.param == "background"
    with pytest.raises(openai.NotFoundError):
        sdk.responses.create(model="cloud", input="x", previous_response_id=made.id)
    with pytest.raises(openai.BadRequestError, match="stores no responses"):
        sdk.responses.retrieve(made.id)


def test_any_worker_continues_what_another_answered(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("cloud", upstream)]}, args=["--workers", "2"])
    before: str | None = None
    for turn in range(8):  # each on a connection of its own, so that both are asked
        sdk = gateway.openai()
        before = sdk.responses.create(model="cloud", input=f"turn {turn}", previous_response_id=before).id
    sent = upstream.inference[-1].json()["messages"]
    assert [message["content"] for message in sent[::2]] == [f"turn {turn}" for turn in range(8)]


def test_any_worker_knows_what_another_does(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("cloud", upstream)]}, args=["--workers", "2"])
    upstream.always(faults.stall_in_stream(chat_chunks(("Blue", " sky"), None)[:2]))
    begun = gateway.openai().responses.create(model="cloud", input="x", background=True)
    taken = upstream.wait_for(1, "/v1/chat/completions")[0]
    for _ in range(6):  # each on a connection of its own, so that both are asked
        assert gateway.openai().responses.retrieve(begun.id).status == "in_progress"
    assert gateway.openai().responses.cancel(begun.id).status == "cancelled"
    taken.wait_closed(4.0)
    assert taken.aborted
