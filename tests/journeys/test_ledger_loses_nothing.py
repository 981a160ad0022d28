"""The ledger neither loses nor invents: under ``kill -9``, with a locked database, and in every kind of ending."""

from __future__ import annotations

import http.client
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway, Launch
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Reply, Turn, faults
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage

THREADS: Final = 8
KILLS: Final = 3
CALLS_BETWEEN_KILLS: Final = 60


def numbered(messages: Any) -> int:
    """The number of a call, which its text is."""
    return int(messages[0]["content"])


class Load:
    """Clients that send numbered calls, whole, streamed and abandoned ones, and note what they received in full."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self._gateway = gateway
        self._key = key
        self._lock = threading.Condition()
        self._next = 1000
        self._stop = False
        self.received: dict[int, str] = {}
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join(20.0)

    def wait_for_more(self, count: int) -> None:
        with self._lock:
            target = len(self.received) + count
            assert self._lock.wait_for(lambda: len(self.received) >= target, 20.0), "the load has stopped"

    def _run(self) -> None:
        while not self._stop:
            with self._lock:
                self._next += 1
                number = self._next
            try:
                call_id = self._call(number)
            except (OSError, EOFError, http.client.HTTPException):
                continue
            if call_id is not None:
                with self._lock:
                    self.received[number] = call_id
                    self._lock.notify_all()

    def _call(self, number: int) -> str | None:
        body = {"model": "priced", "messages": [{"role": "user", "content": str(number)}]}
        if number % 3 == 0:
            answer = self._gateway.http("POST", "/v1/chat/completions", body, key=self._key)
            complete = answer.status == 200 and answer.json()["usage"]["prompt_tokens"] == number
            return answer.headers["x-litellm-call-id"] if complete else None
        with self._gateway.stream("/v1/chat/completions", {**body, "stream": True}, key=self._key) as stream:
            if number % 10 == 1:
                stream.next_data()
                return None
            complete = stream.status == 200 and list(stream.data())[-1:] == [b"[DONE]"]
            return stream.headers["x-litellm-call-id"] if complete else None


def test_killed_three_times_under_load_with_a_locked_database_the_ledger_is_what_was_served_and_received(
    launch: Launch, upstream: FakeOpenAI
) -> None:
    upstream.counted = numbered
    entry = openai_entry("priced", upstream, input_cost_per_token=0.000001, output_cost_per_token=0.000002)
    gateway = launch({"model_list": [entry]})
    key = gateway.new_key()
    with Load(gateway, key) as load:
        for _ in range(KILLS):
            load.wait_for_more(CALLS_BETWEEN_KILLS)
            with closing(sqlite3.connect(database(gateway.data_dir), isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                load.wait_for_more(CALLS_BETWEEN_KILLS)
                gateway.kill()
                other.execute("ROLLBACK")
            gateway.launch()
        load.wait_for_more(CALLS_BETWEEN_KILLS)
    assert gateway.stop() == 0
    gateway.launch()
    rows = gateway.settled_ledger(len(load.received), key)
    good = [row for row in rows if row["status"] == "success"]
    by_number = {row["prompt_tokens"]: row for row in good}
    assert len(by_number) == len(good), "no call is in the ledger twice"
    assert max(Counter(row["litellm_call_id"] for row in rows).values()) == 1
    missing = set(load.received) - set(by_number)
    assert not missing, f"received in full, but not in the ledger: {sorted(missing)}"
    assert all(by_number[number]["litellm_call_id"] == call_id for number, call_id in load.received.items())
    served = {numbered(request.json()["messages"]) for request in upstream.inference}
    assert set(by_number) <= served, "nothing is invented"
    for number, row in by_number.items():
        assert row["spend"] == pytest.approx(number * 0.000001 + 5 * 0.000002)
    assert all(row["metadata"]["usage_source"] in {"measured", "estimated", "none"} for row in rows)
    spent = sum(row["spend"] for row in rows)
    info = gateway.http("GET", f"/key/info?key={key}").json()["info"]
    assert info["spend"] == pytest.approx(spent)
    assert gateway.http("GET", "/global/spend").json()["spend"] == pytest.approx(spent), "sums are the sum of the calls"
    exported = gateway.http("GET", "/spend/export?format=jsonl").body.splitlines()
    assert sorted(msgspec.json.decode(line)["call_id"] for line in exported) == sorted(
        row["litellm_call_id"] for row in rows
    )


def database(directory: Path) -> Path:
    found = [path for path in directory.rglob("*") if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"]
    assert len(found) == 1, found
    return found[0]


def test_a_locked_database_stops_nobody_and_loses_nothing(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]})
    key = gateway.new_key()
    assert gateway.chat("fast", key=key).status == 200
    gateway.settled_ledger(1, key)
    with closing(sqlite3.connect(database(gateway.data_dir), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(20):
            assert gateway.chat("fast", key=key).status == 200
        other.execute("ROLLBACK")
    assert len(gateway.settled_ledger(21, key, timeout=10.0)) == 21


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOpenAI, FakeOllama]]:
    with FakeOpenAI() as upstream, FakeOllama([OllamaModel("llama3.1:8b")]) as ollama:
        priced = openai_entry(
            "priced",
            upstream,
            input_cost_per_token=0.001,
            output_cost_per_token=0.01,
            cache_read_input_token_cost=0.0001,
        )
        with Gateway.start({"model_list": [priced, ollama_entry("local", ollama, "llama3.1:8b")]}) as gateway:
            yield gateway, upstream, ollama


def the_row(gateway: Gateway, key: str) -> dict[str, Any]:
    rows = gateway.settled_ledger(1, key)
    assert len(rows) == 1
    return rows[0]


def says(row: dict[str, Any], word: str) -> bool:
    return f'"{word}"'.encode() in msgspec.json.encode(row).replace(b"\\", b"")


@pytest.mark.parametrize("stream", [False, True])
def test_the_upstreams_numbers_are_measured(house: tuple[Gateway, FakeOpenAI, FakeOllama], stream: bool) -> None:
    gateway, _, _ = house
    key = gateway.new_key(key_alias=f"measured-{stream}")
    assert gateway.chat("priced", key=key, stream=stream).status == 200
    row = the_row(gateway, key)
    assert (row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == (3, 5, 8)
    assert row["spend"] == pytest.approx(0.053)
    assert says(row, "measured")
    assert row["model_group"] == "priced"


def test_usage_is_taken_from_a_last_chunk_that_still_has_choices(
    house: tuple[Gateway, FakeOpenAI, FakeOllama],
) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key()
    chunks = chat_chunks(["a", "b"], None)
    chunks[-1]["usage"] = usage(100, 7, cached_tokens=60)
    upstream.script(Reply.stream(chunks))
    assert gateway.chat("priced", key=key, stream=True).status == 200
    row = the_row(gateway, key)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (100, 7)
    assert row["spend"] == pytest.approx(40 * 0.001 + 60 * 0.0001 + 7 * 0.01)
    assert says(row, "measured")


def test_explicit_zeros_stay_zero(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key()
    upstream.script(Reply.json(chat_reply("free of charge", usage(0, 0))))
    assert gateway.chat("priced", key=key).status == 200
    row = the_row(gateway, key)
    assert (row["prompt_tokens"], row["completion_tokens"], row["spend"]) == (0, 0, 0)
    assert says(row, "measured")


def test_an_answer_without_usage_is_estimated_and_says_so(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key()
    upstream.script(Reply.stream(chat_chunks(["some", " text", " here"], None)))
    assert gateway.chat("priced", key=key, stream=True).status == 200
    row = the_row(gateway, key)
    assert row["prompt_tokens"] > 0
    assert row["completion_tokens"] > 0
    assert says(row, "estimated")


def test_an_abandoned_stream_costs_what_was_said(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key()
    upstream.script(faults.stall_in_stream(chat_chunks(["word "] * 40, None)[:30]))
    body = {"model": "priced", "messages": [{"role": "user", "content": "one two"}], "stream": True}
    with gateway.stream("/v1/chat/completions", body, key=key) as stream:
        while b"word" not in stream.next_data():
            pass
    row = the_row(gateway, key)
    assert row["status"] != "success"
    assert row["completion_tokens"] > 0
    assert row["spend"] > 0
    assert says(row, "estimated")


@pytest.mark.parametrize(
    "reply", [Reply.error(500), Reply.error(400), faults.reset_before_head(), faults.garbage()], ids=lambda r: r.label
)
def test_a_failure_leaves_one_row_that_costs_nothing(
    house: tuple[Gateway, FakeOpenAI, FakeOllama], reply: Reply
) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key()
    upstream.always(reply)
    try:
        assert gateway.chat("priced", key=key).status >= 400
    finally:
        upstream.always(None)
    row = the_row(gateway, key)
    assert row["status"] == "failure"
    assert row["completion_tokens"] == 0


@pytest.mark.parametrize("stream", [False, True])
def test_ollamas_counts_are_measured_and_free(house: tuple[Gateway, FakeOpenAI, FakeOllama], stream: bool) -> None:
    gateway, _, ollama = house
    key = gateway.new_key()
    ollama.says(Turn(pieces=("a", "b", "c", "d")))
    assert gateway.chat("local", "x" * 400, key=key, stream=stream).status == 200
    row = the_row(gateway, key)
    assert (row["prompt_tokens"], row["completion_tokens"], row["spend"]) == (100, 4, 0)
    assert says(row, "measured")


def test_the_prompt_is_not_kept(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, _, _ = house
    key = gateway.new_key()
    assert gateway.chat("priced", "the-canary-of-the-prompt", key=key).status == 200
    assert b"the-canary-of-the-prompt" not in msgspec.json.encode(the_row(gateway, key))
    assert not any(
        b"the-canary-of-the-prompt" in path.read_bytes() for path in gateway.data_dir.rglob("*") if path.is_file()
    )
