"""The supervisor is never less patient than its workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pointsman.assembly.plan import ServePlan
from pointsman.cli.supervisor import _Supervisor


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
