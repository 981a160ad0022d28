"""Responses that an upstream makes itself, found again through the gateway: by their own key, and by nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from msgspec.json import encode

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, OllamaModel, Reply
from tests.upstreams.responses_server import FakeResponses

MODELS = ["native", "other", "flat", "local"]


class House:
    """A gateway before three servers with the route (``flat`` stores nothing), and Ollama (``local``)."""

    def __init__(self, gateway: Gateway, native: FakeResponses, other: FakeResponses, flat: FakeResponses) -> None:
        self.gateway = gateway
        self.native = native
        self.other = other
        self.flat = flat
        self.sdk = gateway.openai()

    def guest(self) -> openai.OpenAI:
        return self.gateway.openai(self.gateway.new_key(models=MODELS))


@pytest.fixture(scope="module")
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as ollama:
        yield ollama


@pytest.fixture(scope="module")
def running(ollama: FakeOllama) -> Iterator[House]:
    with FakeResponses() as native, FakeResponses(prefix="ot") as other, FakeResponses(prefix="fl") as flat:
        flat.remembers = False
        entries = [
            openai_entry("native", native),
            openai_entry("other", other),
            openai_entry("flat", flat),
            ollama_entry("local", ollama, "llama3.1:8b"),
        ]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, native, other, flat)


@pytest.fixture
def house(running: House, ollama: FakeOllama) -> Iterator[House]:
    yield running
    for upstream in (running.native, running.other, running.flat, ollama):
        upstream.clear()
        upstream.forget()


def _listed(sdk: openai.OpenAI, response_id: str) -> list[Any]:
    """The items that a response was asked with."""
    return list(sdk.responses.input_items.list(response_id, order="asc"))


def gone(ask: Callable[[], object]) -> openai.NotFoundError:
    with pytest.raises(openai.NotFoundError) as refused:
        ask()
    return refused.value


@pytest.mark.parametrize("stream", [False, True])
def test_a_relayed_response_is_found_again(house: House, stream: bool) -> None:
    sdk = house.guest()
    if stream:
        with sdk.responses.stream(model="native", input="one") as told:
            list(told)
            made: Any = told.get_final_response()
    else:
        made = sdk.responses.create(model="native", input="one")
    assert made.id.startswith("resp_up"), "it is called as the upstream calls it"
    found = sdk.responses.retrieve(made.id)
    assert (found.id, found.output_text, found.status) == (made.id, "I know 1 items.", "completed")
    (asked,) = _listed(sdk, made.id)
    assert asked.content[0].text == "one"
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        sdk.responses.cancel(made.id)
    sdk.responses.delete(made.id)
    gone(lambda: sdk.responses.retrieve(made.id))
    gone(lambda: sdk.responses.create(model="native", input="x", previous_response_id=made.id))


def test_nobody_else_finds_it_continues_it_or_names_its_items(house: House) -> None:
    mine, other = house.guest(), house.guest()
    made = mine.responses.create(model="native", input="secret")
    before = len(house.native.asked)
    named: Any = [{"type": "item_reference", "id": made.output[-1].id}]
    bare: Any = [{"id": made.output[-1].id}]
    empty: Any = [{"type": "reasoning", "id": made.output[0].id, "summary": []}]
    image: Any = [{"type": "image_generation_call", "id": made.output[0].id}]
    for model in ("native", "other", "flat", "local"):
        for ask in (
            lambda model=model: other.responses.create(model=model, input="x", previous_response_id=made.id),
            lambda model=model: other.responses.create(model=model, input=named),
            lambda model=model: other.responses.create(model=model, input=bare),
            lambda model=model: other.responses.create(
                model=model, input="x", previous_response_id=made.id, stream=True, store=False
            ),
        ):
            gone(ask)
    for look in (
        lambda: other.responses.retrieve(made.id),
        lambda: other.responses.delete(made.id),
        lambda: other.responses.cancel(made.id),
        lambda: other.responses.input_items.list(made.id),
    ):
        gone(look)
    for items in (empty, image):
        gone(lambda items=items: other.responses.create(model="native", input=items))  # type: ignore[misc]
    assert len(house.native.asked) == before, "the upstream, which would have known it, was never asked"
    body = b'{"model":"native","input":[{"type":"item\\u005freference","id":"%b"}]}' % str(made.output[-1].id).encode()
    hidden = house.gateway.http("POST", "/v1/responses", body, key=house.gateway.new_key(models=MODELS))
    assert hidden.status == 404
    assert mine.responses.create(model="native", input="x", previous_response_id=made.id).status == "completed"


def test_the_upstream_continues_what_it_keeps_itself(house: House) -> None:
    sdk = house.guest()
    first = sdk.responses.create(model="native", input="one")
    second = sdk.responses.create(model="native", input="two", previous_response_id=first.id)
    sent = house.native.asked[-1]
    assert (sent["previous_response_id"], sent["input"]) == (first.id, "two")
    assert (second.previous_response_id, second.output_text) == (first.id, "I know 4 items.")


def test_what_another_made_is_sent_along(house: House) -> None:
    sdk = house.guest()
    first = sdk.responses.create(model="native", input="one")
    second = sdk.responses.create(model="other", input="two", previous_response_id=first.id)
    sent = house.other.asked[-1]
    assert "previous_response_id" not in sent
    assert [(item["role"], item["content"]) for item in sent["input"]] == [
        ("user", [{"type": "input_text", "text": "one"}]),
        ("assistant", "I know 1 items."),
        ("user", "two"),
    ]
    assert all("id" not in item for item in sent["input"])
    assert second.previous_response_id == first.id
    assert sdk.responses.retrieve(second.id).previous_response_id == first.id
    third = sdk.responses.create(model="other", input="three", previous_response_id=second.id)
    assert house.other.asked[-1]["previous_response_id"] == second.id and third.output_text == "I know 6 items."


@pytest.mark.parametrize("stream", [False, True])
def test_a_chain_goes_on_over_translation_and_back(house: House, ollama: FakeOllama, stream: bool) -> None:
    sdk = house.guest()
    first = sdk.responses.create(model="native", input="one")
    second = sdk.responses.create(model="local", input="two", previous_response_id=first.id)
    messages = ollama.inference[-1].json()["messages"]
    assert [message["content"] for message in messages] == ["one", "I know 1 items.", "two"]
    if stream:
        with sdk.responses.stream(model="native", input="three", previous_response_id=second.id) as told:
            list(told)
            third: Any = told.get_final_response()
    else:
        third = sdk.responses.create(model="native", input="three", previous_response_id=second.id)
    sent = house.native.asked[-1]["input"]
    assert [item["role"] for item in sent] == ["user", "assistant", "user", "assistant", "user"]
    assert (third.previous_response_id, third.output_text) == (second.id, "I know 5 items.")


def test_a_server_that_stores_nothing_gets_everything_it_made_as_it_made_it(house: House) -> None:
    sdk = house.guest()
    first = sdk.responses.create(model="flat", input="one")
    second = sdk.responses.create(model="flat", input="two", previous_response_id=first.id)
    kinds = [item.get("type") for item in house.flat.asked[-1]["input"]]
    assert kinds == ["message", "reasoning", "message", None]
    assert second.output_text == "I know 4 items."
    assert sdk.responses.retrieve(second.id).id == second.id


def test_items_of_a_relayed_response_can_be_named_to_a_model_that_is_translated(
    house: House, ollama: FakeOllama
) -> None:
    sdk = house.guest()
    first = sdk.responses.create(model="native", input="one")
    named: list[Any] = [{"type": "item_reference", "id": item.id} for item in first.output]
    second = sdk.responses.create(model="local", input=[*named, {"role": "user", "content": "two"}])
    assert [message["content"] for message in ollama.inference[-1].json()["messages"]] == ["I know 1 items.", "two"]
    assert sdk.responses.retrieve(second.id).id == second.id


def test_items_are_named_where_the_upstream_has_them_and_sent_where_not(house: House) -> None:
    sdk = house.guest()
    made = sdk.responses.create(model="native", input=[{"role": "user", "content": "one"}])
    (asked,) = sdk.responses.input_items.list(made.id)
    named: Any = [
        {"type": "item_reference", "id": asked.id},
        *({"type": "item_reference", "id": item.id} for item in made.output),
        {"role": "user", "content": "two"},
    ]
    bare: Any = [{"type": "reasoning", "id": made.output[0].id, "summary": []}, {"role": "user", "content": "x"}]
    sdk.responses.create(model="native", input=bare)
    assert house.native.asked[-1]["input"] == bare, "its own"
    after = sdk.responses.create(model="native", input=named)
    sent = house.native.asked[-1]["input"]
    assert [item["type"] for item in sent[:3]] == ["message", "item_reference", "item_reference"]
    assert [item.type for item in sdk.responses.input_items.list(after.id, order="asc")][1] == "reasoning"
    sdk.responses.create(model="other", input=named)
    assert [item["role"] for item in house.other.asked[-1]["input"]] == ["user", "assistant", "user"]


def test_conversations_are_the_gateways_own(house: House) -> None:
    sdk = house.guest()
    talk = sdk.conversations.create(items=[{"role": "user", "content": "zero"}])
    first = sdk.responses.create(model="native", input="one", conversation=talk.id)
    assert first.conversation is not None and first.conversation.id == talk.id
    with sdk.responses.stream(model="other", input="two", conversation=talk.id) as stream:
        list(stream)
    sent = house.other.asked[-1]
    assert "conversation" not in sent
    assert [item["role"] for item in sent["input"]] == ["user", "user", "assistant", "user"]
    sdk.responses.create(model="local", input="three", conversation=talk.id)
    items: list[Any] = list(sdk.conversations.items.list(talk.id, order="asc", limit=100))
    assert [getattr(item, "role", item.type) for item in items] == [
        "user", "user", "reasoning", "assistant", "user", "reasoning", "assistant", "user", "assistant",
    ]  # fmt: skip
    gone(lambda: house.guest().responses.create(model="native", input="x", conversation=talk.id))
    gone(lambda: sdk.responses.create(model="native", input="x", conversation="conv_of_the_account"))


def test_a_stream_is_relayed_byte_for_byte_and_stored(house: House) -> None:
    body = {"model": "native", "input": "one", "stream": True}
    key = house.gateway.new_key(models=MODELS)
    answer = house.gateway.http("POST", "/v1/responses", body, key=key)
    said = b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event)) for event in house.native.events
    )
    assert answer.body == said.replace(b'"model":"fake-model"', b'"model":"native"')
    with house.gateway.openai(key).responses.stream(model="native", input="two") as stream:
        made = next(iter(stream)).response  # type: ignore[union-attr]
        list(stream)
    assert house.gateway.openai(key).responses.retrieve(made.id).status == "completed"


def test_work_in_the_background_is_the_gateways_own(house: House) -> None:
    sdk = house.guest()
    begun = sdk.responses.create(model="native", input="one", background=True)
    assert begun.status == "queued"
    eventually(lambda: sdk.responses.retrieve(begun.id).status == "completed", "it is finished")
    done = sdk.responses.retrieve(begun.id)
    assert (done.id, done.background, done.output_text) == (begun.id, True, "I know 1 items.")
    assert "background" not in house.native.asked[-1]
    events = list(sdk.responses.retrieve(begun.id, stream=True))
    assert {event.response.id for event in events if hasattr(event, "response")} == {begun.id}
    gone(lambda: house.guest().responses.retrieve(begun.id))
    after = sdk.responses.create(model="native", input="two", previous_response_id=begun.id)
    assert house.native.asked[-1]["previous_response_id"].startswith("resp_up")
    assert (after.previous_response_id, after.output_text) == (begun.id, "I know 4 items.")


def test_what_is_not_to_be_stored_is_not_there(house: House) -> None:
    sdk = house.guest()
    made = sdk.responses.create(model="native", input="one", store=False)
    gone(lambda: sdk.responses.retrieve(made.id))
    gone(lambda: sdk.responses.create(model="native", input="x", previous_response_id=made.id))


def test_ids_from_elsewhere_are_refused_unless_the_operator_lets_them_through(house: House) -> None:
    gone(lambda: house.sdk.responses.create(model="native", input="x", previous_response_id="resp_elsewhere"))
    native = FakeResponses()
    with native:
        config = {
            "model_list": [openai_entry("native", native)],
            "pointsman": {"allow_unknown_response_ids": True, "response_retention_days": 1},
        }
        with Gateway.start(config) as gateway:
            mine = gateway.openai(gateway.new_key(models=["native"]))
            other = gateway.openai(gateway.new_key(models=["native"]))
            elsewhere = mine.responses.create(model="native", input="one", store=False)
            told = gone(lambda: mine.responses.create(model="native", input="x", previous_response_id=elsewhere.id))
            assert native.asked[-1]["previous_response_id"] == elsewhere.id and elsewhere.id in told.message
            made = mine.responses.create(model="native", input="one")
            before = len(native.asked)
            named: Any = [{"type": "item_reference", "id": made.output[-1].id}]
            gone(lambda: other.responses.create(model="native", input="x", previous_response_id=made.id))
            gone(lambda: other.responses.create(model="native", input=named))
            assert len(native.asked) == before, "what is somebody's stays theirs"


def test_reasoning_that_nobody_can_read_is_left_out_the_second_time() -> None:
    error = {"message": "cannot be verified", "type": "invalid_request_error", "code": "invalid_encrypted_content"}
    with FakeResponses() as native:
        config = {
            "model_list": [openai_entry("native", native)],
            "router_settings": {"optional_pre_call_checks": ["encrypted_content_affinity"]},
        }
        thought: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "of elsewhere"}
        items: Any = [{"role": "user", "content": "one"}, thought, {"role": "user", "content": "two"}]
        with Gateway.start(config) as gateway:
            sdk = gateway.openai()
            sdk.responses.create(model="native", input="warm", store=False)  # finds out that there is the route
            native.script(Reply.json({"error": error}, 400))
            made = sdk.responses.create(model="native", input=items, store=False)
    assert made.output_text and "reasoning" not in str(native.asked[-1]["input"]), native.asked[-1]
