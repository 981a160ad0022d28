"""One request on the near side: what came in, and the hands by which the story answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.rules import RoutingRules
from pointsman.core.upstream import Ask, Operation

__all__ = ["Client", "ClientDialect", "ClientGone", "Flow", "Inbound", "InferenceRoute", "RequestHead"]


class ClientGone(Exception):
    """Raised inside the story when the client closed its connection."""


class ClientDialect(Protocol):
    """The near half of a dialect, as far as the story needs it.

    ``stream_type`` is the content type of its streams, ``keepalive`` what a waiting client may be sent in one (empty:
    nothing); ``overloaded_status`` tells that an upstream has too much to do, ``unknown_model_status`` (OpenAI's is
    LiteLLM's) that nobody serves the model.
    """

    stream_type: bytes
    keepalive: bytes
    overloaded_status: int
    unknown_model_status: int

    def read_ask(self, body: bytes, operation: Operation, path_model: str | None) -> Ask:
        """As much of the request as must be known before choosing where it goes.

        Raises:
            Malformed: the body is not of the dialect; the message names the field.
        """
        ...

    def write_error(self, error: GatewayError, call_id: str) -> bytes:
        """The body of an error answer."""
        ...


class InferenceRoute(msgspec.Struct, frozen=True):
    """A path the gateway answers itself: its operation, dialect, name (for records and metrics) and methods.

    ``key_in_query``: its clients may put the key into the URL. ``paths`` are all under which it is reached.
    """

    operation: Operation
    dialect: ClientDialect
    name: str
    key_in_query: bool = False
    methods: frozenset[bytes] = frozenset({b"POST"})
    paths: tuple[str, ...] = ()


class RequestHead(msgspec.Struct):
    """What stands before the body of a request; requests of one connection that repeat their head share it.

    ``key`` is the key it presented, empty if none, and ``token`` that key's digest once somebody asked for it; header
    names are lower case. ``versions`` are the headers that name beta features; None while nobody looked. ``routing`` is
    what headers say of the request's way, ``end_user`` the customer they name; they are looked at together.
    """

    route: InferenceRoute
    key: bytes
    headers: Sequence[tuple[bytes, bytes]]
    path_model: str | None = None
    peer: str = ""
    token: str = ""
    method: bytes = b"POST"
    versions: tuple[tuple[str, str], ...] | None = None
    routing: RoutingRules | None = None
    end_user: str | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, or None. ``name`` is lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Inbound(msgspec.Struct):
    """A complete request; ``received`` is monotonic seconds, ``at`` wall time.

    ``end_user`` is the customer it is for, where not its body says so but something that wins over it.
    """

    head: RequestHead
    body: bytes
    received: float
    at: float
    end_user: str | None = None


class Flow(Protocol):
    """Something that can be made to wait."""

    def pause(self) -> None:
        """Hold on."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...


class Client(Protocol):
    """The near side's connection. No method waits, none raises.

    The last bytes of an answer leave after the records that were kept before them are safe; what comes before the
    last leaves at once.
    """

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """A whole answer; ``head`` is complete header lines, length and framing are added."""
        ...

    def begin(self, status: int, head: bytes) -> None:
        """Start an answer whose length is unknown."""
        ...

    def send(self, block: bytes) -> None:
        """More of a begun answer."""
        ...

    def end(self, block: bytes = b"") -> None:
        """Finish a begun answer, with ``block`` as its last part."""
        ...

    def attach(self, flow: Flow | None) -> None:
        """What to pause while the client does not keep up."""
        ...

    def abort(self) -> None:
        """Break the connection, so that a begun answer is not taken for a whole one."""
        ...
