from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Broken, GatewayError, Malformed, Overloaded, Rejected, Unreachable, Unsupported
from pointsman.core.nursery import Nursery
from pointsman.core.price import FREE
from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Operation
from pointsman.core.usage import Usage
from pointsman.dialects.openai_fields import read_ask
from pointsman.policies.parameters import take_rules
from pointsman.providers.media import FetchedMedia, MediaFetcher, MediaKind
from pointsman.providers.ollama import ContextWindows, OllamaFactsCache, OllamaServices, ollama_lane
from tests.unit.providers.scripted import FakeClock, ScriptedFetcher

HOST = "127.0.0.1:11434"
HELLO = [{"role": "user", "content": "hello"}]
DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 12, "eval_count": 3}


class Album(MediaFetcher):
    async def fetch(self, url: str, param: str, kind: MediaKind = "image") -> FetchedMedia:
        return FetchedMedia("image/png", "UE5H")


class Bench:
    def __init__(self, operation: Operation = Operation.CHAT, **fields: Any) -> None:
        self.operation = operation
        self.fetcher = ScriptedFetcher()
        self.clock = FakeClock()
        self.suspicions: list[tuple[str, int, int]] = []
        self.show(["completion", "tools", "vision", "thinking", "insert"])
        self.windows = ContextWindows()
        facts = OllamaFactsCache(self.fetcher, Nursery(lambda _name, _error: None), self.windows, self.clock)
        services = OllamaServices(
            facts=facts,
            windows=self.windows,
            media=Album(),
            estimate=len,
            on_truncation=lambda *told: self.suspicions.append(told),
            clock=self.clock,
        )
        deployment = Deployment(
            "d1", "public", "ollama", "llama3.2", "ollama/llama3.2", f"http://{HOST}", FREE, **fields
        )
        self.lane: Lane = ollama_lane(operation, deployment, services)

    def show(self, capabilities: list[str] | None, context: int = 131_072, **more: Any) -> None:
        info = {"general.architecture": "llama", "llama.context_length": context}
        page = {"capabilities": capabilities, "model_info": info, **more}
        self.fetcher.pages[HOST] = {"/api/show": page, "/api/ps": {"models": []}}

    def ask(self, **body: Any) -> Ask:
        if self.operation is Operation.CHAT:
            body = {"messages": HELLO, **body}
        return read_ask(json.dumps({"model": "my-model", **body}).encode(), self.operation, None)

    async def sent(self, **body: Any) -> dict[str, Any]:
        ask = self.ask(**body)
        await self.lane.prepare(ask)
        outbound = self.lane.write(ask)
        self.path = outbound.path
        written: dict[str, Any] = json.loads(outbound.body)
        return written

    async def answer(self, **body: Any) -> Answer:
        ask = self.ask(**body)
        await self.lane.prepare(ask)
        self.lane.write(ask)
        return self.lane.answer(ask)


def lines(*objects: dict[str, Any]) -> bytes:
    head = {"model": "llama3.2", "created_at": "2026-11-01T10:00:00Z", "done": False}
    return b"".join(json.dumps({**head, **item}).encode() + b"\n" for item in objects)


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text, **more}}


def chunks(stream: bytes) -> list[dict[str, Any]]:
    blocks = [block.removeprefix(b"data: ") for block in stream.split(b"\n\n") if block]
    assert blocks[-1] == b"[DONE]"
    return [json.loads(block) for block in blocks[:-1]]


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_chat_goes_to_the_native_api_with_a_sized_window() -> None:
    bench = Bench(keep_alive=msgspec.Raw(b'"10m"'))
    body = await bench.sent(temperature=0.5, max_tokens=50, stream=True)
    assert bench.path == b"/api/chat"
    assert body["model"] == "llama3.2"
    assert body["messages"] == [{"role": "user", "content": "hello"}]
    assert body["stream"] is True
    assert body["options"] == {"temperature": 0.5, "num_predict": 50, "num_ctx": 4096}
    assert body["keep_alive"] == "10m"


async def test_two_prompts_of_like_length_load_the_model_once() -> None:
    bench = Bench()
    first = await bench.sent(messages=[{"role": "user", "content": "x" * 5000}])
    second = await bench.sent(messages=[{"role": "user", "content": "x" * 6000}])
    assert first["options"] == second["options"]
    assert first["options"]["num_ctx"] >= 6000


async def test_a_prompt_that_cannot_fit_is_refused_with_both_numbers() -> None:
    bench = Bench()
    bench.show(["completion"], context=4096)
    with pytest.raises(Malformed) as raised:
        await bench.sent(messages=[{"role": "user", "content": "x" * 6000}])
    assert raised.value.code == "context_length_exceeded"
    assert "6009" in raised.value.message
    assert "4096" in raised.value.message


async def test_the_operators_window_and_cap_hold() -> None:
    assert (await Bench(num_ctx=12_345).sent())["options"]["num_ctx"] == 12_345
    with pytest.raises(Malformed, match="8192"):
        await Bench(num_ctx_max=8192).sent(messages=[{"role": "user", "content": "x" * 9000}])
    with pytest.raises(Malformed, match="num_ctx asks for"):
        await Bench(num_ctx_max=8192).sent(num_ctx=10_000)


@pytest.mark.parametrize("body", [{"num_ctx": 20_000}, {"options": {"num_ctx": 20_000}}])
async def test_the_clients_window_is_honoured(body: dict[str, Any]) -> None:
    assert (await Bench().sent(**body))["options"]["num_ctx"] == 20_000


async def test_a_model_that_thinks_gets_room_for_it() -> None:
    prompt = [{"role": "user", "content": "x" * 2000}]
    assert (await Bench().sent(messages=prompt))["options"]["num_ctx"] == 8192
    assert (await Bench().sent(messages=prompt, reasoning_effort="none"))["options"]["num_ctx"] == 4096


async def test_ollamas_own_bound_on_the_answer_counts_as_one() -> None:
    assert (await Bench().sent(num_predict=20_000))["options"]["num_ctx"] == 32_768
    assert (await Bench().sent(num_predict=-1, reasoning_effort="none"))["options"]["num_ctx"] == 4096


async def test_a_cloud_model_is_sent_no_window_but_still_checked() -> None:
    bench = Bench()
    bench.show(["completion"], context=4096, remote_host="https://ollama.com")
    assert "num_ctx" not in (await bench.sent()).get("options", {})
    with pytest.raises(Malformed):
        await bench.sent(messages=[{"role": "user", "content": "x" * 6000}])


async def test_the_clients_fields_win_over_the_operators() -> None:
    pinned = {
        "temperature": msgspec.Raw(b"0.1"),
        "seed": msgspec.Raw(b"7"),
        "model": msgspec.Raw(b'"evil"'),
        "stream": msgspec.Raw(b"true"),
    }
    body = await Bench(pinned=pinned).sent(temperature=0.9)
    assert body["options"]["temperature"] == 0.9
    assert body["options"]["seed"] == 7
    assert body["model"] == "llama3.2"
    assert body["stream"] is False


async def test_what_ollama_does_not_know_is_refused_or_dropped_as_the_operator_says() -> None:
    with pytest.raises(Unsupported, match="logit_bias"):
        await Bench().sent(logit_bias={"1": 5})
    await Bench(drop_params=True).sent(logit_bias={"1": 5})
    await Bench(additional_drop_params=("logit_bias",)).sent(logit_bias={"1": 5})


async def test_what_the_model_cannot_do_is_refused_before_it_is_asked() -> None:
    bench = Bench()
    bench.show(["completion"])
    with pytest.raises(Unsupported) as raised:
        await bench.sent(tools=[{"type": "function", "function": {"name": "f"}}])
    assert raised.value.param == "tools"
    with pytest.raises(Unsupported):
        await bench.sent(reasoning_effort="high")
    assert "think" not in await bench.sent(reasoning_effort="none")


async def test_think_levels_are_the_models_own() -> None:
    bench = Bench()
    bench.show(["completion", "thinking"], thinking={"values": [False, "low", "high"]})
    assert (await bench.sent(reasoning_effort="high"))["think"] == "high"
    bench = Bench()
    bench.show(["completion", "thinking"], thinking="odd")
    assert (await bench.sent(reasoning_effort="high"))["think"] is True


async def test_a_remote_image_goes_out_by_value() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://pictures.example/x.png"}}
    body = await Bench().sent(messages=[{"role": "user", "content": [{"type": "text", "text": "see"}, image]}])
    assert body["messages"][0]["images"] == ["UE5H"]


async def test_facts_are_asked_once() -> None:
    bench = Bench()
    for _ in range(5):
        await bench.sent()
    assert len(bench.fetcher.asked) == 2


async def test_a_host_that_is_down_fails_in_prepare() -> None:
    bench = Bench()
    bench.fetcher.pages.clear()
    with pytest.raises(Unreachable):
        await bench.sent()


async def test_without_facts_the_request_is_written_all_the_same() -> None:
    bench = Bench(context_tokens=8192)
    ask = bench.ask()
    assert json.loads(bench.lane.write(ask).body)["options"]["num_ctx"] == 4096
    with pytest.raises(Malformed, match="8192"):
        bench.lane.write(bench.ask(messages=[{"role": "user", "content": "x" * 9000}]))


# ── Answers of chats ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_whole_chat_answer_names_the_model_as_the_client_did() -> None:
    answer = await (bench := Bench()).answer()
    body = json.loads(answer.whole(lines({**said("hi there"), **DONE})))
    assert body["model"] == "my-model"
    assert body["choices"][0]["message"]["content"] == "hi there"
    assert body["usage"]["prompt_tokens"] == 12
    assert answer.usage == Usage(12, 3, source="measured")
    assert bench.suspicions == []


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_stream_is_relayed_whatever_pieces_it_comes_in(size: int) -> None:
    answer = await Bench().answer(stream=True, stream_options={"include_usage": True})
    upstream = lines(said("", thinking="hm"), said("Hel"), said("lo"), {**said(""), **DONE})
    stream = b"".join(answer.feed(upstream[at : at + size]) for at in range(0, len(upstream), size)) + answer.end()
    pieces = chunks(stream)
    deltas = [piece["choices"][0]["delta"] for piece in pieces if piece["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello"
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "hm"
    assert {piece["model"] for piece in pieces} == {"my-model"}
    assert len({piece["id"] for piece in pieces}) == 1
    assert pieces[-1]["usage"]["total_tokens"] == 15
    assert answer.usage == Usage(12, 3, source="measured")
    assert answer.error is None


async def test_parallel_tool_calls_keep_their_places_and_end_as_tool_calls() -> None:
    def call(name: str) -> dict[str, Any]:
        return {"function": {"name": name, "arguments": {"x": 1}}}

    tools = [{"type": "function", "function": {"name": "f"}}]
    for body, expected in (({}, [0, 1]), ({"parallel_tool_calls": False}, [0])):
        answer = await Bench().answer(stream=True, tools=tools, **body)
        pieces = chunks(
            answer.feed(lines(said("", tool_calls=[call("f"), call("g")]), {**said(""), **DONE})) + answer.end()
        )
        calls = [item for piece in pieces for item in piece["choices"][0]["delta"].get("tool_calls", ())]
        assert sorted({item["index"] for item in calls}) == expected
        assert pieces[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_an_error_before_any_content_is_an_ordinary_error() -> None:
    answer = await Bench().answer(stream=True)
    with pytest.raises(Broken, match="out of memory"):
        answer.feed(b'{"error":"llama runner: out of memory"}\n')


async def test_an_error_in_the_middle_is_told_behind_what_came_before_it() -> None:
    answer = await Bench().answer(stream=True)
    out = answer.feed(lines(said("Hel")) + b'{"error":"runner crashed"}\n' + lines(said("lo")))
    out += answer.end()
    assert out.endswith(b"data: [DONE]\n\n")
    assert out.index(b"Hel") < out.index(b"runner crashed")
    assert b'"lo"' not in out
    assert isinstance(answer.error, Broken)
    assert answer.usage.source == "estimated"
    assert answer.failed(Broken("again")) == b""


async def test_a_stream_that_stops_short_is_a_failure() -> None:
    answer = await Bench().answer(stream=True)
    with pytest.raises(Broken):
        answer.end()
    answer = await Bench().answer(stream=True)
    out = answer.feed(lines(said("Hel"))) + answer.end()
    assert b"before the answer was complete" in out
    assert isinstance(answer.error, Broken)


async def test_an_answer_that_was_cut_off_is_estimated() -> None:
    answer = await Bench().answer(stream=True)
    answer.feed(lines(said("a"), said("b"), said("c")))
    answer.cut()
    assert answer.usage == Usage(13, 3, source="estimated")


async def test_a_failure_of_the_gateways_own_ends_the_stream() -> None:
    answer = await Bench().answer(stream=True)
    answer.feed(lines(said("a")))
    out = answer.failed(Broken("The upstream fell silent."))
    assert b"fell silent" in out
    assert out.endswith(b"data: [DONE]\n\n")
    assert answer.feed(lines(said("b"))) == b""


async def test_an_answer_without_counts_is_estimated_also_towards_the_client() -> None:
    answer = await Bench().answer(stream=True, stream_options={"include_usage": True})
    pieces = chunks(answer.feed(lines(said("a"), {"done": True, "done_reason": "stop"})) + answer.end())
    assert answer.usage == Usage(13, 1, source="estimated")
    assert pieces[-1]["usage"]["prompt_tokens"] == 13


async def test_a_prompt_that_seems_to_have_been_cut_is_flagged() -> None:
    bench = Bench()
    answer = await bench.answer(messages=[{"role": "user", "content": "x" * 6000}])
    answer.whole(lines({**said("hi"), **DONE, "prompt_eval_count": 2048}))
    assert bench.suspicions == [("d1", 6008, 2048)]
    assert "2048" in (getattr(answer, "warning", None) or "")


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "words"),
    [
        (404, b'{"error":"model \'llama3.2\' not found"}', Rejected, "model_not_found", "ollama pull llama3.2"),
        (400, b'{"error":"\\"llama3.2\\" does not support tools"}', Rejected, "unsupported_parameter", "tools"),
        (400, b'{"error":"the prompt is longer than the context length currently available"}', Rejected,
         "context_length_exceeded", "About 13 tokens were sent (estimated); the window has 8192."),
        (503, b'{"error":"server busy, please try again"}', Overloaded, None, "busy"),
        (500, b'{"error":"boom"}', Broken, None, "boom"),
    ],
)  # fmt: skip
async def test_an_error_answer_keeps_its_meaning(
    status: int, body: bytes, kind: type[GatewayError], code: str | None, words: str
) -> None:
    answer = await Bench().answer()
    error = answer.rejected(status, body, 7.0)
    assert isinstance(error, kind)
    assert words in error.told()
    assert error.retry_after == 7.0
    if code is not None:
        assert error.code == code


async def test_an_unstreamed_error_object_is_raised() -> None:
    with pytest.raises(Broken, match="boom"):
        (await Bench().answer()).whole(b'{"error":"boom"}')
    with pytest.raises(Broken):
        (await Bench().answer()).whole(b"<html>")


# ── Completions and embeddings ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_text_completion_goes_to_generate_and_comes_back_as_one() -> None:
    bench = Bench(Operation.COMPLETION)
    body = await bench.sent(prompt="once", suffix="end", max_tokens=5)
    assert bench.path == b"/api/generate"
    assert (body["prompt"], body["suffix"], body["options"]["num_ctx"]) == ("once", "end", 4096)
    answer = await bench.answer(prompt="once")
    reply = json.loads(answer.whole(lines({"response": " upon", **DONE})))
    assert (reply["object"], reply["model"], reply["choices"][0]["text"]) == ("text_completion", "my-model", " upon")
    streamed = await bench.answer(prompt="once", stream=True)
    pieces = chunks(streamed.feed(lines({"response": " up"}, {"response": "on", **DONE})) + streamed.end())
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == " upon"
    assert streamed.usage == Usage(12, 3, source="measured")


async def test_a_completion_that_cannot_fit_names_the_prompt() -> None:
    bench = Bench(Operation.COMPLETION, num_ctx_max=4096)
    with pytest.raises(Malformed) as raised:
        await bench.sent(prompt="x" * 5000)
    assert (raised.value.param, raised.value.code) == ("prompt", "context_length_exceeded")


async def test_embeddings_go_to_embed_and_come_back_in_the_clients_encoding() -> None:
    bench = Bench(Operation.EMBEDDING)
    bench.show(["embedding"], context=2048)
    body = await bench.sent(input=["ab", "cde"], dimensions=2)
    assert bench.path == b"/api/embed"
    assert (body["input"], body["truncate"], body["options"]["num_ctx"]) == (["ab", "cde"], False, 2048)
    page = json.dumps({"model": "m", "embeddings": [[0.5, 1.0], [2.0, 3.0]], "prompt_eval_count": 4}).encode()
    answer = await bench.answer(input=["ab", "cde"])
    reply = json.loads(answer.whole(page))
    assert [item["embedding"] for item in reply["data"]] == [[0.5, 1.0], [2.0, 3.0]]
    assert reply["model"] == "my-model"
    assert answer.usage == Usage(4, source="measured")
    encoded = json.loads((await bench.answer(input=["a", "b"], encoding_format="base64")).whole(page))
    assert encoded["data"][0]["embedding"] == "AAAAPwAAgD8="


async def test_the_number_of_vectors_must_be_that_of_the_inputs() -> None:
    bench = Bench(Operation.EMBEDDING)
    page = b'{"embeddings":[[1.0]]}'
    (await bench.answer(input="a")).whole(page)
    with pytest.raises(Broken):
        (await bench.answer(input=["a", "b"])).whole(page)


async def test_embeddings_without_a_count_are_estimated_by_all_inputs() -> None:
    answer = await Bench(Operation.EMBEDDING).answer(input=["ab", "cde"])
    reply = json.loads(answer.whole(b'{"embeddings":[[1.0],[2.0]]}'))
    assert answer.usage == Usage(5, source="estimated")
    assert reply["usage"]["prompt_tokens"] == 5


async def test_an_embedding_input_near_the_limit_is_left_to_the_host_which_refuses_itself() -> None:
    bench = Bench(Operation.EMBEDDING)
    bench.show(["embedding"], context=512)
    assert (await bench.sent(input="x" * 700))["options"]["num_ctx"] == 512
    with pytest.raises(Malformed) as raised:
        await bench.sent(input=["a", "x" * 1000])
    assert raised.value.param == "input"
    assert "1000" in raised.value.message
    answer = await bench.answer(input="x" * 700)
    error = answer.rejected(400, b'{"error":"the input length exceeds the context length"}', None)
    assert error.code == "context_length_exceeded"
    assert "700" in error.message
    assert "512" in error.message


async def test_embeddings_are_not_streamed() -> None:
    bench = Bench(Operation.EMBEDDING)
    with pytest.raises(Unsupported):
        await bench.sent(input="a", stream=True)
    answer = await bench.answer(input="a")
    with pytest.raises(Broken):
        answer.feed(b"x")
    with pytest.raises(Broken):
        answer.end()
    assert answer.failed(Broken("x")) == b""
    answer.cut()
    assert answer.usage == Usage(1, source="estimated")


async def test_parameters_are_dropped_and_passed_on_as_operator_and_request_say() -> None:
    bench = Bench(additional_drop_params=("tools[*].function.strict",), allowed_openai_params=("logit_bias",))
    tool = {"type": "function", "function": {"name": "f", "strict": True}}
    ask = bench.ask(tools=[tool], logit_bias={"1": 2}, n=2, drop_params=True, temperature=1)
    ask.fields["additional_drop_params"] = msgspec.Raw(b'["temperature"]')
    take_rules(ask)
    await bench.lane.prepare(ask)
    body = json.loads(bench.lane.write(ask).body)
    assert "strict" not in body["tools"][0]["function"]
    assert body["options"]["logit_bias"] == {"1": 2}
    assert "temperature" not in body["options"] and "n" not in body["options"]


async def test_embeddings_and_completions_follow_the_same_rules() -> None:
    for operation, fields in ((Operation.EMBEDDING, {"input": "x"}), (Operation.COMPLETION, {"prompt": "x"})):
        bench = Bench(operation)
        ask = bench.ask(**fields, odd_field=1, drop_params=True)
        take_rules(ask)
        await bench.lane.prepare(ask)
        assert b"odd_field" not in bench.lane.write(ask).body
        ask = bench.ask(**fields, odd_field=1, additional_drop_params=["odd_field"])
        take_rules(ask)
        assert b"odd_field" not in bench.lane.write(ask).body
