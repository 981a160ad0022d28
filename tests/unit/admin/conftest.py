"""The desk that most of these tests sit at."""

from __future__ import annotations

import pytest

from tests.unit.admin.office_desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()
