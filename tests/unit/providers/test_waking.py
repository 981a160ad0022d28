"""The packet, and where it goes."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from pointsman.core.upstream import Deployment
from pointsman.providers.waking import HostKnock, magic_packet, send_magic_packet
from tests.unit.providers.scripted import ScriptedFetcher

MAC = bytes.fromhex("0123456789ab")


def deployment(provider: str = "ollama") -> Deployment:
    return Deployment(
        id="d", group="g", provider=provider, model="m", litellm_model="", api_base="http://gpu:1/v1", price=None
    )


def test_the_packet_is_six_times_ff_and_sixteen_times_the_address() -> None:
    packet = magic_packet(MAC)
    assert len(packet) == 102
    assert packet[:6] == b"\xff" * 6
    assert packet[6:] == MAC * 16


async def test_it_is_sent_where_it_is_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        await send_magic_packet(MAC, "127.0.0.1", listener.getsockname()[1])
        async with asyncio.timeout(2):
            data = await asyncio.get_running_loop().sock_recv(listener, 1024)
    assert data == magic_packet(MAC)


async def test_a_packet_that_cannot_be_sent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await send_magic_packet(MAC, "no such host.invalid", 9)
    assert "01:23:45:67:89:ab could not be sent" in caplog.text


async def test_a_server_that_answers_is_awake_and_one_that_still_starts_is_not() -> None:
    fetcher = ScriptedFetcher()
    assert not await HostKnock(fetcher).answers(deployment())
    fetcher.pages["gpu:1"] = {"/api/version": {"version": "1"}, "/v1/models": (503, {})}
    assert await HostKnock(fetcher).answers(deployment())
    assert not await HostKnock(fetcher).answers(deployment("openai"))
    fetcher.pages["gpu:1"]["/v1/models"] = (401, {})
    assert await HostKnock(fetcher).answers(deployment("openai"))
