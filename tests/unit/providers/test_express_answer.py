"""The express lane relays any stream in any pieces as the same bytes, and meters it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.errors import Broken, GatewayError, Overloaded, Rejected
from pointsman.core.upstream import Ask, Operation
from pointsman.core.usage import Usage
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.wire.limits import EVENT_BYTES_MAX

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
MEASURED = Usage(11, 7, source="measured")
WORDS = st.sampled_from(
    [
        "Hello",
        " wörld",
        "你好",
        "\n\n",
        '"usage":null',
        '"usage"',
        '"error"',
        "data: [DONE]\n\n",
        '"finish_reason":"x"',
        "",
        "\r\n",
    ]
)


def ask(*, usage: bool = False, operation: Operation = Operation.CHAT) -> Ask:
    return Ask(operation, "m", {}, stream=True, include_usage=usage, prompt_estimate=9)


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def usage_chunk(**more: Any) -> dict[str, Any]:
    return {**chunk({}), "choices": [], "usage": USAGE, **more}


class Upstream:
    """A stream as some server would send it. ``usage`` says where the counts are."""

    def __init__(self, words: Sequence[str], usage: str, *, compact: bool = True, done: bool = True) -> None:
        null = {"usage": None} if usage.startswith("nulls") else {}
        chunks = [chunk({"role": "assistant", "content": ""}, **null)]
        chunks += [chunk({"content": word}, **null) for word in words]
        if usage == "last chunk":
            chunks.append(chunk({}, "stop", usage=USAGE))
        else:
            chunks.append(chunk({}, "stop", **null))
        if usage.endswith("own chunk"):
            chunks.append(usage_chunk())
        self.chunks = chunks
        self.usage = usage
        self.done = done
        self._compact = compact

    def wire(self, newline: str = "\n", *, space: bool = True, comments: bool = False) -> bytes:
        separators = (",", ":") if self._compact else (", ", ": ")
        prefix = "data: " if space else "data:"
        events = [prefix + json.dumps(entry, ensure_ascii=False, separators=separators) for entry in self.chunks]
        if self.done:
            events.append(prefix + "[DONE]")
        if comments:
            events = [line for event in events for line in (": ping", event)]
        return "".join(event + newline * 2 for event in events).encode()

    def told(self, *, with_usage: bool) -> list[dict[str, Any]]:
        """What the client is to receive."""
        if with_usage:
            return self.chunks
        kept = [entry for entry in self.chunks if not entry.get("usage") or entry["choices"]]
        return [{name: value for name, value in entry.items() if name != "usage"} for entry in kept]


UPSTREAMS = st.builds(
    Upstream,
    st.lists(WORDS, max_size=5),
    st.sampled_from(["none", "own chunk", "last chunk", "nulls", "nulls and own chunk"]),
    compact=st.booleans(),
    done=st.booleans(),
)


def relay(answer: ExpressAnswer, pieces: Sequence[bytes]) -> bytes:
    out = b""
    for piece in pieces:
        block = answer.feed(piece)
        assert block == b"" or block.endswith(b"\n\n"), "only complete events are passed on"
        out += block
    return out + answer.end()


def cut_up(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(edges)]


def events_of(out: bytes) -> Iterator[dict[str, Any]]:
    for event in out.split(b"\n\n"):
        if event.startswith(b"data:") and event != b"data: [DONE]":
            yield json.loads(event[5:])


@settings(max_examples=300)
@given(
    UPSTREAMS,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 10_000), max_size=12),
)
def test_any_stream_in_any_pieces_is_the_same_stream_to_the_client(
    upstream: Upstream, newline: str, space: bool, comments: bool, with_usage: bool, places: list[int]
) -> None:
    wire = upstream.wire(newline, space=space, comments=comments)
    whole = ExpressAnswer(ask(usage=with_usage))
    out = relay(whole, [wire])
    assert list(events_of(out)) == upstream.told(with_usage=with_usage)
    assert out.endswith(DONE) and out.count(b"\n\ndata: [DONE]\n\n") == 1 and b"\r" not in out
    assert (whole.usage == MEASURED) is ("own chunk" in upstream.usage or upstream.usage == "last chunk")
    for pieces in (cut_up(wire, places), wire.splitlines(keepends=True), [wire[i : i + 1] for i in range(len(wire))]):
        answer = ExpressAnswer(ask(usage=with_usage))
        assert relay(answer, pieces) == out
        if whole.usage.source == "measured":
            assert answer.usage == whole.usage


@given(UPSTREAMS)
def test_a_plain_stream_is_relayed_byte_by_byte_as_it_came(upstream: Upstream) -> None:
    wire = upstream.wire()
    out = relay(ExpressAnswer(ask(usage=True)), [wire])
    assert out == (wire if upstream.done else wire + DONE)


def sse(*entries: dict[str, Any] | str) -> bytes:
    texts = [entry if isinstance(entry, str) else json.dumps(entry, separators=(",", ":")) for entry in entries]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


GOOD = sse(chunk({"content": "Hi"}), chunk({}, "stop"))


@pytest.mark.parametrize(
    "ending",
    [b"", b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n\r\n"]  # noqa: RUF005
    + [b"data: [DONE]\n\n\n", b"data: [DONE]\n\n: bye\n\n", b": bye\n\n", b"\n\n", b": one\n\n: two\n\n: three\n\n"],
)
@pytest.mark.parametrize("width", [1, 7, 100_000])
def test_done_is_said_once_and_at_the_end_however_the_upstream_ends(ending: bytes, width: int) -> None:
    wire = GOOD + ending
    out = relay(ExpressAnswer(ask()), [wire[i : i + width] for i in range(0, len(wire), width)])
    assert out.startswith(GOOD) and out.endswith(DONE) and out.count(b"[DONE]") == 1


@pytest.mark.parametrize("width", [1, 100_000])
@pytest.mark.parametrize("extra", [0, 1, 2, 3])
def test_an_answer_counts_as_complete_by_its_finish_reason_whatever_follows_it(width: int, extra: int) -> None:
    wire = GOOD + sse(*[usage_chunk(note=number) for number in range(extra)]) + b": bye\n\n"
    out = relay(ExpressAnswer(ask(usage=True)), [wire[i : i + width] for i in range(0, len(wire), width)])
    assert out == wire + DONE


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        sse(chunk({"content": "Hi"})),
        GOOD[:-20],
        GOOD[:-3],
        sse(chunk({"content": "Hi"})) + b"data: {",
        sse(chunk({"content": '"finish_reason":"stop"'})),
        sse(chunk({"content": "Hi"})) + b"data",
        b": ping\n\n",
    ],
)
@pytest.mark.parametrize("width", [1, 100_000])
def test_a_stream_that_was_cut_off_is_broken_and_is_estimated(cut: bytes, width: int) -> None:
    answer = ExpressAnswer(ask())
    for start in range(0, len(cut), width):
        answer.feed(cut[start : start + width])
    with pytest.raises(Broken):
        answer.end()
    answer.cut()
    assert answer.usage.source == "estimated" and answer.usage.prompt == 9


def test_a_last_event_without_its_empty_line_is_passed_on_if_it_is_whole() -> None:
    wire = GOOD.rstrip(b"\n")
    assert relay(ExpressAnswer(ask()), [wire]) == GOOD + DONE
    last = sse(chunk({}, "stop", usage=USAGE)).rstrip(b"\n")
    answer = ExpressAnswer(ask())
    out = relay(answer, [last])
    assert answer.usage == MEASURED and b"usage" not in out


@pytest.mark.parametrize("piece", [65_536, 1_000_003])
def test_ten_megabytes_without_a_newline_are_broken_off_and_not_gathered(piece: int) -> None:
    answer = ExpressAnswer(ask())
    fed = 0
    with pytest.raises(Broken, match="longer than"):  # noqa: PT012
        while fed < 10_000_000:
            assert answer.feed(b"x" * piece) == b""
            fed += piece
    assert fed <= EVENT_BYTES_MAX + piece


def test_a_large_event_in_small_pieces_passes_in_linear_time() -> None:
    wire = sse(chunk({"content": "x" * 4_000_000})) + GOOD
    pieces = [wire[start : start + 1000] for start in range(0, len(wire), 1000)]
    assert relay(ExpressAnswer(ask()), pieces) == wire + DONE


SAID = sse(chunk({"content": "Well"}))
ROLE = sse(chunk({"role": "assistant", "content": ""}))
ERROR = {"error": {"message": "The model ran out of memory.", "type": "server_error", "code": "oom"}}


@pytest.mark.parametrize(
    "wire", [GOOD[:-1] + b"\n" + sse(ERROR), SAID + sse(ERROR), SAID + sse(ERROR, "[DONE]"), SAID + sse(ERROR).rstrip()]
)
@pytest.mark.parametrize("width", [1, 100_000])
def test_an_error_event_reaches_the_client_and_the_ledger(wire: bytes, width: int) -> None:
    answer = ExpressAnswer(ask())
    out = relay(answer, [wire[start : start + width] for start in range(0, len(wire), width)])
    assert list(events_of(out))[-1] == ERROR and out.endswith(DONE) and out.count(b"[DONE]") == 1
    assert isinstance(answer.error, Broken) and "ran out of memory" in answer.error.message
    assert answer.error.code == "oom"


@pytest.mark.parametrize("before", [[], [ROLE]])
def test_an_error_before_any_of_the_answer_can_still_be_an_answer_of_its_own(before: list[bytes]) -> None:
    answer = ExpressAnswer(ask())
    for block in before:
        assert answer.is_preface(answer.feed(block))
    with pytest.raises(Overloaded, match=r"Slow down\."):
        answer.feed(sse({"error": {"message": "Slow down.", "code": 429}}))


@pytest.mark.parametrize(
    "delta", [{"content": "x"}, {"role": "assistant", "content": "x"}, {"content": "", "reasoning": "x"},
              {"content": None, "tool_calls": [{"index": 0}]}, {"content": "", "refusal": "No"}],
)  # fmt: skip
def test_whatever_says_something_is_no_preface(delta: dict[str, object]) -> None:
    answer = ExpressAnswer(ask())
    assert not answer.is_preface(answer.feed(sse(chunk(delta))))
    answer = ExpressAnswer(ask())
    answer.feed(ROLE)
    assert not answer.is_preface(answer.feed(sse(chunk(delta)))), "nor is anything after the first"


def test_an_error_event_that_names_a_status_has_that_status() -> None:
    answer = ExpressAnswer(ask())
    relay(answer, [SAID, sse({"error": {"message": "Slow down.", "code": 429}})])
    assert isinstance(answer.error, Overloaded) and answer.error.status == 429


def test_an_error_event_with_usage_is_told_all_the_same() -> None:
    answer = ExpressAnswer(ask())
    out = relay(answer, [SAID, sse({**ERROR, "usage": USAGE})])
    assert list(events_of(out))[-1] == ERROR and answer.error is not None and answer.usage == MEASURED


def test_an_error_field_that_says_null_is_no_error() -> None:
    answer = ExpressAnswer(ask())
    wire = sse(chunk({"content": "x"}, error=None), chunk({}, "stop", error=None))
    assert relay(answer, [wire]) == wire + DONE and answer.error is None


def test_the_key_of_the_upstream_is_taken_out_of_an_error_event() -> None:
    answer = ExpressAnswer(ask(), b"the-upstream-key")
    wire = sse({"error": {"message": "Incorrect API key: the-upstream-key.", "code": "invalid_api_key"}})
    out = relay(answer, [SAID, wire])
    assert b"the-upstream-key" not in out and b"Incorrect API key" in out
    plain = sse(chunk({"content": "the-upstream-key"}), chunk({}, "stop"))
    assert relay(ExpressAnswer(ask(), b"the-upstream-key"), [plain]) == plain + DONE, "no answer is ever changed"


@pytest.mark.parametrize("prefix", ["event: message\n", "id: 7\n", ": comment\n", "retry: 10\n", "\n"])
@pytest.mark.parametrize("width", [1, 100_000])
def test_usage_is_found_and_taken_out_beside_other_lines_of_an_event(prefix: str, width: int) -> None:
    wire = GOOD + prefix.encode() + sse(usage_chunk()) + DONE
    answer = ExpressAnswer(ask())
    out = relay(answer, [wire[start : start + width] for start in range(0, len(wire), width)])
    assert answer.usage == MEASURED and b"prompt_tokens" not in out


def test_a_chunk_without_choices_and_without_counts_is_passed_on() -> None:
    """Azure sends the verdict of its filter on the prompt first, in a chunk without choices."""
    first = {"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]}
    for usage in ({}, {"usage": None}):
        wire = sse({**first, **usage}) + GOOD
        mixed = sse({**first, **usage}) + GOOD + sse(usage_chunk())
        for stream in (wire, mixed):
            assert list(events_of(relay(ExpressAnswer(ask()), [stream])))[0] == first  # noqa: RUF015


def test_fields_beside_a_stripped_usage_survive_as_they_were() -> None:
    odd = (
        '{"id":"c","weird":[1,{"a":1e400}],"choices":[{"x":"\\u00e9","finish_reason":"stop"}],"usage":'
        + json.dumps(USAGE)
        + "}"
    )
    out = relay(ExpressAnswer(ask()), [sse(odd)])
    assert (
        out == b'data: {"id":"c","weird":[1,{"a":1e400}],"choices":[{"x":"\\u00e9","finish_reason":"stop"}]}\n\n' + DONE
    )


@pytest.mark.parametrize("usage", ['{"prompt_tokens":"many"}', '"lots"', "[]", "{}", '{"prompt_tokens":null}', "1"])
def test_a_usage_that_makes_no_sense_is_estimated_and_the_stream_goes_on(usage: str) -> None:
    answer = ExpressAnswer(ask())
    odd = f'{{"id":"c","choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],"usage":{usage}}}'
    out = relay(answer, [sse(odd)])
    assert out.endswith(DONE) and answer.usage.source == "estimated"


def test_a_longer_answer_is_estimated_at_more_tokens() -> None:
    def estimated(words: list[str]) -> int:
        answer = ExpressAnswer(ask())
        for word in words:
            answer.feed(sse(chunk({"content": word})))
        answer.cut()
        return answer.usage.completion

    assert estimated(["word"] * 40) >= 40
    assert estimated(["word"] * 40) < estimated(["word " * 50] * 40)


def test_counts_that_came_before_the_cut_are_kept() -> None:
    answer = ExpressAnswer(ask())
    answer.feed(sse(chunk({"content": "x"}, usage=USAGE)))
    answer.cut()
    assert answer.usage == MEASURED


def test_of_counts_in_every_chunk_the_last_ones_hold() -> None:
    answer = ExpressAnswer(ask())
    growing = [chunk({"content": "x"}, usage={**USAGE, "completion_tokens": number}) for number in range(1, 6)]
    relay(answer, [sse(*growing, chunk({}, "stop", usage=USAGE))])
    assert answer.usage == MEASURED


# -- whole answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        (USAGE, MEASURED),
        ({"prompt_tokens": 5}, Usage(5, 0, source="measured")),
        (
            {
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1, "cache_creation_tokens": 2, "new": 1},
                "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": None},
            },
            Usage(11, 7, cached=4, cache_write=2, reasoning=3, audio_input=1, source="measured"),
        ),
        ({**USAGE, "prompt_tokens_details": None}, MEASURED),
    ],
)
def test_the_usage_of_a_whole_answer_is_read(wire: dict[str, Any], usage: Usage) -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hi"}}], "usage": wire}).encode()
    answer = ExpressAnswer(ask())
    assert answer.whole(body) is body and answer.usage == usage


@pytest.mark.parametrize("usage", ["", ',"usage":null', ',"usage":"odd"', ',"usage":{"prompt_tokens":"x"}'])
def test_a_whole_answer_without_sensible_usage_is_estimated(usage: str) -> None:
    body = ('{"choices":[{"message":{"content":"' + "word " * 100 + '"}}]' + usage + "}").encode()
    answer = ExpressAnswer(ask())
    assert answer.whole(body) is body
    assert answer.usage.source == "estimated" and answer.usage.prompt == 9 and 100 <= answer.usage.completion <= 160


def test_an_embedding_without_usage_has_no_completion_tokens() -> None:
    answer = ExpressAnswer(ask(operation=Operation.EMBEDDING))
    answer.whole(json.dumps({"data": [{"embedding": [0.123456789] * 500}]}).encode())
    assert answer.usage == Usage(9, 0, source="estimated")


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[1]", b'"text"', b"{", b"null", b"<html>Bad gateway</html>", b"\xff\xfe"]
)
def test_a_whole_answer_that_is_no_json_object_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        ExpressAnswer(ask()).whole(body)


@pytest.mark.parametrize("more", [{}, {"choices": None}])
def test_an_error_under_status_200_is_an_error(more: dict[str, Any]) -> None:
    with pytest.raises(GatewayError, match="out of memory") as caught:
        ExpressAnswer(ask()).whole(json.dumps({**ERROR, **more}).encode())
    assert caught.value.status == 502


@pytest.mark.parametrize("error", [{"error": None}, {"error": None, "choices": []}])
def test_an_error_field_of_null_is_no_error_in_a_whole_answer(error: dict[str, Any]) -> None:
    body = json.dumps({"data": [], "usage": USAGE, **error}).encode()
    assert ExpressAnswer(ask()).whole(body) is body


# -- errors by status ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [(400, Rejected, 400), (404, Rejected, 404), (429, Overloaded, 429), (503, Overloaded, 503), (500, Broken, 502)],
)
def test_an_error_answer_keeps_its_status_its_words_and_its_retry_after(
    status: int, kind: type[GatewayError], told: int
) -> None:
    error = ExpressAnswer(ask()).rejected(status, json.dumps(ERROR).encode(), 7.0)
    assert type(error) is kind and error.status == told and error.retry_after == 7.0
    assert "ran out of memory" in error.message


def test_a_failure_in_a_begun_stream_is_an_error_event_and_the_end() -> None:
    out = ExpressAnswer(ask()).failed(Broken("Cut off."))
    assert out.endswith(DONE) and next(events_of(out))["error"]["message"] == "Cut off."


# -- the names in an answer ------------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "up-2025",
    "choices": [{"index": 0, "message": {"content": '{"model":"up-2025"}', "model": "up-2025"}}],
    "usage": USAGE,
}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("order", [1, -1])
def test_a_whole_answer_names_the_model_that_was_asked_for(order: int, separators: tuple[str, str]) -> None:
    """Wherever the name stands, and only there; the rest is as it was."""
    answer = ExpressAnswer(Ask(Operation.CHAT, 'a "b" é', {}))
    body = dict(list(WHOLE.items())[::order])
    out = answer.whole(json.dumps(body, separators=separators).encode())
    assert json.loads(out) == {**body, "model": 'a "b" é'}
    assert (answer.answer_id, answer.usage) == ("chatcmpl-1", MEASURED)


@pytest.mark.parametrize("odd", [{"model": None}, {"model": 5}, {"id": 7}, {"id": ["x"]}, {"id": ""}, {"id": None}])
def test_odd_names_are_left_alone(odd: dict[str, Any]) -> None:
    answer = ExpressAnswer(Ask(Operation.CHAT, "up-2025", {}))
    body = json.dumps({**WHOLE, **odd}).encode()
    assert answer.whole(body) == body
    assert answer.answer_id == (None if "id" in odd else "chatcmpl-1") and answer.usage == MEASURED


def test_an_answer_of_a_model_that_stands_in_names_that_one() -> None:
    asked = Ask(Operation.CHAT, "first", {}, answers_as="second")
    assert json.loads(ExpressAnswer(asked).whole(json.dumps(WHOLE).encode()))["model"] == "second"


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("usage", ["last chunk", "own chunk", "none"])
def test_every_chunk_of_a_stream_names_the_model_that_was_asked_for(usage: str, *, compact: bool) -> None:
    words = ["Hello", '"model":"m"', '{"model": "m"}', "you"]
    upstream = Upstream(words, usage, compact=compact)
    plain, named = ExpressAnswer(ask(usage=True)), ExpressAnswer(ask(usage=True))
    named.ask.model = "mine"
    blocks = upstream.wire().split(b"\n\n")[:-1]
    same = b"".join([plain.feed(block + b"\n\n") for block in blocks]) + plain.end()
    out = b"".join([named.feed(block + b"\n\n") for block in blocks]) + named.end()
    found = [json.loads(line[6:]) for line in out.split(b"\n") if line.startswith(b"data: {")]
    assert found == [{**json.loads(line[6:]), "model": "mine"} for line in same.split(b"\n") if b"data: {" in line]
    assert (named.answer_id, named.usage) == ("c1", plain.usage)


def test_a_first_event_without_names_is_waited_out() -> None:
    """Azure begins with one that tells of its filters alone."""
    answer = ExpressAnswer(ask())
    answer.ask.model = "mine"
    first = b'data: {"choices":[],"created":0,"id":"","model":"","object":""}\n\n'
    second = b'data: {"id":"c1","model":"m","choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
    assert answer.feed(first) == first
    assert answer.feed(second) == second.replace(b'"m"', b'"mine"')
    assert answer.feed(second) == second.replace(b'"m"', b'"mine"') and answer.answer_id == "c1"


def text(said: bytes, created: int = 1, *, before: bytes = b"") -> bytes:
    return (
        b'data: {"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":%d,"model":"m",%b"choices":'
        b'[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % (created, before, said)
    )


@pytest.mark.parametrize("model", ["m", "mine"])
@pytest.mark.parametrize(
    "reads",
    [
        [text(b"a")] * 4,
        [text(b"a", second) for second in range(20)],
        [text(b"a"), text(b"b") * 2, text(b"c")],
        [text(b"a"), text(b"b") + b": still here\n\n", text(b"c")],
        [text(b"a"), b": still here\n\n", b": so\n\n" + text(b"b")],
        [text(b"a"), text(b"b" * 400), text(b"c")],
        [text(b"a"), text(b"b")[:90], text(b"b")[90:]] * 2,
    ],
)
def test_pieces_of_text_are_known_by_their_beginning_and_whatever_else_comes_is_looked_into(
    reads: list[bytes], model: str
) -> None:
    answer = ExpressAnswer(ask())
    answer.ask.model = model
    out = b"".join(map(answer.feed, reads))
    assert out == b"".join(reads).replace(b'"model":"m"', b'"model":"%b"' % model.encode())
    answer.cut()
    assert answer.usage.completion >= b"".join(reads).count(b"data:")


def test_usage_before_the_text_is_taken_out_of_each_chunk_though_the_first_had_none() -> None:
    answer = ExpressAnswer(ask())
    first, later = text(b"a"), text(b"a", before=b'"usage":null,')
    assert [json.loads(answer.feed(data)[6:]) for data in (first, first, later, later)] == [json.loads(first[6:])] * 4


# ── Reasoning ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"reasoning": "Hm"}, {"reasoning_content": "Hm"}),
        ({"content": "", "reasoning": "Hm"}, {"content": "", "reasoning_content": "Hm"}),
        ({"content": "So", "reasoning": None}, {"content": "So", "reasoning_content": None}),
        ({"reasoning_content": None, "reasoning": "Hm"}, {"reasoning_content": "Hm"}),
        ({"reasoning": "Hm", "reasoning_content": None}, {"reasoning_content": "Hm"}),
        ({"reasoning": "Hm", "reasoning_content": "Hm"}, {"reasoning": "Hm", "reasoning_content": "Hm"}),
        ({"content": '"reasoning":"Hm"'}, {"content": '"reasoning":"Hm"'}),
        ({"content": "So", "reasoning": {"effort": "low"}}, {"content": "So", "reasoning": {"effort": "low"}}),
    ],
)
def test_reasoning_has_one_name_whole_and_in_any_pieces(
    said: dict[str, Any], told: dict[str, Any], separators: tuple[str, str]
) -> None:
    def event(data: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps(data, separators=separators).encode() + b"\n\n"

    deltas = [{"role": "assistant", "content": ""}, {"content": "."}, said, {"content": "."}, said, said]
    stream = b"".join(map(event, [*map(chunk, deltas), chunk({}, "stop")])) + DONE
    wanted = [{"role": "assistant", "content": ""}, {"content": "."}, told, {"content": "."}, told, told, {}]
    for size in (1, 7, 100, len(stream)):
        answer = ExpressAnswer(ask())
        pieces = [answer.feed(stream[place : place + size]) for place in range(0, len(stream), size)]
        assert deltas_of(b"".join([*pieces, answer.end()])) == wanted
    answer = ExpressAnswer(ask())
    one_by_one = [answer.feed(part + b"\n\n") for part in stream.removesuffix(b"\n\n").split(b"\n\n")]
    assert deltas_of(b"".join([*one_by_one, answer.end()])) == wanted
    body = json.dumps({**chunk({}), "choices": [{"index": 0, "message": said}]}, separators=separators).encode()
    assert json.loads(ExpressAnswer(ask()).whole(body))["choices"][0]["message"] == told


def deltas_of(relayed: bytes) -> list[dict[str, Any]]:
    """The deltas of what was relayed."""
    payloads = [part.removeprefix(b"data: ") for part in relayed.split(b"\n\n") if part]
    assert payloads.pop() == b"[DONE]"
    return [json.loads(payload)["choices"][0]["delta"] for payload in payloads]
