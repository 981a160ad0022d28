"""The servers that stores are tested with start, stop and start again with what they kept."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import PASSWORD, PostgresServer, RedisServer
from tests.support.waiting import eventually


def test_a_database_is_made_for_the_role_that_has_a_password(postgres: PostgresServer) -> None:
    name = postgres.new_database()
    assert postgres.fetch("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", name) == [
        ("pointsman",)
    ]
    assert PASSWORD in postgres.url(name)


def test_what_was_committed_is_there_after_a_restart() -> None:
    with PostgresServer() as server:
        server.execute("CREATE TABLE kept (n INTEGER)", "INSERT INTO kept VALUES (7)")
        server.stop()
        assert not server.running
        server.start()
        assert server.fetch("SELECT n FROM kept") == [(7,)]


def test_redis_answers_on_its_port(redis_server: RedisServer) -> None:
    with socket.create_connection(("127.0.0.1", redis_server.port), timeout=5) as client:
        client.sendall(b"ECHO hello\r\n")
        assert client.recv(64) == b"$5\r\nhello\r\n"
    assert redis_server.new_url() != redis_server.new_url()


@pytest.mark.parametrize("kind", ["PostgresServer", "RedisServer"])
def test_a_server_ends_with_the_process_that_started_it(kind: str, postgres: PostgresServer) -> None:
    code = f"""
import sys
from tests.support.servers import {kind}
server = {kind}()
print(server._process.pid, server.directory, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as child:
        assert child.stdout is not None
        pid, directory = child.stdout.readline().split()
        child.send_signal(signal.SIGKILL)
        child.wait()

    def is_gone() -> bool:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    eventually(is_gone, "the server has ended", 30.0)
    shutil.rmtree(directory)
