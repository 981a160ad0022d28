"""What holds for every test; options live in pyproject.toml."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.servers import PostgresServer, RedisServer

_HOUSE: Final = Path(__file__).parent / "house"

# How long examples take says how busy the machine is. What has to be quick is measured by tests of its own.
# On a developer's machine every run looks at other examples; what the continuous integration says, it says again.
settings.register_profile(
    "pointsman",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("pointsman")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Golden files are written anew on request."""
    parser.addoption("--update", action="store_true", help="write expected files anew; read the difference")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector leave alone what is collected here: twenty thousand tests, which stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep on one worker what drives the real model, whose server starts once, and what reads the whole source."""
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.xdist_group("real"))
        elif item.path.is_relative_to(_HOUSE):
            item.add_marker(pytest.mark.xdist_group("house"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that all tests of this process share; who stops it makes one of their own."""
    from tests.support.servers import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server that all tests of this process share; who stops it makes one of their own."""
    from tests.support.servers import RedisServer

    with RedisServer() as server:
        yield server
