"""Real PostgreSQL and Redis servers for tests, each on a free port of 127.0.0.1 and in a folder of its own.

They are as quick as they can be made, since nothing they keep outlives the tests: no waiting for the disk. They end
with the process that started them, however it ends.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeVar

import asyncpg

from tests.support.debian import Program, cannot, program
from tests.support.processes import free_port, process_tree
from tests.support.waiting import eventually

__all__ = ["PASSWORD", "PgBouncer", "PostgresServer", "RedisServer", "run_aside"]

_T = TypeVar("_T")

PASSWORD: Final = "correct-horse-battery"
"""Of the role ``pointsman``, who owns the databases that are made for tests."""

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_POSTGRES_SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "jit": "off",
    "logging_collector": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "GMT",
    "log_timezone": "GMT",
}


def run_aside(work: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine gives, in a thread and a loop of its own: also where a loop runs already."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


class _Server:
    """A child process that can be stopped and started again on its port, with what it kept."""

    _last_signal: ClassVar[str] = "KILL"

    def __init__(self, name: str) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"pointsman-{name}-"))
        self.user: str | None = None
        self._said_before = 0
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        assert self._process is not None
        return self._process.pid

    def close(self) -> None:
        """Stop it, and remove what it kept."""
        atexit.unregister(self.close)
        if self.running:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing, as where a network swallows packets."""
        assert self._process is not None
        processes = process_tree(self._process.pid)
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def output(self) -> str:
        """What it wrote."""
        return (self.directory / "log").read_text("utf-8", "replace")

    def _launch(self, command: Sequence[str], environment: dict[str, str], is_ready: Callable[[], bool]) -> None:
        if shutil.which("setpriv"):  # however this process ends, the server is told
            command = ["setpriv", "--pdeathsig", self._last_signal, "--", *command]
        with (self.directory / "log").open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**os.environ, **environment},
                start_new_session=True,
                user=self.user,
                group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
                extra_groups=None if self.user is None else [],
            )
        try:
            eventually(lambda: not self.running or is_ready(), "the server is ready", _READY_SECONDS)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.output()}") from problem
        if not self.running:
            raise AssertionError(f"the server ended at once\n{self.output()}")

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)
        self._process = None


class PostgresServer(_Server):
    """A cluster with the role ``pointsman``, who has a password, and the superuser ``postgres``, who needs none."""

    _last_signal = "QUIT"  # its children end with it

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        super().__init__("postgres")
        self._settings = {**_POSTGRES_SETTINGS, **(settings or {})}
        self._program = program(("postgres",), "postgresql")
        self._names = itertools.count(1)
        self._data = self.directory / "data"
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.user = "nobody"
            shutil.chown(self.directory, self.user)
        self._initialise()
        self.start()
        self.execute(f"CREATE ROLE pointsman LOGIN CREATEDB PASSWORD '{PASSWORD}'")

    @property
    def major_version(self) -> int:
        """As 15."""
        return int((self._data / "PG_VERSION").read_text().split(".")[0])

    def start(self) -> None:
        """Start it, also again after it was stopped."""
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [str(self._program.path.resolve()), "-D", str(self._data), "-p", str(self.port), *settings]
        self._launch(command, self._program.environment, self._is_ready)

    def stop(self) -> None:
        """Stop it as an operator does: who is connected is cut off, what was committed stays."""
        self._end(signal.SIGINT)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser."""
        run_aside(self._execute(statements, database))

    def fetch(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows that a statement of the superuser gives."""
        return run_aside(self._fetch(statement, values, database))

    def new_database(self, template: str = "template1") -> str:
        """The name of a database of its own, which belongs to the role ``pointsman``."""
        name = f"test_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER pointsman")
        return name

    def url(self, database: str, *, user: str = "pointsman", password: str = PASSWORD) -> str:
        """Where ``database`` is, with the password."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def _initialise(self) -> None:
        options = ["-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(
            [self._program.beside("initdb"), "-D", str(self._data), *options],
            capture_output=True,
            text=True,
            env={**os.environ, **self._program.environment},
            cwd=self.directory,
            user=self.user,
            group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
            extra_groups=None if self.user is None else [],
            check=False,
        )
        if done.returncode:
            cannot(f"initdb failed: {done.stderr.strip()[-500:]}")
        lines = ["host all pointsman 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust"]
        (self._data / "pg_hba.conf").write_text("\n".join(lines) + "\n")

    def _is_ready(self) -> bool:
        return "ready to accept connections" in self.output()[self._said_before :]

    async def _connect(self, database: str) -> Any:
        return await asyncpg.connect(host="127.0.0.1", port=self.port, user="postgres", database=database, timeout=10)

    async def _execute(self, statements: Sequence[str], database: str) -> None:
        connection = await self._connect(database)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def _fetch(self, statement: str, values: Sequence[object], database: str) -> list[tuple[Any, ...]]:
        connection = await self._connect(database)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()


class PgBouncer(_Server):
    """PgBouncer before a PostgreSQL server, in its most economical mode: a server connection for each transaction."""

    def __init__(self, behind: PostgresServer) -> None:
        super().__init__("pgbouncer")
        self._program = program(("pgbouncer",), "pgbouncer")
        if os.geteuid() == 0:
            self.user = "nobody"
            shutil.chown(self.directory, self.user)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "plain",
            "auth_file": str(self.directory / "users"),
            "pool_mode": "transaction",
            "default_pool_size": "3",
        }
        lines = ["[databases]", f"* = host=127.0.0.1 port={behind.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (self.directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        (self.directory / "users").write_text(f'"pointsman" "{PASSWORD}"\n')
        self._launch(
            [str(self._program.path), str(self.directory / "pgbouncer.ini")], self._program.environment, self._is_ready
        )

    def url(self, database: str) -> str:
        """Where ``database`` of the server behind is."""
        return f"postgresql://pointsman:{PASSWORD}@127.0.0.1:{self.port}/{database}?pgbouncer=true"

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
                return True
        except OSError:
            return False


class RedisServer(_Server):
    """Redis, or Valkey, with 1,024 databases. What is in it is gone when it is stopped, unless it is ``persistent``."""

    def __init__(self, *, persistent: bool = False, settings: Sequence[str] = (), made_by: str = "redis") -> None:
        super().__init__(made_by)
        self._program: Program = program((f"{made_by}-server",), f"{made_by}-server")
        self._databases = itertools.count(1)
        self._settings = ["--appendonly", "yes" if persistent else "no", *settings]
        self.start()

    def start(self) -> None:
        """Start it, also again after it was stopped."""
        command = [str(self._program.path), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--databases", "1024", "--dir", str(self.directory), *self._settings]
        self._launch(command, self._program.environment, self._is_ready)

    def stop(self) -> None:
        """Stop it as an operator does."""
        self._end(signal.SIGTERM)

    def url(self, database: int = 0) -> str:
        """Where ``database`` is."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def new_url(self) -> str:
        """Where a database is that nobody used yet."""
        return self.url(next(self._databases))

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")
        except OSError:
            return False
