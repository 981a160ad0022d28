"""One HTTP request under way to an upstream, as the story sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pointsman.core.eager import Inbox
from pointsman.core.upstream import Deployment, Outbound

__all__ = ["Flight", "Sender"]


class Flight(Protocol):
    """What comes back lands in ``inbox``.

    Unstreamed, or with a status of 400 and more: one item, the whole body. Streamed: the bytes of each
    read, in order; ``complete`` is True once the last of them (which may be empty) is in the inbox. ``None`` means
    that the upstream has been silent for a while and a streaming client should be told so. A failure is
    an ``UpstreamFailed`` that awaiting raises.

    Once ``sink`` is set, the pieces of a stream but the last may go there at once instead, with nobody to wake. It must
    not raise.

    ``spoken`` is set by the story once something of the answer itself has come: what bounds the time until then is
    over.

    ``status`` and ``headers`` hold from the first bytes on.
    """

    inbox: Inbox[bytes | None]
    sink: Callable[[bytes], None] | None
    spoken: bool

    @property
    def status(self) -> int:
        """0 before the first bytes."""
        ...

    @property
    def complete(self) -> bool:
        """See above."""
        ...

    @property
    def reused(self) -> bool:
        """Whether it went over a connection that had served others."""
        ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names (lower case) and values; taken from the head of the answer when asked for."""
        ...

    def pause(self) -> None:
        """Stop reading from the upstream: the client does not keep up."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def hurry(self, seconds: float) -> None:
        """Fail it unless its answer begins within ``seconds``, instead of the deployment's ``timeouts.load``."""
        ...

    def close(self) -> None:
        """Done with it: an answer that is not complete is cut off at once, upstream included."""
        ...


class Sender(Protocol):
    """Sends requests to deployments."""

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> Flight:
        """Send and return at once; everything else happens in the flight's inbox."""
        ...
