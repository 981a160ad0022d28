"""The upstream client against real sockets: reuse, races, every way to break, every timeout, back-pressure."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

import msgspec
import pytest

from pointsman import __version__
from pointsman.core.errors import Broken, Misconfigured, TimedOut, Unreachable, UpstreamFailed
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Timeouts
from pointsman.providers.transport import Transport
from pointsman.providers.transport import pool as pool_module
from pointsman.providers.transport import transport as transport_module
from pointsman.providers.transport.connection import UpstreamFlight
from pointsman.wire.limits import UPSTREAM_HEAD_BYTES_MAX
from tests.unit.providers.transport.upstream_script import CHAT, Asked, FakeClock, Scene, Script, plain, scene

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def says(*pieces: bytes) -> Script:
    async def script(asked: Asked) -> None:
        for piece in pieces:
            await asked.write(piece)

    return script


def says_and_closes(*pieces: bytes) -> Script:
    async def script(asked: Asked) -> None:
        for piece in pieces:
            await asked.write(piece)
        asked.close()

    return script


async def silence(asked: Asked) -> None:
    """Never answers."""


async def item(flight: UpstreamFlight) -> bytes | None:
    return await asyncio.wait_for(flight.inbox.take(), 10)


async def whole(stage: Scene, **changes: object) -> bytes:
    body = await item(stage.transport.send(stage.deployment(**changes), CHAT, stream=False))
    assert body is not None
    return body


async def streamed(flight: UpstreamFlight) -> bytes:
    out = b""
    while True:
        out += await item(flight) or b""
        if flight.complete and not flight.inbox.items:
            return out


async def turn(until: Callable[[], object]) -> None:
    """Let the loop turn until something holds."""
    async with asyncio.timeout(10):
        while not until():
            await asyncio.sleep(0.001)


# -- what is sent --------------------------------------------------------------------------------------------


async def test_the_request_is_what_the_deployment_and_the_outbound_say() -> None:
    async with scene(says(plain(b'{"ok":1}'))) as stage:
        assert await whole(stage) == b'{"ok":1}'
        head = stage.asked[0].head.split(b"\r\n")
        assert head == [
            b"POST /v1/chat/completions HTTP/1.1",
            b"Host: 127.0.0.1:%d" % stage.port,
            b"User-Agent: pointsman/" + __version__.encode(),
            b"Accept-Encoding: identity",
            b"Content-Type: application/json",
            b"Authorization: Bearer sk-upstream",
            b"Content-Length: 13",
            b"",
            b"",
        ]
        assert stage.asked[0].body == CHAT.body


async def test_the_operators_headers_take_the_place_of_ours_and_the_query_of_the_address_stays() -> None:
    async with scene(says(plain())) as stage:
        headers = {
            "authorization": Secret("Basic abc"),
            "user-agent": Secret("custom/1"),
            "X-Team": Secret("red"),
            "Content-Length": Secret("5"),
            "Transfer-Encoding": Secret("chunked"),
        }
        await whole(stage, headers=headers, api_base=f"http://127.0.0.1:{stage.port}/base?api-version=1")
        head = stage.asked[0].head.lower()
        assert head.startswith(b"post /base/chat/completions?api-version=1 http/1.1\r\n")
        assert b"\r\nauthorization: basic abc\r\n" in head and head.count(b"authorization:") == 1
        assert b"\r\nuser-agent: custom/1\r\n" in head and head.count(b"user-agent:") == 1
        assert b"\r\nx-team: red\r\n" in head
        assert head.count(b"content-length:") == 1 and b"transfer-encoding" not in head


async def test_a_deployment_without_a_key_sends_no_authorization() -> None:
    async with scene(says(plain())) as stage:
        await whole(stage, api_key=None)
        assert b"authorization" not in stage.asked[0].head.lower()


async def test_a_key_that_would_be_two_headers_is_never_sent() -> None:
    async with scene(says(plain())) as stage:
        with pytest.raises(Misconfigured):
            stage.transport.send(stage.deployment(api_key=Secret("a\r\nX-Evil: 1")), CHAT, stream=False)
        assert stage.connections == 0


async def test_a_changed_deployment_is_sent_with_its_new_key_at_once() -> None:
    async with scene(says(plain())) as stage:
        await whole(stage)
        await whole(stage, api_key=Secret("sk-rotated"))
        assert b"Bearer sk-rotated" in stage.asked[1].head


async def test_a_requests_own_headers_win_and_are_sent_with_no_other_request() -> None:
    async with scene(says(plain())) as stage:
        deployment = stage.deployment()
        first, second = ((("Authorization", Secret(f"Bearer token-{number}")),) for number in (1, 2))
        for headers in (first, first, (), second):
            flight = stage.transport.send(
                deployment, msgspec.structs.replace(CHAT, headers=headers, path=b"/x?v=1"), stream=False
            )
            await item(flight)
        found = [line for asked in stage.asked for line in asked.head.split(b"\r\n") if b"Authorization" in line]
        assert [line.split()[-1] for line in found] == [b"token-1", b"token-1", b"sk-upstream", b"token-2"]
        form = msgspec.structs.replace(CHAT, content_type=b"text/plain", method=b"PUT", path=b"/x?v=1")
        await item(stage.transport.send(deployment, form, stream=False))
        assert stage.asked[-1].head.startswith(b"PUT ") and b"Content-Type: text/plain" in stage.asked[-1].head


async def test_a_query_of_the_path_and_one_of_the_address_become_one() -> None:
    async with scene(says(plain())) as stage:
        deployment = stage.deployment(api_base=f"http://127.0.0.1:{stage.port}/base?a=1")
        await item(stage.transport.send(deployment, msgspec.structs.replace(CHAT, path=b"/x?b=2"), stream=False))
        assert stage.asked[0].head.startswith(b"POST /base/x?b=2&a=1 HTTP/1.1\r\n")


# -- answers ---------------------------------------------------------------------------------------------------


async def test_status_and_headers_hold_with_the_first_bytes() -> None:
    async with scene(says(plain(b"no", 429, b"Retry-After: 7\r\nX-A: 1\r\nX-A: 2\r\n"))) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        assert await item(flight) == b"no"
        assert flight.status == 429 and flight.complete
        assert [pair for pair in flight.headers if pair[0] != b"content-length"] == [
            (b"retry-after", b"7"),
            (b"x-a", b"1"),
            (b"x-a", b"2"),
        ]


@pytest.mark.parametrize("width", [1, 3, 10_000])
@pytest.mark.parametrize(
    "answer",
    [
        plain(b"hello world"),
        CHUNKED + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + plain(b"hello world"),
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + plain(b"hello world"),
    ],
)
async def test_an_answer_in_any_framing_and_any_pieces_is_the_same_and_leaves_the_connection_usable(
    answer: bytes, width: int
) -> None:
    pieces = [answer[start : start + width] for start in range(0, len(answer), width)]
    async with scene(says(*pieces)) as stage:
        for stream in (False, True):
            flight = stage.transport.send(stage.deployment(), CHAT, stream=stream)
            assert await streamed(flight) == b"hello world"
            assert flight.status == 200
        assert stage.connections == 1


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]
)
async def test_an_answer_that_ends_with_its_connection_is_whole(head: bytes) -> None:
    async with scene(says_and_closes(head, b"hello ", b"world")) as stage:
        for stream in (False, True):
            assert await streamed(stage.transport.send(stage.deployment(), CHAT, stream=stream)) == b"hello world"
        assert stage.connections == 2


async def test_a_stream_is_delivered_as_it_comes() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def script(asked: Asked) -> None:
        await asked.write(CHUNKED)
        for number, gate in enumerate(gates):
            await gate.wait()
            await asked.write(b"1\r\n%d\r\n" % number)
        await asked.write(b"0\r\n\r\n")

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        for number, gate in enumerate(gates):
            gate.set()
            assert await item(flight) == b"%d" % number
            assert not (flight.complete and number < 2)
        if not flight.complete:
            assert await item(flight) == b"" and flight.complete


async def test_an_error_answer_to_a_stream_comes_as_one_piece() -> None:
    async with scene(
        says(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nno\r\n", b"1\r\n!\r\n", b"0\r\n\r\n")
    ) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        assert await item(flight) == b"no!" and flight.complete and flight.status == 500


# -- connections -----------------------------------------------------------------------------------------------


async def test_connections_are_kept_and_used_again() -> None:
    async with scene(says(plain(b"x"))) as stage:
        for _ in range(20):
            await whole(stage)
        assert stage.connections == 1
        assert stage.transport.counts() == {f"http://127.0.0.1:{stage.port}/v1": (1, 0, 1)}


async def test_requests_at_once_have_a_connection_each_and_these_are_kept() -> None:
    async with scene(says(plain(b"x"))) as stage:
        for _ in range(3):
            flights = [stage.transport.send(stage.deployment(), CHAT, stream=False) for _ in range(5)]
            for flight in flights:
                assert await item(flight) == b"x"
        assert stage.connections == 5


async def test_a_connection_that_the_upstream_wants_closed_is_not_used_again() -> None:
    async with scene(says(plain(b"x", headers=b"Connection: close\r\n"))) as stage:
        await whole(stage)
        await whole(stage)
        assert stage.connections == 2


async def test_a_connection_is_given_up_after_a_minute_without_use() -> None:
    async with scene(says(plain(b"x"))) as stage:
        await whole(stage)
        stage.sweep(54)
        await whole(stage)
        assert stage.connections == 1
        stage.sweep(56)
        await asyncio.wait_for(stage.lost.wait(), 10)
        await whole(stage)
        assert stage.connections == 2


@pytest.mark.parametrize("reset", [False, True])
async def test_a_kept_connection_that_died_before_the_request_is_replaced_once_without_the_caller_knowing(
    reset: bool,
) -> None:
    async def script(asked: Asked) -> None:
        if asked.connection == 1 and len(asked.scene.asked) > 1:
            asked.reset() if reset else asked.close()
        else:
            await asked.write(plain(b"x"))

    async with scene(script) as stage:
        assert await whole(stage) == b"x"
        assert await whole(stage) == b"x"
        assert stage.connections == 2 and len(stage.asked) == 3


async def test_only_one_replacement_is_tried() -> None:
    async def script(asked: Asked) -> None:
        if len(asked.scene.asked) > 1:
            asked.close()
        else:
            await asked.write(plain(b"x"))

    async with scene(script) as stage:
        await whole(stage)
        with pytest.raises(Broken):
            await whole(stage)
        assert len(stage.asked) == 3


async def test_a_request_that_the_upstream_thought_about_for_long_is_not_sent_again() -> None:
    release = asyncio.Event()

    async def script(asked: Asked) -> None:
        if len(asked.scene.asked) > 1:
            await release.wait()
            asked.close()
        else:
            await asked.write(plain(b"x"))

    async with scene(script) as stage:
        await whole(stage)
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await turn(lambda: len(stage.asked) == 2)
        stage.sweep(3)
        release.set()
        with pytest.raises(Broken):
            await item(flight)
        assert len(stage.asked) == 2


@pytest.mark.parametrize(
    "surplus", [plain(b"second"), b"garbage", plain(b"evil", 500), b"HTTP/1.1 100 Continue\r\n\r\n", b"\0"]
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_an_answer_nobody_asked_for_is_never_taken_for_one(surplus: bytes, at_once: bool) -> None:
    async def script(asked: Asked) -> None:
        if asked.connection == 1:
            pieces = [plain(b"first") + surplus] if at_once else [plain(b"first"), surplus]
            for piece in pieces:
                await asked.write(piece)
        else:
            await asked.write(plain(b"good"))

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        assert await item(flight) == b"first" and flight.status == 200
        await turn(lambda: stage.transport.counts()[f"http://127.0.0.1:{stage.port}/v1"][0] == 0)
        assert await whole(stage) == b"good"
        assert stage.connections == 2


# -- no connection ---------------------------------------------------------------------------------------------


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize("host", ["127.0.0.1", "does-not-exist.invalid"])
async def test_an_upstream_that_is_not_there_is_unreachable_and_the_error_says_where(host: str) -> None:
    async with scene(silence) as stage:
        base = f"http://user:secret@{host}:{unused_port()}/v1"
        with pytest.raises(Unreachable) as caught:
            await whole(stage, api_base=base)
        assert host in caught.value.message and "secret" not in caught.value.told() and not caught.value.sent
        assert caught.value.status == 503


async def test_an_upstream_that_does_not_pick_up_is_unreachable_after_the_connect_timeout() -> None:
    with socket.socket() as sock, contextlib.ExitStack() as callers:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(sock.getsockname())
        async with scene(silence) as stage:
            base = f"http://127.0.0.1:{sock.getsockname()[1]}"
            with pytest.raises(Unreachable, match=r"no connection within 0\.05 s"):
                await whole(stage, api_base=base, timeouts=Timeouts(connect=0.05))


# -- breaking --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTT",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        plain(b"hello")[:-1],
        plain(b"hello")[:-5],
        CHUNKED,
        CHUNKED + b"5\r\nhel",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reset", [False, True])
async def test_an_answer_that_was_cut_off_is_broken_and_never_complete(
    answer: bytes, stream: bool, reset: bool
) -> None:
    async def script(asked: Asked) -> None:
        await asked.write(answer)
        asked.reset() if reset else asked.close()

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=stream)
        with pytest.raises(Broken):
            await streamed(flight)
        assert flight.complete is False
        assert stage.transport.counts()[f"http://127.0.0.1:{stage.port}/v1"][:2] == (0, 0)


async def test_a_reset_in_an_answer_without_a_length_is_broken_and_not_its_end() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await gate.wait()
        sock = asked._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        asked.reset()

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        assert await item(flight) == b"hello"
        gate.set()
        with pytest.raises(Broken):
            await item(flight)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"<html>hello</html>",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        CHUNKED + b"zz\r\nhello",
        CHUNKED + b"-5\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01a",
    ],
)
async def test_what_is_not_http_is_broken(answer: bytes) -> None:
    async with scene(says(answer)) as stage:
        with pytest.raises(Broken):
            await whole(stage)
        assert stage.transport.counts()[f"http://127.0.0.1:{stage.port}/v1"][:2] == (0, 0)


async def test_an_endless_head_is_broken_off() -> None:
    async def script(asked: Asked) -> None:
        with contextlib.suppress(ConnectionError):
            await asked.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(10_000):
                await asked.write(b"X-%d: %b\r\n" % (number, b"x" * 1000))

    async with scene(script) as stage:
        with pytest.raises(Broken, match="head is too long"):
            await whole(stage)


async def test_endless_interim_answers_are_broken_off() -> None:
    async def script(asked: Asked) -> None:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                await asked.write(b"HTTP/1.1 100 Continue\r\n\r\n" * (UPSTREAM_HEAD_BYTES_MAX // 250))

    async with scene(script) as stage:
        with pytest.raises(Broken, match="head is too long"):
            await whole(stage)


async def test_an_endless_answer_that_must_be_held_whole_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.providers.transport.connection.REPLY_BYTES_MAX", 100_000)

    async def script(asked: Asked) -> None:
        with contextlib.suppress(ConnectionError):
            await asked.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await asked.write(b"x" * 10_000)

    async with scene(script) as stage:
        with pytest.raises(Broken, match="longer than 100000 bytes"):
            await whole(stage)


async def test_a_stream_may_be_longer_than_what_may_be_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.providers.transport.connection.REPLY_BYTES_MAX", 1_000_000)
    async with scene(says_and_closes(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 100_000] * 50)) as stage:
        out = await streamed(stage.transport.send(stage.deployment(), CHAT, stream=True))
        assert len(out) == 5_000_000


# -- timeouts --------------------------------------------------------------------------------------------------


async def test_an_upstream_that_says_nothing_is_given_up_after_the_load_timeout() -> None:
    async with scene(silence) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await turn(lambda: stage.asked)
        stage.sweep(29)
        assert not flight.inbox.items
        stage.sweep(1)
        with pytest.raises(TimedOut, match="sent nothing for 30 s"):
            await item(flight)
        await asyncio.wait_for(stage.lost.wait(), 10)


async def test_a_stream_that_falls_silent_is_given_up_after_the_idle_timeout() -> None:
    more = asyncio.Event()

    async def script(asked: Asked) -> None:
        await asked.write(CHUNKED + b"1\r\na\r\n")
        await more.wait()
        await asked.write(b"1\r\nb\r\n")
        await asyncio.Event().wait()

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        assert await item(flight) == b"a"
        flight.spoken = True
        stage.sweep(9)
        more.set()
        assert await item(flight) == b"b"
        stage.sweep(9)
        stage.sweep(10)
        assert list(flight.inbox.items) == [None]
        stage.sweep(1)
        assert await item(flight) is None
        with pytest.raises(TimedOut, match="fell silent for 20 s"):
            await item(flight)


async def test_a_slow_whole_answer_is_not_given_up_as_long_as_it_grows() -> None:
    gates = [asyncio.Event() for _ in range(5)]

    async def script(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for gate in gates:
            await gate.wait()
            await asked.write(b"x")

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await turn(lambda: flight.status)
        connection = flight.connection
        assert connection is not None
        for number, gate in enumerate(gates):
            stage.sweep(19)
            gate.set()
            await turn(lambda pieces=number + 1: flight.complete or len(connection._chunks) == pieces)  # type: ignore[misc]
        assert await item(flight) == b"xxxxx"


async def test_the_total_timeout_bounds_even_a_stream_that_says_much_and_nothing_of_its_answer() -> None:
    async def script(asked: Asked) -> None:
        await asked.write(CHUNKED)
        with contextlib.suppress(ConnectionError):
            while True:
                await asked.write(b"1\r\na\r\n")
                await asyncio.sleep(0.001)

    async with scene(script) as stage:
        stage.timeouts = Timeouts(total=60.0)
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        for _ in range(6):
            assert set(await item(flight) or b"a") == {ord("a")}
            stage.sweep(10)
        with pytest.raises(TimedOut, match="did not begin its answer within 60 s"):
            await streamed(flight)


async def test_a_stream_that_is_being_read_may_be_longer_than_the_total_timeout() -> None:
    """As in LiteLLM: an agent's answer of five minutes is not cut off because ``timeout`` is 60."""
    more = [asyncio.Event() for _ in range(3)]

    async def script(asked: Asked) -> None:
        await asked.write(CHUNKED)
        for one in more:
            await asked.write(b"1\r\na\r\n")
            await one.wait()
        await asked.write(b"0\r\n\r\n")

    async with scene(script) as stage:
        stage.timeouts = Timeouts(total=10.0)
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        for one in more:
            assert await item(flight) == b"a"
            flight.spoken = True
            stage.sweep(9)
            one.set()
        assert await item(flight) == b""


async def test_a_replaced_connection_does_not_begin_the_total_timeout_anew() -> None:
    release = asyncio.Event()

    async def script(asked: Asked) -> None:
        if len(asked.scene.asked) == 1:
            await asked.write(plain())
        elif len(asked.scene.asked) == 2:
            await release.wait()
            asked.close()

    async with scene(script) as stage:
        stage.timeouts = Timeouts(total=10.0)
        await whole(stage)
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await turn(lambda: len(stage.asked) == 2)
        stage.sweep(1.5)
        release.set()
        await turn(lambda: len(stage.asked) == 3)
        stage.sweep(8.5)
        with pytest.raises(TimedOut):
            await item(flight)


async def test_a_silent_upstream_of_a_stream_is_told_of_and_of_a_whole_answer_not() -> None:
    async with scene(silence) as stage:
        stream = stage.transport.send(stage.deployment(), CHAT, stream=True)
        answer = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await turn(lambda: len(stage.asked) == 2)
        stage.sweep(9)
        assert not stream.inbox.items
        stage.sweep(1)
        stage.sweep(9)
        stage.sweep(1)
        assert list(stream.inbox.items) == [None, None]
        assert not answer.inbox.items


async def test_the_sweep_runs_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "SWEEP_SECONDS", 0.001)
    async with scene(silence) as stage:
        stage.nursery.start(stage.transport.run(), "sweep")
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await turn(lambda: stage.asked)
        stage.clock.now += 31
        with pytest.raises(TimedOut):
            await item(flight)
        assert stage.transport.now() == stage.clock.now


async def test_the_sweep_rests_while_nothing_is_under_way_and_still_cuts_off_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport_module, "SWEEP_SECONDS", 0.001)
    async with scene(silence) as stage:
        stage.nursery.start(stage.transport.run(), "sweep")
        await turn(lambda: stage.transport._time.rests)
        stage.clock.now += 3600
        quiet = asyncio.ensure_future(stage.transport.quiet(60))
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        assert stage.transport.now() == stage.clock.now, "the hour that nobody saw pass is none of this request's"
        await quiet
        await turn(lambda: stage.asked)
        stage.clock.now += 29
        await turn(lambda: stage.transport.now() == stage.clock.now)
        assert not flight.inbox.items
        stage.clock.now += 2
        with pytest.raises(TimedOut):
            await item(flight)
        await turn(lambda: stage.transport._time.rests)


async def test_an_idle_connection_is_closed_although_the_sweep_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "SWEEP_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "_IDLE_SECONDS_MAX", 0.05)

    async def script(asked: Asked) -> None:
        await asked.write(plain(b"{}"))

    async with scene(script) as stage:
        stage.nursery.start(stage.transport.run(), "sweep")
        await item(stage.transport.send(stage.deployment(), CHAT, stream=False))
        await turn(lambda: stage.transport._time.rests)
        stage.clock.now += 1
        await asyncio.wait_for(stage.lost.wait(), 10)


# -- stopping and waiting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
async def test_closing_a_flight_cuts_the_upstream_off_at_once(begun: bool) -> None:
    async def script(asked: Asked) -> None:
        if begun:
            await asked.write(CHUNKED + b"1\r\na\r\n")

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        await turn(lambda: stage.asked)
        if begun:
            await item(flight)
        flight.close()
        await asyncio.wait_for(stage.lost.wait(), 10)
        assert not flight.inbox.items and stage.transport.counts()[f"http://127.0.0.1:{stage.port}/v1"][:2] == (0, 0)


async def test_closing_a_flight_that_is_still_connecting_sends_nothing() -> None:
    async with scene(says(plain())) as stage:
        stage.transport.send(stage.deployment(), CHAT, stream=False).close()
        await turn(lambda: stage.transport.counts()[f"http://127.0.0.1:{stage.port}/v1"] == (0, 0, 1))
        await turn(lambda: len(stage.nursery) == 0)
        assert stage.asked == []


async def test_closing_a_flight_whose_answer_is_complete_keeps_the_connection() -> None:
    async with scene(says(plain())) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await item(flight)
        flight.close()
        flight.close()
        await whole(stage)
        assert stage.connections == 1


async def test_a_closed_flight_hears_of_nothing_more() -> None:
    async with scene(silence) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        await turn(lambda: stage.asked)
        flight.close()
        await asyncio.wait_for(stage.lost.wait(), 10)
        stage.sweep(1000)
        assert not flight.inbox.items


async def test_a_paused_flight_stops_the_upstream_and_resuming_loses_nothing() -> None:
    size = 20 * 1024 * 1024
    written = 0

    async def script(asked: Asked) -> None:
        nonlocal written
        await asked.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while written < size:
            await asked.write(b"x" * 65_536)
            written += 65_536

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        got = len(await item(flight) or b"")
        flight.pause()
        got += sum(len(data) for data in flight.inbox.items if isinstance(data, bytes))
        flight.inbox.items.clear()
        before = -1
        while before != written:
            before = written
            for _ in range(20):
                await asyncio.sleep(0.001)
        assert written < size * 3 // 4, "the upstream was not held back"
        assert not flight.inbox.items
        stage.sweep(60)
        assert [data for data in flight.inbox.items if data is not None] == [], (
            "a wait of ours is not the upstream's silence"
        )
        flight.inbox.items.clear()
        flight.resume()
        got += len(await streamed(flight))
        assert got == size


async def test_a_flight_paused_before_it_is_connected_stays_paused() -> None:
    async with scene(says(CHUNKED, *[b"5\r\nhello\r\n"] * 100)) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        flight.pause()
        await turn(lambda: stage.asked)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not flight.inbox.items
        flight.resume()
        assert (await item(flight) or b"").startswith(b"hello")


async def test_pausing_and_resuming_a_flight_that_is_over_does_nothing() -> None:
    async with scene(says(plain(headers=b"Connection: close\r\n"))) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        await item(flight)
        flight.pause()
        flight.resume()
        flight.resume()


async def test_a_released_connection_is_not_left_paused() -> None:
    async with scene(says(plain(b"x"))) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        await item(flight)
        flight.pause()
        assert await whole(stage) == b"x" and stage.connections == 1


async def test_closing_the_transport_closes_every_connection() -> None:
    async with scene(says(plain(b"x"))) as stage:
        await whole(stage)
        stage.transport.close()
        await asyncio.wait_for(stage.lost.wait(), 10)
        assert stage.transport.counts() == {}


# -- control requests ------------------------------------------------------------------------------------------


async def test_fetch_gives_status_headers_and_body() -> None:
    async with scene(says(plain(b'{"models":[]}', 200, b"X-Kind: one\r\n"))) as stage:
        reply = await stage.transport.fetch(
            "GET", f"http://127.0.0.1:{stage.port}/api/tags?x=1", headers=(("X-A", "b"),)
        )
        assert (reply.status, reply.body, reply.header(b"x-kind"), reply.header(b"none")) == (
            200,
            b'{"models":[]}',
            b"one",
            None,
        )
        head = stage.asked[0].head
        assert head.startswith(b"GET /api/tags?x=1 HTTP/1.1\r\n") and b"\r\nX-A: b\r\n" in head
        assert b"content-length" not in head.lower()


@pytest.mark.parametrize(
    ("path", "sent"), [("", "/"), ("/", "/"), ("/roles/", "/roles/"), ("/roles/?x=/", "/roles/?x=/")]
)
async def test_fetch_keeps_a_slash_at_the_end_of_a_path(path: str, sent: str) -> None:
    async with scene(says(plain(b""))) as stage:
        await stage.transport.fetch("GET", f"http://127.0.0.1:{stage.port}{path}")
        assert stage.asked[0].head.startswith(f"GET {sent} HTTP/1.1\r\n".encode())


async def test_fetch_posts_a_body_and_shares_the_pool() -> None:
    async with scene(says(plain(b"{}"))) as stage:
        await whole(stage)
        await stage.transport.fetch("POST", f"http://127.0.0.1:{stage.port}/api/show", body=b'{"model":"m"}')
        await stage.transport.fetch("POST", f"http://127.0.0.1:{stage.port}/api/empty")
        assert stage.asked[1].body == b'{"model":"m"}' and b"Content-Length: 0\r\n" in stage.asked[2].head
        assert stage.connections == 1


async def test_fetch_gives_an_error_status_and_raises_only_when_there_is_no_answer() -> None:
    async with scene(says(plain(b"nope", 404))) as stage:
        assert (await stage.transport.fetch("GET", f"http://127.0.0.1:{stage.port}")).status == 404
        with pytest.raises(Unreachable):
            await stage.transport.fetch("GET", f"http://127.0.0.1:{unused_port()}/")
        with pytest.raises(Misconfigured):
            await stage.transport.fetch("GET", "not a url")


async def test_who_cannot_be_reached_is_named_without_what_others_ask_there() -> None:
    async with scene(silence) as stage:
        port = unused_port()
        for path in ("/v1/models", "/keys"):
            with pytest.raises(Unreachable, match=rf"at http://127\.0\.0\.1:{port}: ") as raised:
                await stage.transport.fetch("GET", f"http://127.0.0.1:{port}{path}")
            assert "/v1/models" not in raised.value.told()


async def test_fetch_is_bounded_in_time() -> None:
    async with scene(silence) as stage:
        task = asyncio.create_task(stage.transport.fetch("GET", f"http://127.0.0.1:{stage.port}/", timeout_seconds=2))
        await turn(lambda: stage.asked)
        stage.sweep(2)
        with pytest.raises(TimedOut):
            await task
        await asyncio.wait_for(stage.lost.wait(), 10)


async def test_a_fetch_that_is_cancelled_cuts_the_upstream_off() -> None:
    async with scene(silence) as stage:
        task = asyncio.create_task(stage.transport.fetch("GET", f"http://127.0.0.1:{stage.port}/"))
        await turn(lambda: stage.asked)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(stage.lost.wait(), 10)


@pytest.mark.parametrize("way", ["refuse", "cut"])
async def test_many_failures_at_once_leave_nothing_behind(way: str) -> None:
    async def script(asked: Asked) -> None:
        asked.reset()

    async with scene(script) as stage:
        base = f"http://127.0.0.1:{unused_port() if way == 'refuse' else stage.port}"

        async def one() -> None:
            with pytest.raises(UpstreamFailed):
                await whole(stage, api_base=base)

        await asyncio.gather(*(one() for _ in range(30)))
        assert stage.transport.counts()[base][:2] == (0, 0)
        await turn(lambda: len(stage.nursery) == 0)


async def test_origins_without_connections_are_forgotten_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport_module, "_POOLS_MAX", 4)
    transport = Transport(Nursery(lambda _name, _error: None), FakeClock())
    for port in range(1, 20):
        with pytest.raises(Unreachable):
            await transport.fetch(
                "GET", f"http://127.0.0.1:{port}/" if port > 1 else f"http://127.0.0.1:{unused_port()}/"
            )
        assert len(transport.counts()) <= 4


async def test_a_stream_that_says_nothing_of_its_answer_in_time_is_given_up_whatever_else_it_sends() -> None:
    async def script(asked: Asked) -> None:
        await asked.write(CHUNKED)
        await asked.write(b"7\r\n: ping\n\r\n")
        await asyncio.Event().wait()

    async with scene(script) as stage:
        stage.timeouts = Timeouts(first_token=5.0)
        flight = stage.transport.send(stage.deployment(), CHAT, stream=True)
        assert await item(flight) == b": ping\n"
        stage.sweep(4)
        assert not flight.inbox.items
        stage.sweep(1)
        with pytest.raises(TimedOut, match="said nothing of its answer within 5 s"):
            await item(flight)


async def test_once_it_has_said_something_that_bound_is_over_and_a_whole_answer_has_none() -> None:
    async def script(asked: Asked) -> None:
        if len(asked.scene.asked) == 1:
            await asked.write(CHUNKED + b"1\r\na\r\n")
        await asyncio.Event().wait()

    async with scene(script) as stage:
        stage.timeouts = Timeouts(first_token=5.0)
        stream = stage.transport.send(stage.deployment(), CHAT, stream=True)
        assert await item(stream) == b"a"
        stream.spoken = True
        answer = stage.transport.send(stage.deployment(), CHAT, stream=False)
        await turn(lambda: len(stage.asked) == 2)
        stage.sweep(9)
        assert not stream.inbox.items and not answer.inbox.items
