"""A management API over stores in memory, and a client that speaks ASGI to it without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import msgspec

from pointsman.admin import InferencePath, Office, Readiness, make_app
from pointsman.admin.route import Route
from pointsman.admin.table import ROUTES
from pointsman.catalog.models import ModelFacts
from pointsman.core.access import AwsAccess
from pointsman.core.errors import Unreachable
from pointsman.core.flight import Sender
from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.nursery import Nursery
from pointsman.core.outcome import CallRecord
from pointsman.core.price import FREE, Price, picodollars
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Operation
from pointsman.policies.keyring import Keyring
from pointsman.providers.bedrock import AwsKeyring
from pointsman.providers.bedrock.keys import Grant
from pointsman.providers.discovery.found import FoundHost, FoundModel, HostKind
from pointsman.providers.health import Admittance, HealthWatch
from pointsman.providers.ollama import OllamaManagement
from pointsman.providers.stateful import ResponseBook
from pointsman.providers.tokens import TokenBook
from pointsman.providers.transport import FetchReply, Origin
from pointsman.routing.live import LiveBook
from pointsman.routing.performance import PerformanceBook
from pointsman.routing.table import Pattern, RoutingTable
from pointsman.stores.memory import (
    MemoryAuditStore,
    MemoryConversationStore,
    MemoryDatabase,
    MemoryDirectoryStore,
    MemoryKeyStore,
    MemoryLedgerStore,
    MemoryResponseStore,
    MemorySpendStore,
)

MASTER = "sk-master-0123456789abcdef"
CANARY = "sk-canary-of-the-upstream-5f1d"
NOW = 1_790_000_000.0


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = NOW

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - NOW + 1000.0


class Reply:
    """Status, headers (lower-case names) and body of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> SimpleNamespace:
        told = self.json()["error"]
        return SimpleNamespace(**told) if isinstance(told, dict) else SimpleNamespace(message=told)


def deployment(group: str = "llama3", **changes: Any) -> Deployment:
    given: dict[str, Any] = {
        "id": f"id-{group}",
        "group": group,
        "provider": "ollama",
        "model": group,
        "litellm_model": f"ollama_chat/{group}",
        "api_base": f"http://user:{CANARY}@10.0.0.7:11434?key={CANARY}",
        "price": FREE,
        "api_key": Secret(CANARY),
        "headers": {"authorization": Secret(f"Bearer {CANARY}")},
        "pinned": {"secret": msgspec.Raw(f'"{CANARY}"'.encode())},
        "context_tokens": 8192,
        "capabilities": frozenset({"tools"}),
        **changes,
    }
    return Deployment(**given)


def standard_table() -> RoutingTable:
    """Two plain models, one in an access group, an alias, a hidden alias and a wildcard."""
    return RoutingTable(
        [
            deployment(),
            deployment("llama3", id="id-llama3-b", context_tokens=4096, price=Price(input=1_000_000, output=2_000_000)),
            deployment("embedder", mode="embedding", capabilities=frozenset()),
            deployment("vip", access_groups=frozenset({"beta"}), api_base="http://10.0.0.8:8000/v1"),
        ],
        aliases={"gpt-4": "llama3", "hidden": "llama3"},
        patterns=[Pattern("openai/*", lambda name, _stars: deployment(name, provider="openai"))],
        hidden=frozenset({"hidden"}),
    )


def call_record(call_id: str, **changes: Any) -> CallRecord:
    given: dict[str, Any] = {
        "call_id": call_id,
        "operation": "acompletion",
        "route": "/chat/completions",
        "started_at": NOW - 60,
        "ended_at": NOW - 58.5,
        "model_group": "llama3",
        "deployment_id": "id-llama3",
        "cost": picodollars("0.25"),
        **changes,
    }
    return CallRecord(**given)


class SilentWire:
    """Nobody answers, unless ``replies`` has something for the URL; ``asked`` are the URLs so far."""

    def __init__(self) -> None:
        self.replies: dict[str, FetchReply] = {}
        self.asked: list[str] = []

    async def fetch(self, method: str, url: str, **_: Any) -> FetchReply:
        self.asked.append(url)
        if url not in self.replies:
            raise Unreachable(f"Cannot reach {Origin.parse(url).url}: refused.", hint="Check that it runs.")
        return self.replies[url]


async def _no_keys(access: AwsAccess) -> Grant:
    raise Unreachable("No AWS credentials were found.")


class Desk:
    """The office, its stores, and ways to ask it. ``changes`` are what it told the keyring."""

    def __init__(self, *, master_key: str | None = MASTER, **parts: Any) -> None:
        self.clock = SetClock()
        self.database = MemoryDatabase()
        self.keys = MemoryKeyStore(self.database)
        self.ledger = MemoryLedgerStore(self.database)
        self.directory = MemoryDirectoryStore(self.database)
        self.spend = MemorySpendStore(self.database)
        self.audit = MemoryAuditStore()
        self.keyring = Keyring(Secret(master_key) if master_key else None, self.keys, self.clock)
        self.changes: list[tuple[str, KeyRecord | None]] = []
        self.spooled: list[CallRecord] = []
        self.readiness = Readiness()
        self.book = ResponseBook(
            MemoryResponseStore(self.database),
            MemoryConversationStore(self.database),
            estimate=len,
            clock=self.clock,
            retention_days=30,
        )
        self.stopped: list[str] = []
        self.hosts: tuple[FoundHost, ...] = ()
        self.lives = LiveBook()
        self.performance = PerformanceBook(self.lives)
        self.wire = SilentWire()
        nursery = Nursery(lambda _name, _error: None)
        admittance = Admittance(TokenBook(self.wire, nursery, self.clock), AwsKeyring(_no_keys, nursery, self.clock))
        self.health = HealthWatch(self.wire, admittance, hosts=lambda: self.hosts, clock=self.clock)
        given: dict[str, Any] = {
            "keyring": self.keyring,
            "keys": self.keys,
            "ledger": self.ledger,
            "directory": self.directory,
            "spend": self.spend,
            "audit": self.audit,
            "table": standard_table,
            "clock": self.clock,
            "version": "9.8.7",
            "metrics_text": lambda: b"# HELP up Whether it is up.\nup 1.0\n",
            "flush": self.flush,
            "on_key_change": self.on_key_change,
            "facts": lambda one: ModelFacts(key=one.model, source="test", output_tokens_max=512),
            "hosts": lambda: self.hosts,
            "readiness": lambda: self.readiness,
            "health": self.health,
            "performance": lambda one: self.performance.of(one, self.clock.monotonic()),
            "book": self.book,
            "stop_job": self.stopped.append,
            # It may be asked for, and knows of no host.
            "ollama": OllamaManagement(cast("Sender", self.wire), dict),
            "inference_paths": (
                InferencePath("/v1/chat/completions", Operation.CHAT),
                InferencePath("/v1/completions", Operation.COMPLETION),
                InferencePath("/openai/deployments/{model}/embeddings", Operation.EMBEDDING),
            ),
            **parts,
        }
        self.office = Office(**given)
        self.app = make_app(self.office)

    def on_key_change(self, token: str, record: KeyRecord | None) -> None:
        self.changes.append((token, record))
        self.keyring.changed(token, record)

    async def flush(self) -> None:
        waiting, self.spooled = self.spooled, []
        await self.ledger.append(waiting)

    async def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        key: str | None = MASTER,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        """One request; ``body`` is bytes, or anything that JSON can say."""
        given = {"host": "127.0.0.1:4000", **(headers or {})}
        if key:
            given.setdefault("authorization", f"Bearer {key}")
        raw = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        if body is not None:
            given.setdefault("content-type", "application/json")
        path, _, text = target.partition("?")
        return await exchange(self.app, method, path, text or urlencode(query), given, raw)

    async def new_key(self, **fields: Any) -> str:
        answer = await self.ask("POST", "/key/generate", fields)
        assert answer.status == 200, answer.body
        return str(answer.json()["key"])

    def record(self, key: str) -> KeyRecord:
        return self.database.keys[token_of(key)]


async def exchange(
    app: Any, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, blocks: int = 2
) -> Reply:
    size = len(body) // blocks + 1
    waiting = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    sent: list[dict[str, Any]] = []
    answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not waiting:
            await answered.wait()  # a client that leaves earlier gets no more of a stream
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 4000),
    }
    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    content = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return Reply(start["status"], found, content)


def found_host(url: str, *, online: bool, problem: str | None = None, kind: HostKind = "ollama") -> FoundHost:
    return FoundHost(kind, url, online=online, models=(FoundModel("llama3", "llama3"),), problem=problem)


def route_of(method: str, path: str) -> Route[Any, Any]:
    return next(route for route in ROUTES if route.method == method and path in route.paths)
