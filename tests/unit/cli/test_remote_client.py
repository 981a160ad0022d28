"""Asking a gateway that runs: whoever does not answer is not waited for without end."""

from __future__ import annotations

import socket

import pytest

from pointsman.cli.remote.client import GatewayClient
from pointsman.core.errors import Unreachable, UpstreamFailed


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
