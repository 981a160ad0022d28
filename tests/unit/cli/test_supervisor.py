"""The supervisor is never less patient than its workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pointsman.assembly.plan import ServePlan
from pointsman.cli import worker
from pointsman.cli.supervisor import _Supervisor
from pointsman.cli.worker import on_hangup


class Child:
    """A worker that takes note of how long it is waited for."""

    def __init__(self) -> None:
        self.patience = 0.0

    def wait(self, timeout: float) -> int:
        self.patience = timeout
        return 0


@pytest.mark.parametrize("grace", [0.0, 30.0, 600.0])
def test_workers_are_given_their_grace_and_time_to_bring_records_home(grace: float) -> None:
    supervisor = _Supervisor(ServePlan("127.0.0.1", 0, Path("unused")), Console(), grace, key_made=False)
    child: Any = Child()
    supervisor._children[0] = (child, 0.0)
    supervisor._wait()
    assert grace + 20.0 < child.patience <= grace + 30.0


@pytest.fixture
def as_before() -> Iterator[None]:
    """What this process does about hangups."""
    heard = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, heard)


@pytest.mark.parametrize(
    ("terminal", "expected"),
    [((False, False), ["reload"]), ((True, True), ["reload"]), ((True, False), ["end"])],
    ids=["a service", "in a terminal", "whose terminal was closed"],
)
@pytest.mark.usefixtures("as_before")
def test_a_hangup_asks_for_a_reload_unless_the_terminal_is_gone(
    terminal: tuple[bool, bool], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, done = iter(terminal), []
    monkeypatch.setattr(worker, "_has_terminal", lambda: next(looks))
    on_hangup(lambda: done.append("reload"), lambda: done.append("end"))
    os.kill(os.getpid(), signal.SIGHUP)
    assert done == expected
