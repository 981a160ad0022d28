"""Redis servers that belong together: a cluster, and a primary with a replica and those who watch them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Final, Self

from tests.support.processes import free_port
from tests.support.servers import RedisServer
from tests.support.waiting import eventually

__all__ = ["RedisCluster", "WatchedRedis", "ask"]

_SLOTS: Final = 16_384
_TIMEOUT_SECONDS: Final = 5.0
_FORMED_SECONDS: Final = 30.0


def ask(port: int, *words: str) -> bytes:
    """What the server on the port answers to a command, as it stands on the wire; up to 64 KiB."""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_SECONDS) as connection:
        parts = [f"*{len(words)}", *(line for word in words for line in (f"${len(word)}", word)), ""]
        connection.sendall("\r\n".join(parts).encode())
        return connection.recv(65_536)


class _Group:
    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class RedisCluster(_Group):
    """A cluster of three servers, each with a third of the slots."""

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        settings = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        self.servers, buses = list[RedisServer](), list[int]()
        for _ in range(count):
            bus = free_port()  # looked for just before it is used, so that hardly anybody else can take it
            buses.append(bus)
            server = RedisServer(settings=(*settings, "--cluster-port", str(bus)))
            self.servers.append(self._stack.enter_context(server))
        ports = [server.port for server in self.servers]
        for index, port in enumerate(ports):
            first, last = _SLOTS * index // count, _SLOTS * (index + 1) // count - 1
            slots = [str(slot) for slot in range(first, last + 1)]
            assert ask(port, "CLUSTER", "ADDSLOTS", *slots) == b"+OK\r\n"
            assert ask(port, "CLUSTER", "SET-CONFIG-EPOCH", str(index + 1)) == b"+OK\r\n"
        for port, bus in zip(ports[1:], buses[1:], strict=True):
            ask(ports[0], "CLUSTER", "MEET", "127.0.0.1", str(port), str(bus))
        eventually(lambda: all(self._is_formed(port) for port in ports), "the cluster has formed", _FORMED_SECONDS)

    def move_slot_of(self, key: str) -> None:
        """Give the slot of a key to another server, with nothing of what is in it."""
        slot = int(_word(ask(self.servers[0].port, "CLUSTER", "KEYSLOT", key))[1:])
        ids = [_text(ask(server.port, "CLUSTER", "MYID")) for server in self.servers]
        owner = next(i for i in range(len(ids)) if slot < _SLOTS * (i + 1) // len(ids))
        ask(self.servers[owner].port, "FLUSHALL")
        for server in self.servers:
            ask(server.port, "CLUSTER", "SETSLOT", str(slot), "NODE", ids[owner - 1])

    def _is_formed(self, port: int) -> bool:
        told = ask(port, "CLUSTER", "INFO")
        return b"cluster_state:ok" in told and f"cluster_known_nodes:{len(self.servers)}".encode() in told


class WatchedRedis(_Group):
    """A primary and its replica, and a sentinel, who knows them as the service ``mymaster``."""

    service: Final = "mymaster"

    def __init__(self) -> None:
        super().__init__()
        self.primary = self._stack.enter_context(RedisServer(settings=("--repl-diskless-sync-delay", "0")))
        follows = ("--replicaof", f"127.0.0.1 {self.primary.port}")
        self.replica = self._stack.enter_context(RedisServer(settings=follows))
        self.sentinel = self._stack.enter_context(_Sentinel(self.service, self.primary.port))
        eventually(self._is_complete, "the sentinel knows primary and replica", _FORMED_SECONDS)

    def fail_over(self) -> None:
        """The primary dies, and the replica takes its place."""
        self.primary.kill()
        eventually(self._has_changed, "the replica is the primary", _FORMED_SECONDS)

    def _has_changed(self) -> bool:
        told = ask(self.sentinel.port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return str(self.replica.port).encode() in told

    def _is_complete(self) -> bool:
        is_linked = b"master_link_status:up" in ask(self.replica.port, "INFO", "replication")
        return is_linked and b"slaves=1" in ask(self.sentinel.port, "INFO", "sentinel")


class _Sentinel(RedisServer):
    def __init__(self, service: str, port: int) -> None:
        self._watched = (service, port)
        super().__init__()

    def start(self) -> None:
        service, port = self._watched
        lines = (
            f"port {self.port}",
            "bind 127.0.0.1",
            f"sentinel monitor {service} 127.0.0.1 {port} 1",
            f"sentinel down-after-milliseconds {service} 1000",
            f"sentinel failover-timeout {service} 5000",
        )
        file = self.directory / "sentinel.conf"
        file.write_text("\n".join(lines) + "\n")
        self._launch([str(self._program.path), str(file), "--sentinel"], self._program.environment, self._is_ready)


def _word(answer: bytes) -> str:
    return answer.split(b"\r\n")[0].decode()


def _text(answer: bytes) -> str:
    return answer.split(b"\r\n")[1].decode()
