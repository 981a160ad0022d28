from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pointsman.core.errors import Unreachable
from pointsman.providers.transport import Origin
from pointsman.providers.transport.steps import accept, encrypt, resolve
from tests.support.certificates import certificate
from tests.upstreams import Blackhole


@contextlib.asynccontextmanager
async def listener(tls: Path | None = None) -> AsyncIterator[int]:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_name_has_addresses() -> None:
    assert "127.0.0.1" in await resolve(Origin.parse("http://localhost:80"), 5.0)
    assert await resolve(Origin.parse("http://127.0.0.1:80"), 5.0) == ("127.0.0.1",)


async def test_an_unknown_name_is_told_as_such() -> None:
    with pytest.raises(Unreachable, match=r"no-such-host\.invalid has no address"):
        await resolve(Origin.parse("http://no-such-host.invalid"), 5.0)


async def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent)
    with pytest.raises(Unreachable, match=r"Nobody says within 0\.01 s"):
        await resolve(Origin.parse("http://somewhere.example"), 0.01)


async def test_the_next_address_is_tried_where_the_first_refuses() -> None:
    async with listener() as port:
        origin = Origin.parse(f"http://localhost:{port}")
        assert await accept(origin, ("127.0.0.2", "127.0.0.1"), 2.0) == "127.0.0.1"


async def test_refused_and_swallowed_are_told_apart() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(Unreachable, match="refused") as refused:
            await accept(Origin.parse(f"http://127.0.0.1:{port}"), ("127.0.0.1",), 2.0)
    assert "Nothing listens" in (refused.value.hint or "")
    with Blackhole() as hole, pytest.raises(Unreachable, match=r"no answer within 0\.05 s"):
        await accept(Origin.parse(hole.url), ("127.0.0.1",), 0.05)


async def test_a_good_certificate_says_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = certificate(tmp_path, days=40)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with listener(file) as port:
        expires = await encrypt(Origin.parse(f"https://localhost:{port}"), 5.0)
    assert expires is not None
    assert 39 < (datetime.fromtimestamp(expires, UTC) - datetime.now(UTC)) / timedelta(days=1) < 41


@pytest.mark.parametrize(
    ("days", "trusted", "host", "told", "hint"),
    [
        (40, False, "localhost", "self", "SSL_CERT_FILE"),
        (-1, True, "localhost", "expired", "renew"),
        (40, True, "127.0.0.1", "mismatch", "name in api_base"),
    ],
)
async def test_a_bad_certificate_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, trusted: bool, host: str, told: str, hint: str
) -> None:
    file = certificate(tmp_path, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with listener(file) as port:
        with pytest.raises(Unreachable, match="not to be trusted") as refused:
            await encrypt(Origin.parse(f"https://{host}:{port}"), 5.0)
    assert told in refused.value.message and hint in (refused.value.hint or "")


async def test_what_speaks_no_tls_is_told_as_such() -> None:
    async with listener() as port:
        with pytest.raises(Unreachable, match="The TLS handshake fails") as refused:
            await encrypt(Origin.parse(f"https://localhost:{port}"), 5.0)
    assert "try http" in (refused.value.hint or "")


async def test_a_handshake_that_never_ends_is_not_waited_for() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(Unreachable, match=r"does not end within 0\.05 s"):
            await encrypt(Origin.parse(f"https://127.0.0.1:{port}"), 0.05)
