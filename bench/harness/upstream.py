"""The mock upstream as the harness sees it: start, pace, counters."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path

from harness.machine import free_port
from harness.processes import PinnedProcess, start_pinned, wait_until
from harness.surroundings import BenchError, child_environment

__all__ = ["Upstream", "UpstreamCounters", "start_upstream"]


@dataclass(frozen=True, slots=True)
class UpstreamCounters:
    """What the mock has seen since it started.

    ``accepted`` and ``open`` count connections; ``renamed`` the requests whose model was the upstream's name, ``keyed``
    those with the upstream's key; ``streams_cut`` the streams whose reader left before the end.
    """

    accepted: int
    open: int
    requests: int
    streams: int
    streams_open: int
    streams_cut: int
    events: int
    renamed: int
    keyed: int

    def since(self, earlier: UpstreamCounters) -> UpstreamCounters:
        """The difference, field by field."""
        return UpstreamCounters(*(getattr(self, name) - getattr(earlier, name) for name in self.__slots__))


class Upstream:
    """The running mock."""

    def __init__(self, process: PinnedProcess, port: int) -> None:
        self.process = process
        self.port = port
        # One kept connection, so that asking for the counters does not itself count as a new connection.
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    @property
    def url(self) -> str:
        """The base URL an OpenAI client would be given."""
        return f"http://127.0.0.1:{self.port}/v1"

    def counters(self) -> UpstreamCounters:
        """The counters now."""
        return UpstreamCounters(**json.loads(self._ask("GET", "/stats")))

    def pace(self, gap_us: int) -> None:
        """Sets the pause between the events of streams begun from now on; 0 sends each stream at once."""
        self._ask("POST", f"/pace?gap_us={gap_us}&tokens=48")

    def disconnect(self) -> None:
        """Closes the connection for counters; the next question opens another."""
        self._connection.close()

    def stop(self) -> None:
        """Ends the process."""
        self.disconnect()
        self.process.stop()

    def _ask(self, method: str, target: str) -> bytes:
        self._connection.request(method, target)
        reply = self._connection.getresponse()
        return reply.read()


def start_upstream(binary: Path, core: int, directory: Path) -> Upstream:
    """Starts the mock on a free port and waits until it answers."""
    port = free_port()
    process = start_pinned([str(binary), str(port)], core, child_environment(), directory)
    upstream = Upstream(process, port)

    def answers() -> bool:
        process.check_alive()
        try:
            return upstream.counters().open > 0
        except OSError:
            upstream.disconnect()
            return False

    if not wait_until(answers, 5):
        process.stop()
        message = "the mock upstream does not answer"
        raise BenchError(message)
    return upstream
