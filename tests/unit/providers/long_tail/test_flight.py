"""Calls of LiteLLM's library look like requests to any upstream, whatever the library does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Broken, TimedOut
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Outbound, Timeouts
from pointsman.providers.long_tail import Library, LibraryFlight, Loading

BODY = b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}'


class Said:
    """An answer, or a piece of one, of the library."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def model_dump_json(self, *, exclude_none: bool = False) -> str:
        return json.dumps({k: v for k, v in self._fields.items() if v is not None or not exclude_none})


class Teapot(Exception):
    status_code = 418
    message = "no coffee"
    type = "invalid_request_error"
    code = "teapot"


class Bench:
    """A library whose functions do what the test says."""

    def __init__(
        self,
        act: Callable[..., Any],
        *,
        stream: bool = False,
        timeouts: Timeouts | None = None,
        body: bytes = BODY,
        api_base: str = "http://up",
    ) -> None:
        self.failures: list[BaseException] = []
        self.nursery = Nursery(lambda _name, error: self.failures.append(error))
        self.asked: list[dict[str, Any]] = []

        async def asked(**fields: Any) -> Any:
            self.asked.append(fields)
            given = act()
            return await given if asyncio.iscoroutine(given) else given

        library = Library(SimpleNamespace(acompletion=asked, aembedding=asked))

        class Loaded(Loading):
            async def done(self) -> Library:
                return library

        deployment = Deployment(
            "d1", "public", "replicate", "m", "replicate/org/m", api_base, None, api_key=Secret("sk-up"),
            timeouts=timeouts or Timeouts(), pinned={"seed": msgspec.Raw(b"7"), "api_version": msgspec.Raw(b'"v9"')},
        )  # fmt: skip
        outbound = Outbound(b"/chat/completions", body)
        self.flight = LibraryFlight(
            Loaded(self.nursery), self.nursery, deployment, outbound, stream=stream, silence_seconds=0.01
        )

    async def items(self) -> list[bytes]:
        """What came, without the words of silence."""
        found: list[bytes] = []
        while not self.flight.complete or self.flight.inbox.items:
            item = await self.flight.inbox.take()
            if item is not None:
                found.append(item)
        return found


async def test_a_whole_answer() -> None:
    bench = Bench(lambda: Said(id="1", usage=None))
    assert await bench.items() == [b'{"id": "1", "usage": null}']
    assert (bench.flight.status, bench.asked[0]["model"]) == (200, "replicate/org/m")
    assert (bench.asked[0]["api_key"], bench.asked[0]["api_base"]) == ("sk-up", "http://up")
    assert bench.asked[0]["max_retries"] == 0


async def pieces(*fields: Any) -> AsyncIterator[Said]:
    for one in fields:
        if isinstance(one, Exception):
            raise one
        yield Said(**one)


async def test_a_stream() -> None:
    bench = Bench(lambda: pieces({"a": 1, "b": None}, {"a": 2}), stream=True)
    assert await bench.items() == [b'data: {"a": 1}\n\n', b'data: {"a": 2}\n\n', b"data: [DONE]\n\n"]
    assert bench.flight.status == 200


async def test_a_refusal_has_its_status_and_words() -> None:
    def refuse() -> Any:
        raise Teapot

    for stream in (False, True):
        bench = Bench(refuse, stream=stream)
        (body,) = await bench.items()
        assert bench.flight.status == 418
        error = {"message": "no coffee", "type": "invalid_request_error", "code": "teapot"}
        assert json.loads(body) == {"error": error}
        assert bench.failures == []


async def test_a_failure_of_no_known_kind_is_the_upstreams() -> None:
    bench = Bench(lambda: pieces(ValueError("odd")), stream=True)
    (body,) = await bench.items()
    assert bench.flight.status == 500 and "odd" in json.loads(body)["error"]["message"]


async def test_a_stream_that_breaks_off_is_broken() -> None:
    bench = Bench(lambda: pieces({"a": 1}, Teapot()), stream=True)
    assert await bench.flight.inbox.take() == b'data: {"a": 1}\n\n'
    with pytest.raises(Broken):
        await bench.items()


async def test_silence_is_told_and_ends() -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    bench = Bench(never, stream=True, timeouts=Timeouts(load=0.05))
    assert await bench.flight.inbox.take() is None
    with pytest.raises(TimedOut):
        await bench.items()


async def test_a_client_that_leaves_ends_the_call() -> None:
    ended = asyncio.Event()

    async def never() -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    bench = Bench(never)
    await asyncio.sleep(0)
    while not bench.asked:
        await asyncio.sleep(0)
    bench.flight.close()
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_paused_stream_waits() -> None:
    bench = Bench(lambda: pieces({"a": 1}, {"a": 2}), stream=True)
    bench.flight.pause()
    assert await bench.flight.inbox.take() == b'data: {"a": 1}\n\n'
    for _ in range(20):
        await asyncio.sleep(0)
    assert bench.flight.inbox.items == []
    bench.flight.resume()
    assert (await bench.items())[-1] == b"data: [DONE]\n\n"


HOSTILE = {
    "api_base": "http://evil", "base_url": "http://evil", "api_key": "k", "custom_llm_provider": "openai",
    "mock_response": "x", "extra_headers": {"a": "b"}, "extra_body": {"model": "dear"}, "metadata": {"a": "b"},
    "success_callback": ["langfuse"], "vertex_credentials": "/etc/passwd", "fallbacks": ["gpt-5"], "timeout": 9999,
    "max_retries": 99, "model_list": [], "ssl_verify": False, "api_version": "mine", "logger_fn": "x",
}  # fmt: skip


@pytest.mark.parametrize("api_base", ["http://up", ""])
async def test_a_request_sets_nothing_but_the_models_parameters(api_base: str) -> None:
    body = json.dumps({**json.loads(BODY), **HOSTILE, "top_k": 3}).encode()
    bench = Bench(lambda: Said(id="1"), body=body, api_base=api_base)
    await bench.items()
    (asked,) = bench.asked
    assert asked.pop("timeout") == 600.0 and asked.pop("api_key") == "sk-up" and asked.pop("max_retries") == 0
    assert asked.pop("api_base", "") == api_base
    messages = json.loads(BODY)["messages"]
    assert asked == {"model": "replicate/org/m", "messages": messages, "top_k": 3, "api_version": "v9"}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}},
        {"type": "image_url", "image_url": "file:///etc/passwd"},
        {"type": "file", "file": {"file_id": "gs://bucket/secret"}},
        {"type": "image_url", "image_url": {"url": "/etc/passwd"}},
    ],
)
async def test_the_library_is_given_no_address_to_fetch(part: dict[str, Any]) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [part]}]}).encode()
    bench = Bench(lambda: Said(id="1"), body=body)
    (told,) = await bench.items()
    assert (bench.flight.status, bench.asked) == (400, [])
    assert json.loads(told)["error"]["param"].startswith("messages[0].content[0]")


async def test_a_file_in_the_message_itself_is_handed_on() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    said = {"type": "text", "text": "see http://example.org/url"}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [part, said]}]}).encode()
    bench = Bench(lambda: Said(id="1"), body=body)
    await bench.items()
    assert bench.asked[0]["messages"][0]["content"] == [part, said]


async def test_an_answer_with_citations_can_be_sent_back() -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "x"}}
    message = {"role": "assistant", "content": "See there.", "annotations": [cited]}
    bench = Bench(lambda: Said(id="1"), body=json.dumps({"model": "m", "messages": [message]}).encode())
    await bench.items()
    assert bench.asked[0]["messages"] == [message]


async def test_a_refusal_does_not_repeat_the_key() -> None:
    def refuse() -> Any:
        raise ValueError("Incorrect API key provided: sk-up")

    bench = Bench(refuse)
    (body,) = await bench.items()
    assert b"sk-up" not in body


async def test_a_stream_is_closed_when_its_client_leaves_while_it_is_paused() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[Said]:
        try:
            while True:
                yield Said(a=1)
        finally:
            closed.set()

    bench = Bench(endless, stream=True)
    bench.flight.pause()
    await bench.flight.inbox.take()
    bench.flight.close()
    await asyncio.wait_for(closed.wait(), 5)
