"""Who waits for the local servers: the operator sees all of it, a key only what is its own."""

from __future__ import annotations

import pytest

from pointsman.core.identity import token_of
from pointsman.routing.hosts import Fleet, Host, LoadedModel
from pointsman.routing.queue import Ticket
from tests.unit.admin.office_desk import Desk


def busy_host(token: str = "y") -> Host:
    fleet = Fleet()
    host = fleet.at("http://user:secret@gpu1:11434")
    host.kind, host.slots, host.others_waiting = "ollama", 1, 4
    host.loaded = {"llama3:8b": LoadedModel("llama3:8b")}
    queue = fleet.queue_of(host)
    for number, (group, key, alias) in enumerate(
        (("llama3", "x", "other"), ("llama3", token, "mine"), ("qwen3", "x", "other"))
    ):
        queue.enter(Ticket(f"{group}:8b", group, key, 990.0 + number, alias), 990.0 + number)
    return host


async def test_the_operator_sees_every_host() -> None:
    host = busy_host()
    desk = Desk(local_hosts=lambda: (host, Host("http://gpu2:11434")))
    body = (await desk.ask("GET", "/queue")).json()
    assert (body["running"], body["waiting"]) == (1, 2)
    first, second = body["hosts"]
    assert first["url"] == "http://gpu1:11434"
    assert (first["kind"], first["online"], first["slots"], first["queue_max"]) == ("ollama", True, 1, 512)
    assert (first["running"], first["waiting"], first["loaded"], first["server_waiting"]) == (1, 2, ["llama3:8b"], 4)
    assert first["oldest_wait_seconds"] == pytest.approx(9.0)
    assert first["models"] == {"llama3": {"running": 1, "waiting": 1}, "qwen3": {"running": 0, "waiting": 1}}
    assert {(row["key_alias"], row["running"], row["waiting"]) for row in first["keys"]} == {
        ("other", 1, 1), ("mine", 0, 1),
    }  # fmt: skip
    assert (second["running"], second["waiting"], second["models"]) == (0, 0, {})


async def test_a_key_sees_its_own_requests_and_no_host() -> None:
    hosts: list[Host] = []
    desk = Desk(local_hosts=lambda: hosts)
    key = await desk.new_key()
    hosts.append(busy_host(token_of(key)))
    reply = await desk.ask("GET", "/queue", key=key)
    assert reply.json() == {
        "running": 0,
        "waiting": 1,
        "requests": [{"model": "llama3", "waits": True, "seconds": pytest.approx(9.0), "ahead": 0}],
    }
    assert b"gpu1" not in reply.body and b"other" not in reply.body


async def test_nobody_else_is_told() -> None:
    desk = Desk(local_hosts=lambda: (busy_host(),))
    assert (await desk.ask("GET", "/queue", key="sk-unknown-0123456789")).status == 401
