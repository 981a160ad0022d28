"""The official openai SDK finds what it left: stored responses, chains, and conversations, before any upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Turn

MODELS = ["local", "cloud"]
WEATHER: list[Any] = [
    {
        "type": "function",
        "name": "get_weather",
        "strict": False,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


class House:
    """A gateway before an Ollama (model ``local``) and an OpenAI-compatible server (model ``cloud``)."""

    def __init__(self, gateway: Gateway, ollama: FakeOllama, upstream: FakeOpenAI) -> None:
        self.gateway = gateway
        self.ollama = ollama
        self.upstream = upstream
        self.sdk = gateway.openai()

    def sent(self, model: str) -> list[Any]:
        """The messages that the upstream of the model was sent last."""
        far = self.ollama if model == "local" else self.upstream
        messages: list[Any] = far.inference[-1].json()["messages"]
        return messages


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as ollama, FakeOpenAI() as upstream:
        entries = [ollama_entry("local", ollama, "llama3.1:8b"), openai_entry("cloud", upstream)]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, ollama, upstream)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.ollama.clear()
    running.upstream.clear()


def roles(messages: list[Any]) -> list[str]:
    return [message["role"] for message in messages]


def gone(ask: Callable[[], object]) -> openai.NotFoundError:
    with pytest.raises(openai.NotFoundError) as refused:
        ask()
    return refused.value


@pytest.mark.parametrize("model", MODELS)
def test_a_response_is_found_again_as_it_was(house: House, model: str) -> None:
    made = house.sdk.responses.create(model=model, input="one", instructions="be brief", metadata={"a": "b"})
    assert made.model_dump()["store"] is True
    assert house.sdk.responses.retrieve(made.id).model_dump() == made.model_dump()


@pytest.mark.parametrize("model", MODELS)
def test_a_streamed_response_is_found_again_as_it_ended(house: House, model: str) -> None:
    with house.sdk.responses.stream(model=model, input="one") as stream:
        list(stream)
        final = stream.get_final_response()
    found = house.sdk.responses.retrieve(final.id)
    assert (found.status, found.output_text, found.usage) == ("completed", final.output_text, final.usage)
    assert found.output_text


def test_an_incomplete_response_is_kept_too(house: House) -> None:
    house.ollama.says(Turn(done_reason="length"))
    made = house.sdk.responses.create(model="local", input="one", max_output_tokens=16)
    assert house.sdk.responses.retrieve(made.id).status == made.status == "incomplete"


def test_a_stream_that_broke_is_kept_as_failed(house: House) -> None:
    house.ollama.says(Turn(error_after=2))
    events = list(house.sdk.responses.create(model="local", input="one", stream=True))
    assert events[-1].type == "response.failed"
    found = house.sdk.responses.retrieve(events[-1].response.id)
    assert found.status == "failed" and found.error is not None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_chain_of_three_with_the_later_words_last(house: House, model: str, stream: bool) -> None:
    def turn(text: str, **fields: Any) -> str:
        if not stream:
            return str(house.sdk.responses.create(model=model, input=text, **fields).id)
        with house.sdk.responses.stream(model=model, input=text, **fields) as opened:
            list(opened)
            return str(opened.get_final_response().id)

    first = turn("one", instructions="only now")
    second = turn("two", previous_response_id=first)
    third = turn("three", previous_response_id=second, instructions="and now")
    sent = house.sent(model)
    assert roles(sent) == ["system", "user", "assistant", "user", "assistant", "user"]
    said = [message["content"] for message in sent]
    assert said[0] == "and now" and [said[1], said[3], said[5]] == ["one", "two", "three"]
    assert house.sdk.responses.retrieve(third).previous_response_id == second


@pytest.mark.parametrize("model", MODELS)
def test_a_tools_result_refers_to_the_call_of_the_response_before(house: House, model: str) -> None:
    if model == "local":
        house.ollama.says(Turn(pieces=(), thinking=("Hm.",), calls=[("get_weather", {"city": "Paris"})]))
        called = house.sdk.responses.create(model=model, input="weather?", tools=WEATHER)
        call = next(item for item in called.output if item.type == "function_call")
        call_id = call.call_id
    else:
        called = house.sdk.responses.create(
            model=model,
            input=[
                {"role": "user", "content": "weather?"},
                {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'},
                {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            ],
            tools=WEATHER,
        )
        call_id = "call_1"
    output: Any = {"type": "function_call_output", "call_id": call_id, "output": "sunny"}
    after = house.sdk.responses.create(model=model, input=[output], previous_response_id=called.id, tools=WEATHER)
    assert after.output_text
    assert roles(house.sent(model))[-1] == "tool"
    assert house.sent(model)[-1]["content"] == "sunny"
    house.sdk.responses.create(model=model, input="thanks", previous_response_id=after.id, tools=WEATHER)
    assert roles(house.sent(model))[-3:] == ["tool", "assistant", "user"]


def test_the_items_of_a_response_are_listed(house: House) -> None:
    made = house.sdk.responses.create(model="local", input=[{"role": "user", "content": text} for text in "abc"])
    falling: Any = house.sdk.responses.input_items.list(made.id, limit=2)
    assert [item.content[0].text for item in falling.data] == ["c", "b"]
    assert falling.has_more
    rising: list[Any] = list(house.sdk.responses.input_items.list(made.id, order="asc", limit=1))
    assert [item.content[0].text for item in rising] == ["a", "b", "c"]
    single = house.sdk.responses.create(model="local", input="only text")
    assert [item.role for item in house.sdk.responses.input_items.list(single.id)] == ["user"]  # type: ignore[union-attr]


def test_what_is_not_to_be_stored_is_not_there(house: House) -> None:
    made = house.sdk.responses.create(model="local", input="one", store=False)
    assert made.model_dump()["store"] is False
    assert made.id in gone(lambda: house.sdk.responses.retrieve(made.id)).message
    refused = gone(lambda: house.sdk.responses.create(model="local", input="x", previous_response_id=made.id))
    assert (refused.code, refused.param) == ("previous_response_not_found", "previous_response_id")
    assert refused.body["message"] == f"Previous response with id '{made.id}' not found."  # type: ignore[index]


def test_a_deleted_response_ends_its_chain(house: House) -> None:
    first = house.sdk.responses.create(model="local", input="one")
    second = house.sdk.responses.create(model="local", input="two", previous_response_id=first.id)
    house.sdk.responses.delete(first.id)
    gone(lambda: house.sdk.responses.retrieve(first.id))
    gone(lambda: house.sdk.responses.delete(first.id))
    refused = gone(lambda: house.sdk.responses.create(model="local", input="x", previous_response_id=second.id))
    assert first.id in refused.message


def test_nobody_else_sees_a_response_or_a_conversation(house: House) -> None:
    mine = house.gateway.openai(house.gateway.new_key(models=["local"]))
    other = house.gateway.openai(house.gateway.new_key(models=["local"]))
    made = mine.responses.create(model="local", input="secret")
    talk = mine.conversations.create(items=[{"role": "user", "content": "secret"}])
    item = next(iter(mine.conversations.items.list(talk.id)))
    for ask in (
        lambda: other.responses.retrieve(made.id),
        lambda: other.responses.delete(made.id),
        lambda: other.responses.cancel(made.id),
        lambda: other.responses.input_items.list(made.id),
        lambda: other.responses.create(model="local", input="x", previous_response_id=made.id),
        lambda: other.responses.create(model="local", input="x", conversation=talk.id),
        lambda: other.conversations.retrieve(talk.id),
        lambda: other.conversations.update(talk.id, metadata={}),
        lambda: other.conversations.delete(talk.id),
        lambda: other.conversations.items.list(talk.id),
        lambda: other.conversations.items.create(talk.id, items=[{"role": "user", "content": "x"}]),
        lambda: other.conversations.items.retrieve(str(item.id), conversation_id=talk.id),
        lambda: other.conversations.items.delete(str(item.id), conversation_id=talk.id),
    ):
        gone(ask)
    assert house.sdk.responses.retrieve(made.id).id == made.id, "the master key sees everything"
    assert mine.responses.retrieve(made.id).id == made.id


@pytest.mark.parametrize("model", MODELS)
def test_a_conversation_grows_with_each_response(house: House, model: str) -> None:
    talk = house.sdk.conversations.create(metadata={"topic": "x"}, items=[{"role": "developer", "content": "be kind"}])
    first = house.sdk.responses.create(model=model, input="one", conversation=talk.id)
    assert first.conversation is not None and first.conversation.id == talk.id
    with house.sdk.responses.stream(model=model, input="two", conversation={"id": talk.id}) as stream:
        list(stream)
    assert [role for role in roles(house.sent(model)) if role != "developer"][-3:] == ["user", "assistant", "user"]
    items: list[Any] = list(house.sdk.conversations.items.list(talk.id, order="asc", limit=2))
    assert [item.role for item in items] == ["developer", "user", "assistant", "user", "assistant"]
    house.sdk.responses.create(model=model, input="three", conversation=talk.id, store=False)
    assert len(list(house.sdk.conversations.items.list(talk.id, limit=100))) == 7
    with pytest.raises(openai.BadRequestError) as refused:
        house.sdk.responses.create(model=model, input="x", previous_response_id=first.id)
    assert refused.value.code == "previous_response_in_conversation"


def test_conversations_are_changed_and_deleted(house: House) -> None:
    conversations = house.sdk.conversations
    talk = conversations.create()
    assert (talk.object, talk.metadata) == ("conversation", {})
    assert conversations.update(talk.id, metadata={"a": "1"}).metadata == {"a": "1"}
    assert conversations.retrieve(talk.id).metadata == {"a": "1"}
    added = conversations.items.create(
        talk.id, items=[{"role": "user", "content": "one"}, {"type": "message", "role": "user", "content": "two"}]
    )
    first: Any = added.data[0]
    assert first.content[0].text == "one"
    assert conversations.items.retrieve(first.id, conversation_id=talk.id) == first
    assert conversations.items.delete(first.id, conversation_id=talk.id).id == talk.id
    gone(lambda: conversations.items.retrieve(first.id, conversation_id=talk.id))
    left: list[Any] = list(conversations.items.list(talk.id))
    assert [item.content[0].text for item in left] == ["two"]
    assert conversations.delete(talk.id).deleted is True
    gone(lambda: conversations.retrieve(talk.id))
    gone(lambda: house.sdk.responses.create(model="local", input="x", conversation=talk.id))


def test_an_item_that_could_not_be_read_again_is_refused_by_its_place(house: House) -> None:
    bad: Any = [{"role": "user", "content": "fine"}, {"type": "function_call_output", "call_id": "", "output": "x"}]
    with pytest.raises(openai.BadRequestError) as refused:
        house.sdk.conversations.create(items=bad)
    assert (refused.value.param or "").startswith("items[1]")


def test_input_tokens_are_estimated_with_what_is_continued(house: House) -> None:
    text = "word " * 400
    alone = house.sdk.responses.input_tokens.count(model="local", input=text)
    assert 300 < alone.input_tokens < 900
    made = house.sdk.responses.create(model="local", input=text)
    after = house.sdk.responses.input_tokens.count(model="local", input="x", previous_response_id=made.id)
    assert after.input_tokens > 300


def test_reasoning_with_its_secret_comes_back_and_survives(house: House) -> None:
    items: list[Any] = [
        {"role": "user", "content": "one"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "opaque"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "two"},
    ]
    made = house.sdk.responses.create(model="local", input=items, include=["reasoning.encrypted_content"])
    listed: list[Any] = list(house.sdk.responses.input_items.list(made.id, order="asc"))
    assert listed[1].encrypted_content == "opaque"
    house.sdk.responses.create(model="local", input="three", previous_response_id=made.id)
    assert roles(house.sent("local")) == ["user", "assistant", "user", "assistant", "user"]


def test_everything_is_still_there_after_a_restart(house: House) -> None:
    made = house.sdk.responses.create(model="cloud", input="one")
    house.gateway.restart()
    assert house.gateway.openai().responses.retrieve(made.id).id == made.id


@pytest.mark.parametrize("model", MODELS)
def test_items_can_be_named_instead_of_sent(house: House, model: str) -> None:
    made = house.sdk.responses.create(model=model, input=[{"role": "user", "content": "one"}])
    asked = next(iter(house.sdk.responses.input_items.list(made.id)))
    named: list[Any] = [
        {"type": "item_reference", "id": asked.id},
        {"type": "item_reference", "id": made.output[-1].id},
        {"role": "user", "content": "two"},
    ]
    after = house.sdk.responses.create(model=model, input=named)
    assert [message["content"] for message in house.sent(model)] == ["one", made.output_text, "two"]
    listed: list[Any] = list(house.sdk.responses.input_items.list(after.id, order="asc"))
    assert [item.role for item in listed] == ["user", "assistant", "user"]
    other = house.gateway.openai(house.gateway.new_key(models=[model]))
    for ask in (
        lambda: other.responses.create(model=model, input=named),
        lambda: house.sdk.responses.create(model=model, input=[{"type": "item_reference", "id": "msg_nobody"}]),
    ):
        refused = gone(ask)
        assert (refused.code, refused.param) == ("item_not_found", "input[0]")


def test_a_key_that_takes_the_place_of_another_goes_on(house: House) -> None:
    key = house.gateway.new_key(models=["local"])
    made = house.gateway.openai(key).responses.create(model="local", input="one")
    made_anew = house.gateway.http("POST", "/key/regenerate", {"key": key}).json()["key"]
    after = house.gateway.openai(made_anew)
    assert after.responses.retrieve(made.id).id == made.id
    assert after.responses.create(model="local", input="two", previous_response_id=made.id).status == "completed"


@pytest.mark.parametrize("model", MODELS)
def test_a_chain_is_compacted_and_goes_on(house: House, model: str) -> None:
    made = house.sdk.responses.create(model=model, input="one")
    short = house.sdk.responses.compact(model=model, previous_response_id=made.id, input="two")
    assert short.usage.output_tokens > 0
    assert [item.type for item in short.output] == ["message", "message", "compaction"]
    assert roles(house.sent(model)) == ["system", "user"]
    # The SDK knows no messages of the user in an output, but has them.
    items: Any = [*short.to_dict(warnings=False)["output"], {"role": "user", "content": "three"}]  # type: ignore[misc]
    house.sdk.responses.create(model=model, input=items)
    sent = house.sent(model)
    assert roles(sent) == ["user"] * 4 and "summary" in sent[2]["content"]
    gone(lambda: house.sdk.responses.retrieve(short.id))
    key = house.gateway.new_key(models=[model])
    house.gateway.openai(key).responses.compact(model=model, input="one")
    assert [row["call_type"] for row in house.gateway.settled_ledger(1, key)] == ["acompact_responses"]
