"""A house whose upstream, ledger and client are played by the test, with one list of everything that happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from pointsman.core.eager import Inbox, Story
from pointsman.core.errors import UpstreamFailed
from pointsman.core.exchange import Flow, Inbound, InferenceRoute, RequestHead
from pointsman.core.identity import KeyRecord
from pointsman.core.nursery import Nursery
from pointsman.core.outcome import CallRecord
from pointsman.core.price import Price
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Operation, Outbound
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.lifecycle.announce import Audience
from pointsman.lifecycle.house import House, Manners
from pointsman.lifecycle.outbox import Outbox
from pointsman.lifecycle.serve import serve
from pointsman.policies.admission import Admission, AdmissionSettings
from pointsman.policies.keyring import Keyring
from pointsman.providers.lanes import LaneBook
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings
from pointsman.routing.table import RoutingTable
from tests.unit.policies.desk import FakeClock, FakeSource, key_record

__all__ = [
    "CHAT",
    "KEY",
    "MASTER",
    "UPSTREAM_KEY",
    "Act",
    "ScriptedClient",
    "ScriptedFlight",
    "Stage",
    "chat_body",
    "deployment",
]

MASTER = "sk-master-0123456789"
KEY = "sk-virtual-0123456789"
UPSTREAM_KEY = "upstream-credential-77"
CHAT = InferenceRoute(Operation.CHAT, OpenAIDialect(), "/chat/completions")

Act = Callable[["ScriptedFlight"], None]


def chat_body(*, model: str = "public", stream: bool = False, **more: Any) -> bytes:
    """A chat request."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello there"}], **more}
    return json.dumps({**body, "stream": True} if stream else body).encode()


def deployment(**changes: object) -> Deployment:
    """A deployment that charges one picodollar a token."""
    values: dict[str, object] = {
        "id": "dep-1",
        "group": "public",
        "provider": "openai",
        "model": "real",
        "litellm_model": "openai/real",
        "api_base": "http://upstream/v1?secret=1",
        "price": Price(1000, 1000),
        "api_key": Secret(UPSTREAM_KEY),
    }
    return Deployment(**{**values, **changes})  # type: ignore[arg-type]


class ScriptedFlight:
    """The upstream's answer, as the test plays it."""

    def __init__(self, stage: Stage) -> None:
        self.inbox: Inbox[bytes | None] = Inbox()
        self.sink: Callable[[bytes], None] | None = None
        self.status = 0
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        self.complete = False
        self.reused = False
        self.spoken = False
        self.paused = 0
        self.closed = False
        self.hurried: float | None = None
        self._stage = stage

    def answer(self, body: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """A whole answer."""
        self.status, self.headers, self.complete = status, headers, True
        self.inbox.put(body)

    def piece(self, data: bytes, *, last: bool = False) -> None:
        """A part of a stream."""
        self.status = self.status or 200
        self.complete = last
        (self.inbox.put if self.sink is None or last else self.sink)(data)

    def silence(self) -> None:
        """Nothing came for a while."""
        self.inbox.put(None)

    def fail(self, error: UpstreamFailed) -> None:
        """The upstream broke."""
        self.inbox.put(error)

    def pause(self) -> None:
        self.paused += 1

    def resume(self) -> None:
        self.paused -= 1

    def hurry(self, seconds: float) -> None:
        self.hurried = seconds

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._stage.happened.append("upstream cut" if not self.complete else "upstream let go")


class ScriptedSender:
    """Sends nothing, and plays the answer."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.sent: list[tuple[Deployment, Outbound, bool]] = []
        self.flights: list[ScriptedFlight] = []
        self.act: Act | None = None

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> ScriptedFlight:
        self._stage.happened.append("sent")
        self.sent.append((deployment, outbound, stream))
        flight = ScriptedFlight(self._stage)
        self.flights.append(flight)
        if self.act is not None:
            self.act(flight)
        return flight


class Books:
    """The ledger; fails on demand."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.records: list[CallRecord] = []
        self.failure: Exception | None = None

    def append(self, record: CallRecord) -> None:
        self._stage.happened.append("recorded")
        if self.failure is not None:
            raise self.failure
        self.records.append(record)

    def flush(self) -> None:
        self._stage.happened.append("safe")


class Ears:
    """Listens."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.records: list[CallRecord] = []

    def call_ended(self, record: CallRecord) -> None:
        self._stage.happened.append("announced")
        self.records.append(record)


class ScriptedClient:
    """The near side's connection."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.status = 0
        self.head = b""
        self.body = b""
        self.begun = False
        self.ended = False
        self.aborted = False
        self.flow: Flow | None = None

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        assert not self.begun and not self.ended, "an answer was given twice"
        self._stage.happened.append("replied")
        self.status, self.head, self.body, self.ended = status, head, body, True

    def begin(self, status: int, head: bytes) -> None:
        assert not self.begun and not self.ended, "an answer was begun twice"
        self._stage.happened.append("begun")
        self.status, self.head, self.begun = status, head, True

    def send(self, block: bytes) -> None:
        assert self.begun and not self.ended and block
        self._stage.happened.append("relayed")
        self.body += block

    def end(self, block: bytes = b"") -> None:
        assert self.begun and not self.ended, "an answer was ended twice"
        self._stage.happened.append("ended")
        self.body += block
        self.ended = True

    def attach(self, flow: Flow | None) -> None:
        self.flow = flow

    def abort(self) -> None:
        self.aborted = True


class Stage:
    """Everything, put together; ``happened`` is the order in which it did."""

    def __init__(
        self,
        *deployments: Deployment,
        record: KeyRecord | None = None,
        settings: AdmissionSettings | None = None,
        routing: RoutingSettings | None = None,
        **manners: Any,
    ) -> None:
        self.happened: list[str] = []
        self.escaped: list[BaseException] = []
        self.clock = FakeClock()
        self.source = FakeSource(record if record is not None else key_record(KEY, key_alias="tester"))
        self.nursery = Nursery(lambda _name, error: self.escaped.append(error))
        self.sender = ScriptedSender(self)
        self.books = Books(self)
        self.ears = Ears(self)
        admission = Admission(settings or AdmissionSettings())
        self.turns: list[Callable[[], None]] = []
        self.outbox = Outbox(self.books, self.turns.append, admission)
        self.house = House(
            keyring=Keyring(Secret(MASTER), self.source, self.clock),
            admission=admission,
            router=Router(RoutingTable(deployments or [deployment()]), routing or RoutingSettings(num_retries=0)),
            lanes=LaneBook({}),
            sender=self.sender,
            outbox=self.outbox,
            audience=Audience([self.ears]),
            clock=self.clock,
            manners=Manners("1.2.3", **manners),
        )
        self.pauses: list[float] = []
        self.alarm: Inbox[None] | None = None
        self.house.sleep = self._sleep

    async def _sleep(self, seconds: float) -> None:
        """Time passes at once, or, with an ``alarm``, when that rings."""
        self.pauses.append(seconds)
        if self.alarm is not None:
            await self.alarm
        self.clock.now += seconds

    def inbound(self, body: bytes, key: str = MASTER, *headers: tuple[bytes, bytes]) -> Inbound:
        head = RequestHead(CHAT, key.encode(), list(headers), None, "10.0.0.9")
        return Inbound(head, body, self.clock.monotonic(), self.clock.wall())

    def tell(self, body: bytes, key: str = MASTER) -> tuple[Story, ScriptedClient]:
        """Serve a request as far as it goes by itself."""
        return self.begin_with(self.inbound(body, key))

    def begin_with(self, inbound: Inbound) -> tuple[Story, ScriptedClient]:
        """As :meth:`tell`, for a request that is made already."""
        client = ScriptedClient(self)
        return self.begin(serve(inbound, client, self.house)), client

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> Story:
        story = Story(coroutine, self.nursery, self.escaped.append)
        story.step()
        return story

    @property
    def flight(self) -> ScriptedFlight:
        return self.sender.flights[-1]

    @property
    def record(self) -> CallRecord:
        """The one record of the one call."""
        (record,) = self.books.records
        return record

    def settled(self) -> None:
        """Nothing is held any more, and everybody heard of the call exactly once."""
        assert self.escaped == []
        assert self.house.admission.in_flight == 0
        for principal in (self.house.keyring.master, *self.house.keyring.principals()):
            assert (principal.in_flight, principal.reserved) == (0, 0)
        assert len(self.ears.records) == 1
        assert all(flight.closed for flight in self.sender.flights)
