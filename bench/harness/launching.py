"""Starts a contender, times how long it takes to be ready, and brings its client headers."""

from __future__ import annotations

import http.client
import shutil
import time
from dataclasses import dataclass

from harness.contenders import Contender, Place
from harness.machine import free_port
from harness.processes import PinnedProcess, start_pinned, wait_until
from harness.surroundings import BenchError, child_environment, scratch_directory

__all__ = ["Running", "launch"]


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that serves; ``ready_s`` is the time from exec to its first 200."""

    contender: Contender
    place: Place
    process: PinnedProcess
    headers: tuple[str, ...]
    ready_s: float

    def stop(self) -> None:
        """Ends it and removes what it wrote; the directory of a contender that failed to start stays, for its log."""
        self.process.stop()
        shutil.rmtree(self.place.directory, ignore_errors=True)


def launch(contender: Contender, core: int, upstream_port: int) -> Running:
    """Starts it in a fresh directory and waits until it is ready.

    Raises:
        BenchError: it ended, or was not ready in time; the text holds the end of its log.
    """
    place = Place(free_port(), upstream_port, scratch_directory(contender.name))
    command, environment = contender.command(place), child_environment(**contender.environment(place))
    began = time.monotonic()
    process = start_pinned(command, core, environment, place.directory)

    def ready() -> bool:
        process.check_alive()
        return _answers_200(place.port, contender.ready_path)

    try:
        in_time = wait_until(ready, contender.ready_s_max)
        ready_s = time.monotonic() - began
        headers = contender.client_headers(place) if in_time else ()
    except (BenchError, OSError):
        process.stop()
        raise
    if not in_time:
        process.stop()
        raise BenchError(f"{contender.name} is not ready after {contender.ready_s_max} s:\n{process.log_tail()}")
    return Running(contender, place, process, headers, ready_s)


def _answers_200(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
