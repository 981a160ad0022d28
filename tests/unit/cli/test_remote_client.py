"""Asking a gateway that runs: whoever does not answer is not waited for without end."""

from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner

from pointsman.cli.main import cli
from pointsman.cli.remote.client import GatewayClient
from pointsman.cli.remote.tables import plain
from pointsman.core.errors import GatewayError, Unreachable, UpstreamFailed
from tests.upstreams.identity_server import FakeIdentity
from tests.upstreams.reply import Close, Reply, Send


async def test_a_gateway_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = GatewayClient(f"http://127.0.0.1:{silent.getsockname()[1]}", None, patience_seconds=0.05)
        with pytest.raises(UpstreamFailed):
            await client.fetch("GET", "/health")
        with pytest.raises(UpstreamFailed):
            await client.download("/spend/export", {}, bytearray().extend, silence_seconds=0.05)


async def test_one_that_is_not_there_is_told_of_with_what_to_do() -> None:
    client = GatewayClient("http://127.0.0.1:9", None)
    for asking in (client.fetch("GET", "/health"), client.download("/spend/export", {}, bytearray().extend)):
        with pytest.raises(Unreachable) as caught:
            await asking
        assert "pointsman serve" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        ("200 OK", b"[]", "no gateway, or one of another version"),
        ("200 OK", b"\xff\xfe{", "no gateway, or one of another version"),
        ("200 OK", b"{}", "no gateway, or one of another version"),
        ("302 Found", b"", "no gateway, or one of another version"),
        ("404 Not Found", b'{"detail":"Not Found"}', "no gateway, or one of another version"),
        ("500 Oh", b"{}", "answered with 500"),
        (
            "404 Not Found",
            b'{"error":{"message":"There is nothing.","code":"route_not_found"}}',
            "older than this command",
        ),
    ],
)
def test_what_is_no_gateway_is_told_in_a_sentence(status: str, body: bytes, words: str) -> None:
    with FakeIdentity() as something:
        something.always(Reply.raw(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body))
        found = CliRunner().invoke(cli, ["keys", "show", "ann", "--url", something.url, "--key", "sk-a"])
    assert isinstance(found.exception, GatewayError), found.output
    assert words in found.exception.message


def test_a_name_is_no_command_for_the_terminal() -> None:
    assert plain("a\x1b]0;b\x07c") == r"a\x1b]0;b\x07c"
    assert plain(["\x9b2J"]) == r"\x9b2J"
    assert plain("Größe 你好") == "Größe 你好"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("[ssl: certificate_verify_failed] self-signed certificate", "SSL_CERT_FILE"),
        ("[ssl: wrong_version_number] wrong version number", "http:// and not https://"),
        ("connect call failed", "pointsman serve"),
    ],
)
async def test_what_is_to_be_done_about_one_that_cannot_be_reached(said: str, hint: str) -> None:
    client = GatewayClient("https://127.0.0.1:9", None)
    with pytest.raises(Unreachable) as caught:
        async with client._asking():
            raise Unreachable(f"Cannot reach the upstream: {said}")
    assert hint in (caught.value.hint or "")


async def test_what_breaks_off_is_told_by_its_address() -> None:
    with FakeIdentity() as something:
        something.always(Reply((Send(b"SSH-2.0-x\r\n"), Close()), "no HTTP"))
        with pytest.raises(UpstreamFailed) as caught:
            await GatewayClient(something.url, None).fetch("GET", "/key/list")
        assert caught.value.message.startswith(f"What answers at {something.url} ")
