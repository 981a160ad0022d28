"""What vLLM and SGLang really send is read without loss, relayed, and called by its right name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.core.errors import Broken, Overloaded
from pointsman.core.events import Event, Failed
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.anthropic_messages.envelope import write_stop_reason
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_chat.streams import StreamReader
from pointsman.dialects.openai_errors import read_error
from pointsman.providers.discovery.compatible import CompatibleProbe
from pointsman.providers.discovery.found import Place
from pointsman.providers.discovery.state import StateProbe
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.wire.sse import SseParser
from tests.recorded.local_servers import SERVERS, Recording, recording, recordings
from tests.recorded.test_answers import examine_chat, examine_chat_stream, frames, read_stream, sliced
from tests.unit.providers.scripted import ScriptedFetcher

VLLM = "vllm-0.32.0"
SGLANG = "sglang-0.5.23"
CHATS = "/v1/chat/completions"
AT = "127.0.0.1:8000"


def answered(path: str, *, streamed: bool, but: str) -> list[Any]:
    """The answers of a path, with those left out that failed on the way, whose names end so."""
    return [
        pytest.param(one, id=f"{server}-{one.name}")
        for server in SERVERS
        for one in recordings(server).values()
        if (one.path, one.status, one.is_stream) == (path, 200, streamed) and not one.name.endswith(tuple(but.split()))
    ]


def chunks_of(one: Recording) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames(one.body) if frame != b"[DONE]"]


def relayed(answer: dict[str, Any]) -> dict[str, Any]:
    """What a client gets: the model as it named it, and the reasoning under the name that all upstreams share."""

    def told(said: dict[str, Any]) -> dict[str, Any]:
        return {"reasoning_content" if name == "reasoning" else name: value for name, value in said.items()}

    choices = [{**choice, **{part: told(choice[part]) for part in ("delta", "message") if part in choice}}
               for choice in answer["choices"]]  # fmt: skip
    return {**answer, "model": "mine", "choices": choices}


def events_of(one: Recording) -> list[Event]:
    reader, parser = StreamReader(), SseParser()
    events = [event for frame in [*parser.feed(one.body), *parser.end()] for event in reader.feed(frame.data)]
    return [*events, *reader.end()]


@pytest.mark.parametrize("one", answered(CHATS, streamed=False, but="abort"))
def test_whole_chats_are_read_without_loss(one: Recording) -> None:
    examine_chat((one, json.loads(one.text)))  # type: ignore[arg-type]
    reply = fold(StreamReader().read_whole(one.body))
    for choice, told in zip(reply.choices, json.loads(one.text)["choices"], strict=True):
        message = told["message"]
        assert choice.thinking == (message.get("reasoning") or message.get("reasoning_content") or "")


@pytest.mark.parametrize("one", answered(CHATS, streamed=True, but="abort error busy"))
def test_streamed_chats_are_read_without_loss(one: Recording) -> None:
    chunks = chunks_of(one)
    examine_chat_stream((one, chunks))  # type: ignore[arg-type]
    for choice in read_stream(StreamReader(), one.body).choices:
        deltas = [each["delta"] for chunk in chunks for each in chunk["choices"] if each["index"] == choice.index]
        assert choice.thinking == "".join(
            delta.get("reasoning") or delta.get("reasoning_content") or "" for delta in deltas
        )


@pytest.mark.parametrize("one", answered(CHATS, streamed=True, but="abort error busy"))
def test_streamed_chats_pass_the_express_lane_and_are_metered(one: Recording) -> None:
    chunks = chunks_of(one)
    answer = ExpressAnswer(Ask(Operation.CHAT, "mine", {}, stream=True, include_usage=True))
    passed = b"".join([*(answer.feed(piece) for piece in sliced(one.body)), answer.end()])
    told = [json.loads(frame) for frame in frames(passed) if frame != b"[DONE]"]
    assert told == [relayed(chunk) for chunk in chunks]
    assert answer.error is None
    counts = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    if counts:
        assert (answer.usage.prompt, answer.usage.completion, answer.usage.source) == (
            counts[-1]["prompt_tokens"],
            counts[-1]["completion_tokens"],
            "measured",
        )


@pytest.mark.parametrize("one", answered(CHATS, streamed=False, but="abort"))
def test_whole_chats_pass_the_express_lane(one: Recording) -> None:
    answer = ExpressAnswer(Ask(Operation.CHAT, "mine", {}))
    assert json.loads(answer.whole(one.body)) == relayed(json.loads(one.text))


# ── Ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("server", [VLLM, SGLANG])
@pytest.mark.parametrize("name", ["chat_stop", "stream_stop"])
def test_the_stop_sequence_that_was_met_is_told(server: str, name: str) -> None:
    one = recording(server, name)
    events = events_of(one) if one.is_stream else StreamReader().read_whole(one.body)
    (choice,) = fold(events).choices
    assert (choice.finish_reason, choice.stop_sequence) == ("stop", "far")
    (finished,) = (event for event in events if type(event).__name__ == "Finished")
    assert write_stop_reason(finished, with_tools=False, declined=False) == ("stop_sequence", "far")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("server", "name", "said"), [(VLLM, "chat_stop_token", '"stop_reason":348'), (SGLANG, "chat", '"matched_stop":2')]
)
def test_a_token_that_ended_an_answer_is_no_stop_sequence(server: str, name: str, said: str) -> None:
    one = recording(server, name)
    assert said in one.text
    assert fold(StreamReader().read_whole(one.body)).choices[0].stop_sequence is None


@pytest.mark.parametrize("server", [VLLM, SGLANG])
@pytest.mark.parametrize("name", ["chat_abort", "stream_abort"])
def test_an_answer_that_the_server_gave_up_has_failed(server: str, name: str) -> None:
    one = recording(server, name)
    events = events_of(one) if one.is_stream else StreamReader().read_whole(one.body)
    failures = [event.error for event in events if isinstance(event, Failed)]
    assert [type(error) for error in failures] == [Broken]
    assert "gave up" in failures[0].message


@pytest.mark.parametrize("server", [VLLM, SGLANG])
def test_a_relayed_answer_that_the_server_gave_up_has_failed(server: str) -> None:
    one = recording(server, "stream_abort")
    answer = ExpressAnswer(Ask(Operation.CHAT, "tiny", {}, stream=True, include_usage=True))
    passed = b"".join(answer.feed(piece) for piece in sliced(one.body))
    assert b'"finish_reason":"abort"' in passed
    assert isinstance(answer.error, Broken)
    with pytest.raises(Broken, match="gave up"):
        ExpressAnswer(Ask(Operation.CHAT, "tiny", {})).whole(recording(server, "chat_abort").body)
    nothing = ExpressAnswer(Ask(Operation.CHAT, "tiny", {}, stream=True))
    blocks = one.body.split(b"\n\n")
    assert nothing.is_preface(nothing.feed(blocks[0] + b"\n\n"))
    with pytest.raises(Broken, match="gave up"):
        nothing.feed(next(block for block in blocks if b'"abort"' in block) + b"\n\n")


def test_a_failure_in_a_stream_is_one_before_the_answer_and_in_it() -> None:
    one = recording(VLLM, "stream_error")
    answer = ExpressAnswer(Ask(Operation.CHAT, "tiny", {}, stream=True))
    first, second, _ = one.body.split(b"\n\n", 2)
    assert answer.is_preface(answer.feed(first + b"\n\n"))
    with pytest.raises(Broken, match="Internal server error"):
        answer.feed(second + b"\n\n")
    (failed,) = (event for event in events_of(one) if isinstance(event, Failed))
    assert isinstance(failed.error, Broken)


# ── Errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "status", "code", "param"),
    [
        ("err_model", 404, "model_not_found", "model"),
        ("err_long", 400, "context_length_exceeded", "input_tokens"),
        ("err_max_tokens", 400, "context_length_exceeded", "max_tokens"),
        ("err_type", 400, "upstream_rejected", "body.messages"),
        ("err_temperature", 400, "upstream_rejected", "temperature"),
        ("err_image", 400, "unsupported_parameter", None),
        ("err_schema", 400, "upstream_rejected", None),
        ("completion_suffix", 400, "upstream_rejected", "suffix"),
        ("responses_err", 404, "model_not_found", "model"),
        ("error_500", 502, "upstream_broken", None),
    ],
)
def test_errors_of_vllm_are_what_they_are(name: str, status: int, code: str, param: str | None) -> None:
    one = recording(VLLM, name)
    error = read_error(one.status, one.body)
    assert (error.status, error.code, error.param) == (status, code, param)


def test_errors_of_sglang_are_what_they_are() -> None:
    for name, status, code in (
        ("err_long", 400, "context_length_exceeded"),
        ("err_stream_long", 400, "context_length_exceeded"),
        ("err_empty", 400, "upstream_rejected"),
        ("chat_busy", 503, "upstream_overloaded"),
    ):
        one = recording(SGLANG, name)
        error = read_error(one.status, one.body)
        assert (name, error.status, error.code) == (name, status, code)


def test_a_full_sglang_is_overloaded_before_the_answer() -> None:
    one = recording(SGLANG, "stream_busy")
    answer = ExpressAnswer(Ask(Operation.CHAT, "tiny", {}, stream=True))
    with pytest.raises(Overloaded, match="queue is full"):
        answer.feed(one.body)
    (failed,) = (event for event in events_of(one) if isinstance(event, Failed))
    assert isinstance(failed.error, Overloaded)


@pytest.mark.parametrize("name", ["chat_think", "stream_think"])
def test_sglang_counts_thoughts(name: str) -> None:
    one = recording(SGLANG, name)
    told = json.loads(one.text) if not one.is_stream else chunks_of(one)[-1]
    counted = told["usage"]["reasoning_tokens"]
    assert counted > 0
    reply = fold(events_of(one)) if one.is_stream else fold(StreamReader().read_whole(one.body))
    answer = ExpressAnswer(Ask(Operation.CHAT, "tiny", {}, stream=one.is_stream, include_usage=True))
    _ = answer.feed(one.body) if one.is_stream else answer.whole(one.body)
    assert (reply.usage.reasoning, answer.usage.reasoning) == (counted, counted)
    assert reply.usage.completion == answer.usage.completion == told["usage"]["completion_tokens"]


def test_the_first_chunk_of_each_stream_says_nothing() -> None:
    for server in SERVERS:
        first = recording(server, "stream").body.split(b"\n\n")[0] + b"\n\n"
        answer = ExpressAnswer(Ask(Operation.CHAT, "tiny", {}, stream=True))
        assert answer.is_preface(answer.feed(first)), server


def test_a_path_that_the_server_does_not_have_is_no_unknown_model() -> None:
    one = recording(VLLM, "err_path")
    error = read_error(one.status, one.body)
    assert (error.status, error.code) == (404, "upstream_rejected")
    assert "has no such path" in (error.hint or "")


# ── What it tells of itself ──────────────────────────────────────────────────────────────────────────────────────────


def pages(server: str, **names: str) -> ScriptedFetcher:
    fetcher = ScriptedFetcher()
    found = [recording(server, name) for name in names.values()]
    fetcher.pages[AT] = {one.path: (one.status, one.body) for one in found}
    return fetcher


async def test_vllm_is_found_by_its_models_and_its_version() -> None:
    fetcher = pages(VLLM, models="models", version="version")
    host = await CompatibleProbe(fetcher, Place(f"http://{AT}"), 1.0, lambda _reply: False).look()
    assert (host.kind, host.version) == ("vllm", "0.32.0")
    assert [(model.name, model.context_tokens, model.loaded) for model in host.models] == [("tiny", 2048, True)]


async def test_vllm_tells_its_work_and_its_sleep_in_its_gauges() -> None:
    state = await StateProbe(pages(VLLM, models="models", metrics="metrics"), f"http://{AT}", "vllm").look()
    assert (state.running, state.waiting) == (0, 0)
    assert [model.name for model in state.loaded or ()] == ["tiny"]
    asleep = recording(VLLM, "metrics").text.replace('sleep_state="awake"} 1.0', 'sleep_state="awake"} 0.0')
    fetcher = pages(VLLM, models="models")
    fetcher.pages[AT]["/metrics"] = asleep.encode()
    assert (await StateProbe(fetcher, f"http://{AT}", "vllm").look()).loaded == ()


async def test_a_vllm_without_gauges_tells_its_sleep_where_it_can_sleep() -> None:
    fetcher = pages(VLLM, models="models", sleeps="is_sleeping_then")
    assert (await StateProbe(fetcher, f"http://{AT}", "vllm").look()).loaded == ()
