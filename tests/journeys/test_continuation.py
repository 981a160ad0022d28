"""Streams that are cut off in the middle of a sentence, and go on at another deployment without a seam."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.json import decode

from pointsman.dialects.anthropic_messages.grammar import violations as message_violations
from pointsman.dialects.openai_chat.grammar import violations as chat_violations
from pointsman.dialects.openai_responses.grammar import violations as response_violations
from tests.support.configs import anthropic_entry, ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeAnthropic, FakeOllama, FakeOpenAI, OllamaModel, Reply, faults
from tests.upstreams.anthropic_server import message_events
from tests.upstreams.openai_shapes import chat_chunks, completion_chunks, usage
from tests.upstreams.reply import Close, Pause

ASK: Any = [{"role": "user", "content": "How does it end?"}]
BEGUN = ("Once ", "upon a ", "time ")
REST = ("there was ", "an end.")
WHOLE = "Once upon a time there was an end."
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{"}}
THOUGHT = {**chat_chunks([], None)[0], "choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]}
OPENAI_CLIENTS = ("chat", "messages", "responses", "gemini", "ollama")
RESPONSE = {
    "id": "resp_up1", "object": "response", "created_at": 7, "model": "fake-model", "status": "in_progress",
    "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
    "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "output": [], "usage": None, "store": True,
    "background": False, "previous_response_id": None,
}  # fmt: skip


class House:
    """A gateway before OpenAI-compatible servers (``cut``, ``rest``, ``native`` has responses), Anthropic and Ollama.

    ``m`` fails over from ``cut`` to ``rest``, ``to-claude`` and ``to-llama`` to the others, ``claude`` to ``rest``.
    """

    def __init__(
        self,
        gateway: Gateway,
        openai: tuple[FakeOpenAI, FakeOpenAI, FakeOpenAI],
        claude: FakeAnthropic,
        llama: FakeOllama,
    ) -> None:
        self.gateway, self.claude, self.llama = gateway, claude, llama
        self.cut, self.rest, self.native = openai

    def ask(self, dialect: str, model: str, **more: Any) -> bytes:
        """The bytes of a streamed answer in some client's dialect."""
        paths = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses",
                 "gemini": f"/v1beta/models/{model}:streamGenerateContent?alt=sse", "ollama": "/api/chat"}  # fmt: skip
        body: dict[str, Any] = {"model": model, "messages": ASK, "stream": True, **more}
        if dialect == "responses":
            body["input"] = body.pop("messages")
        elif dialect == "gemini":
            body = {"contents": [{"role": "user", "parts": [{"text": "How does it end?"}]}], **more}
        elif dialect == "messages":
            body = {"max_tokens": 100, **body}
        elif dialect == "chat":
            body = {"stream_options": {"include_usage": True}, **body}
        answer = self.gateway.http("POST", paths[dialect], body)
        assert answer.status == 200, answer.body
        return answer.body


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with (
        FakeOpenAI() as cut,
        FakeOpenAI() as rest,
        FakeOpenAI() as native,
        FakeAnthropic() as claude,
        FakeOllama([OllamaModel("llama3.1:8b", context_length=32_768)]) as llama,
    ):
        prices = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.01}
        dear = {"input_cost_per_token": 0.1, "output_cost_per_token": 1.0}
        entries = [openai_entry(name, cut, {"id": f"cut-{name}"}, **prices) for name in ("m", "to-claude", "to-llama")]
        entries += [
            openai_entry("lone", cut),
            openai_entry("rest", rest, {"id": "rest", "supports_assistant_prefill": True}, **dear),
            openai_entry("told", rest, {"id": "told"}),
            openai_entry("to-told", cut),
            openai_entry("native", native, {"id": "native"}, **prices),
            anthropic_entry("sonnet", claude),
            anthropic_entry("claude", claude),
            ollama_entry("llama", llama, "llama3.1:8b"),
        ]
        native.has_responses = True
        config = {
            "model_list": entries,
            "router_settings": {
                "enable_mid_stream_fallback_continuation": True,
                "disable_cooldowns": True,
                "num_retries": 0,
                "fallbacks": [
                    {"m": ["rest"]}, {"to-told": ["told"]}, {"to-claude": ["sonnet"]}, {"to-llama": ["llama"]},
                    {"claude": ["rest"]}, {"native": ["rest"]},
                ],
            },
        }  # fmt: skip
        with Gateway.start(config) as gateway:
            yield House(gateway, (cut, rest, native), claude, llama)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    for upstream in (running.cut, running.rest, running.native, running.claude, running.llama):
        upstream.clear()
        upstream.forget()


def cut_off(pieces: Sequence[str] = BEGUN) -> Reply:
    return faults.reset_in_stream(chat_chunks(pieces, usage(20, 5))[: len(pieces) + 1])


def truncated(reply: Reply) -> Reply:
    """The same, closed before its end."""
    return Reply((*reply.steps[:-1], Pause(0.05), Close()), "truncated")


def finished(pieces: Sequence[str] = REST) -> Reply:
    return Reply.stream(chat_chunks(pieces, usage(20, 5)))


def events(body: bytes) -> list[dict[str, Any]]:
    lines = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
    return [decode(line) for line in lines if line != b"[DONE]"]


def text_of(dialect: str, body: bytes) -> str:
    """The answer, as a client of that dialect puts it together."""
    match dialect:
        case "chat":
            return "".join(c["delta"].get("content") or "" for e in events(body) for c in e.get("choices", ()))
        case "messages":
            return "".join(e["delta"].get("text", "") for e in events(body) if e["type"] == "content_block_delta")
        case "responses":
            return "".join(e["delta"] for e in events(body) if e["type"] == "response.output_text.delta")
        case "gemini":
            parts = [p for e in events(body) for c in e["candidates"] for p in c.get("content", {}).get("parts", [])]
            return "".join(part["text"] for part in parts)
        case _:
            return "".join(decode(line)["message"]["content"] for line in body.splitlines())


# -- without a seam --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", OPENAI_CLIENTS)
def test_every_client_gets_one_answer(house: House, dialect: str) -> None:
    house.cut.script(cut_off())
    house.rest.script(finished())
    body = house.ask(dialect, "m")
    assert text_of(dialect, body) == WHOLE
    assert not any(event.get("error") for event in events(body))
    sent = house.rest.inference[-1].json()
    assert sent["messages"][-1] == {"role": "assistant", "content": "Once upon a time"}
    assert len(house.rest.inference) == len(house.cut.inference) == 1


def test_a_chat_has_one_role_one_id_one_end_and_both_usages(house: House) -> None:
    house.cut.script(cut_off())
    house.rest.script(finished())
    body = house.ask("chat", "m")
    assert chat_violations(body) == []
    chunks = events(body)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert len({(chunk["id"], chunk["model"]) for chunk in chunks}) == 1
    assert sum("role" in choice["delta"] for choice in choices) == 1
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    (counts,) = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert counts["completion_tokens"] > 5
    assert counts["prompt_tokens"] > 20


def test_the_record_has_both_parts_and_says_so(house: House) -> None:
    house.cut.script(cut_off())
    house.rest.script(finished())
    key = house.gateway.new_key()
    house.gateway.http("POST", "/v1/chat/completions", {"model": "m", "messages": ASK, "stream": True}, key=key)
    (record,) = house.gateway.settled_ledger(1, key)
    assert record["status"] == "success"
    assert (record["prompt_tokens"] > 20, record["completion_tokens"]) == (True, 5 + 5)
    cut_prompt = record["prompt_tokens"] - 20
    assert record["spend"] == pytest.approx(20 * 0.1 + 5 * 1.0 + cut_prompt * 0.001 + 5 * 0.01)
    assert "continued" in record["request_tags"]
    told = record["metadata"]["routing"]
    assert [one["deployment"] for one in told["failed"]] == ["cut-m"]
    assert told["fallbacks"] == ["rest"]
    assert record["model_id"] == "rest"


def test_messages_and_responses_keep_their_grammar(house: House) -> None:
    house.cut.script(cut_off(), cut_off())
    house.rest.script(finished(), finished())
    assert message_violations(house.ask("messages", "m")) == []
    assert response_violations(house.ask("responses", "m")) == []


def test_a_relayed_stream_of_anthropic_goes_on_elsewhere(house: House) -> None:
    deltas = [{"type": "text_delta", "text": piece} for piece in BEGUN]
    begun = message_events([({"type": "text", "text": ""}, deltas)])[: 2 + len(deltas)]
    house.claude.script(truncated(Reply.named_events(begun)))
    house.rest.script(finished())
    body = house.ask("messages", "claude")
    assert text_of("messages", body) == WHOLE
    assert message_violations(body) == []


# -- how the rest is asked for ---------------------------------------------------------------------------------------


def test_who_takes_no_prefill_is_told(house: House) -> None:
    house.cut.script(cut_off())
    house.rest.script(finished())
    assert text_of("chat", house.ask("chat", "to-told")) == WHOLE
    said, told = house.rest.inference[-1].json()["messages"][-2:]
    assert said == {"role": "assistant", "content": "Once upon a time "}
    assert told["role"] == "user"
    assert '"Once upon a time "' in told["content"]


@pytest.mark.parametrize("model", ["to-claude", "to-llama"])
def test_other_dialects_go_on(house: House, model: str) -> None:
    house.cut.script(cut_off())
    body = house.ask("chat", model)
    asked = house.claude.requests if model == "to-claude" else house.llama.inference
    assert chat_violations(body) == []
    assert text_of("chat", body).startswith("Once upon a time ")
    roles = [message["role"] for message in asked[-1].json()["messages"]]
    assert roles == ["user", "assistant", "user"]


# -- what is not continued -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "more"),
    [
        (chat_chunks(["I ", "look."], None, tool_deltas=[CALL])[:4], {}),
        ([*chat_chunks([], None)[:1], THOUGHT, *chat_chunks(["Well"], None)[1:2]], {}),
        (chat_chunks(BEGUN, None)[:4], {"response_format": {"type": "json_object"}}),
        (chat_chunks(BEGUN, None)[:4], {"tool_choice": "required", "tools": [TOOL]}),
        (chat_chunks(BEGUN, None)[:4], {"n": 2}),
        (chat_chunks(BEGUN, None)[:4], {"max_tokens": 3}),
        (chat_chunks(BEGUN, None)[:4], {"disable_fallbacks": True}),
        (chat_chunks(BEGUN, None)[:4], {"messages": [*ASK, {"role": "assistant", "content": "It"}]}),
    ],
    ids=["tool call", "reasoning", "JSON", "forced tool", "choices", "limit", "no fallbacks", "own words"],
)
def test_what_cannot_be_continued_fails_honestly(
    house: House, chunks: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    house.cut.script(faults.reset_in_stream(chunks))
    body = house.ask("chat", "m", **more)
    assert house.rest.inference == []
    assert events(body)[-1]["error"]["code"]
    assert [event for event in events(body) if event.get("choices")]


def test_nobody_else_and_never_twice(house: House) -> None:
    house.cut.script(cut_off(), cut_off(), cut_off())
    assert events(house.ask("chat", "lone"))[-1]["error"]["code"] == "upstream_broken"
    assert len(house.cut.inference) == 1
    house.rest.script(cut_off(["there "]))
    body = house.ask("chat", "m")
    assert (text_of("chat", body), bool(events(body)[-1]["error"])) == ("Once upon a time there ", True)
    house.rest.script(Reply.error(400, "no prefill here"))
    body = house.ask("chat", "m")
    error = events(body)[-1]["error"]
    assert "no prefill" not in error["message"], "what is told is how the stream ended that the client saw"
    assert text_of("chat", body) == "Once upon a time "


def test_a_failure_told_in_the_stream(house: House) -> None:
    failure = {"error": {"message": "overloaded", "type": "server_error", "code": 503}}
    house.cut.script(Reply.stream([*chat_chunks(BEGUN, None)[:4], failure], gap_seconds=0.02))
    house.rest.script(finished())
    assert text_of("chat", house.ask("chat", "m")) == WHOLE
    house.cut.script(Reply.stream([*chat_chunks(BEGUN, None)[:4], failure], gap_seconds=0.02))
    house.rest.script(finished())
    assert text_of("messages", house.ask("messages", "m")) == WHOLE


def test_what_is_said_again_is_left_out(house: House) -> None:
    house.cut.script(cut_off())
    house.rest.script(finished(["Once ", "upon a ", "time", " there was ", "an end."]))
    assert text_of("chat", house.ask("chat", "m")) == WHOLE


# -- text completions ------------------------------------------------------------------------------------------------


def complete(house: House, model: str, **more: Any) -> bytes:
    """The bytes of a streamed text completion."""
    body = {"model": model, "prompt": "A tale: ", "stream": True, "stream_options": {"include_usage": True}, **more}
    answer = house.gateway.http("POST", "/v1/completions", body)
    assert answer.status == 200, answer.body
    return answer.body


def completed(body: bytes) -> str:
    return "".join(choice["text"] for event in events(body) for choice in event.get("choices", ()))


def cut_completion(pieces: Sequence[str] = BEGUN) -> Reply:
    return faults.reset_in_stream(completion_chunks(pieces, usage(20, 5))[: len(pieces)])


def test_a_completion_goes_on_after_its_prompt_and_its_text(house: House) -> None:
    house.cut.script(cut_completion())
    house.rest.script(Reply.stream(completion_chunks(REST, usage(20, 5), number=2)))
    body = complete(house, "m", max_tokens=50)
    assert completed(body) == WHOLE and body.endswith(b"data: [DONE]\n\n")
    assert len({(event["id"], event["model"]) for event in events(body)}) == 1
    reasons = [choice["finish_reason"] for event in events(body) for choice in event["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]
    (counts,) = [event["usage"] for event in events(body) if event.get("usage")]
    assert counts["prompt_tokens"] > 20 and counts["completion_tokens"] > 5
    sent = house.rest.inference[-1].json()
    assert sent["prompt"] == "A tale: Once upon a time " and sent["max_tokens"] < 50


def test_a_model_that_chats_goes_on_with_a_completion(house: House) -> None:
    house.cut.script(cut_completion())
    body = complete(house, "to-claude")
    said = house.claude.requests[-1].json()["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "user"]
    assert completed(body).startswith("Once upon a time ") and body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "more",
    [{"n": 2}, {"echo": True}, {"suffix": "!"}, {"logprobs": 1}, {"prompt": ["a", "b"]}, {"max_tokens": 2}],
    ids=lambda more: next(iter(more)),
)
def test_what_completion_cannot_be_continued_fails_honestly(house: House, more: dict[str, Any]) -> None:
    house.cut.script(cut_completion())
    body = complete(house, "m", **more)
    assert house.rest.inference == [] and events(body)[-1]["error"]["code"] == "upstream_broken"


def test_a_completion_whose_rest_breaks_too_ends_with_that(house: House) -> None:
    house.cut.script(cut_completion())
    house.rest.script(cut_completion(["there "]))
    body = complete(house, "m")
    assert completed(body) == "Once upon a time there " and events(body)[-1]["error"]


# -- responses that are relayed --------------------------------------------------------------------------------------


def response_events(pieces: Sequence[str] = BEGUN, *, reasons: bool = False) -> list[dict[str, Any]]:
    """Those of a relayed response up to the middle of its text."""
    index = int(reasons)
    place = {"item_id": "msg_up1", "output_index": index, "content_index": 0}
    message = {"type": "message", "id": "msg_up1", "role": "assistant", "status": "in_progress", "content": []}
    thought = {"type": "reasoning", "id": "rs_up1", "summary": [], "encrypted_content": "opaque"}
    told: list[dict[str, Any]] = [{"type": name, "response": RESPONSE} for name in BEFORE]
    told += [
        {"type": f"response.output_item.{step}", "output_index": 0, "item": thought} for step in STEPS[: 2 * index]
    ]
    told.append({"type": "response.output_item.added", "output_index": index, "item": message})
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    told.append({"type": "response.content_part.added", **place, "part": part})
    told += [{"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces]
    return [{**event, "sequence_number": number} for number, event in enumerate(told)]


BEFORE = ("response.created", "response.in_progress")
STEPS = ("added", "done")


def test_a_relayed_response_goes_on_elsewhere_and_stays_the_same(house: House) -> None:
    house.native.script(truncated(Reply.named_events(response_events())))
    house.rest.script(finished())
    body = house.ask("responses", "native")
    assert text_of("responses", body) == WHOLE
    assert response_violations(body) == []
    told = events(body)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert {event["item_id"] for event in told if "item_id" in event} == {"msg_up1"}
    done = told[-1]["response"]
    assert (done["id"], done["status"], done["model"]) == ("resp_up1", "completed", "native")
    (message,) = done["output"]
    assert (message["id"], message["content"][0]["text"]) == ("msg_up1", WHOLE)
    assert done["usage"]["output_tokens"] > 5
    found = house.gateway.http("GET", "/v1/responses/resp_up1").json()
    assert found["output"] == done["output"], "and it is stored like that"
    sent = house.rest.inference[-1].json()
    assert sent["messages"][-1] == {"role": "assistant", "content": "Once upon a time"}


def test_a_failure_told_in_a_relayed_response_is_made_good(house: House) -> None:
    broken = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "no"}}
    failure = {"type": "response.failed", "sequence_number": 9, "response": broken}
    house.native.script(Reply.named_events([*response_events(), failure], 0.02))
    house.rest.script(finished())
    body = house.ask("responses", "native")
    assert text_of("responses", body) == WHOLE and response_violations(body) == []


def test_reasoning_of_a_relayed_response_is_nobody_elses(house: House) -> None:
    house.native.script(truncated(Reply.named_events(response_events(reasons=True))))
    body = house.ask("responses", "native")
    assert house.rest.inference == [] and events(body)[-1]["type"] in {"response.failed", "error"}
