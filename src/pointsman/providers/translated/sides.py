"""The two sides of a translation: what a client's dialect and an upstream's dialect each bring.

Any client side goes with any far side, since both speak :class:`~pointsman.core.call.Call` and
:mod:`~pointsman.core.events` towards the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import msgspec

from pointsman.core.call import Call
from pointsman.core.errors import GatewayError
from pointsman.core.events import Event
from pointsman.core.reply import Reply
from pointsman.core.upstream import Ask, Deployment, Lane, Outbound
from pointsman.core.usage import Usage
from pointsman.wire.sse import SseParser

__all__ = [
    "CallLane",
    "ClientSide",
    "EventReader",
    "EventWriter",
    "FarSide",
    "Reading",
    "SigningSide",
    "Splitter",
    "SseFrames",
    "Writing",
]


class Splitter(Protocol):
    """Cuts a stream into the frames that an :class:`EventReader` takes."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete with these bytes."""
        ...

    def end(self) -> list[bytes]:
        """What is left at the end of the stream."""
        ...


class EventReader(Protocol):
    """The far half of a dialect: frames to events."""

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        ...

    def end(self) -> list[Event]:
        """What the end of the stream means."""
        ...


class EventWriter(Protocol):
    """The near half of a dialect: events to the client's bytes."""

    def write(self, events: Iterable[Event]) -> bytes:
        """The bytes for some events."""
        ...

    def end(self, usage: Usage | None = None) -> bytes:
        """The closing bytes; ``usage`` stands in where no event reported any."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """An error in the middle, and the end."""
        ...


class Reading(msgspec.Struct, frozen=True):
    """How one answer of an upstream is read: streamed, whole, or an error (a status of 400 or more and its body)."""

    splitter: Splitter
    reader: EventReader
    read_reply: Callable[[bytes], Reply]
    read_error: Callable[[int, bytes], GatewayError]


class Writing(msgspec.Struct, frozen=True):
    """How one answer is given to the client."""

    writer: EventWriter
    write_reply: Callable[[Reply], bytes]


class ClientSide(Protocol):
    """The near half of a dialect."""

    def read(self, ask: Ask) -> Call:
        """The request; ``ask.notes`` may be set to what the answer has to know of it.

        Raises:
            Malformed, Unsupported: the message names the field.
        """
        ...

    def writing(self, call: Call, ask: Ask) -> Writing:
        """How the answer to ``call``, which was read from ``ask``, is given."""
        ...


class FarSide(Protocol):
    """The far half of a dialect, for one kind of upstream."""

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """The upstream's request, which asks for the usage of a stream in any case.

        Raises:
            Malformed, Unsupported: the upstream cannot express it; the message names what.
        """
        ...

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """How the answer to that request is read."""
        ...


@runtime_checkable
class CallLane(Lane, Protocol):
    """A lane that sends ``ask.call``, once that is set, and whose answer is a translated one."""

    sends_call: bool


@runtime_checkable
class SigningSide(Protocol):
    """A far side whose requests carry a signature of their body, so that who changes a body has it signed again."""

    def sign(self, outbound: Outbound) -> Outbound:
        """The request with the headers that belong to it as it is now."""
        ...


class SseFrames:
    """The data of server-sent events, as frames."""

    __slots__ = ("_parser",)

    def __init__(self) -> None:
        self._parser = SseParser()

    def feed(self, data: bytes) -> list[bytes]:
        """See :class:`Splitter`."""
        return [event.data for event in self._parser.feed(data)]

    def end(self) -> list[bytes]:
        """See :class:`Splitter`."""
        return [event.data for event in self._parser.end()]
