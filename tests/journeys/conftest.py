"""Fixtures of the journeys: fake upstreams and real gateways in front of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel

_GATEWAYS = pytest.StashKey[list[Gateway]]()


def _calm(gateway: Gateway) -> None:
    """No journey may leave a traceback behind, whatever it did to the gateway."""
    assert "Traceback (most recent call last)" not in gateway.output(), gateway.output()


@pytest.fixture
def launch(request: pytest.FixtureRequest) -> Iterator[Launch]:
    """Starts gateways that end with the test; arguments as :meth:`Gateway.start`."""
    gateways = request.node.stash.setdefault(_GATEWAYS, [])

    def start(*args: object, ready: bool = True, **options: object) -> Gateway:
        gateway = Gateway(*args, **options)  # type: ignore[arg-type] # passed on as they are
        gateways.append(gateway)
        if ready:
            gateway.launch()
        return gateway

    yield start
    try:
        for gateway in gateways:
            _calm(gateway)
    finally:
        for gateway in gateways:
            gateway.close()


@pytest.fixture
def upstream() -> Iterator[FakeOpenAI]:
    """A fake OpenAI-compatible server of the test's own."""
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def ollama_upstream() -> Iterator[FakeOllama]:
    """A fake Ollama of the test's own, with one model."""
    with FakeOllama([OllamaModel("llama3.1:8b", context_length=32_768)]) as server:
        yield server


@pytest.fixture(scope="session")
def _shared_upstream() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


@pytest.fixture(scope="session")
def _shared_gateway(_shared_upstream: FakeOpenAI) -> Iterator[Gateway]:
    config = {
        "model_list": [
            openai_entry("fast", _shared_upstream, timeout=5),
            openai_entry("priced", _shared_upstream, input_cost_per_token=0.0001, output_cost_per_token=0.0002),
            openai_entry("embedder", _shared_upstream, {"mode": "embedding"}),
        ],
        "pointsman": {"upstream_idle_timeout_seconds": 2},
    }
    gateway = Gateway.start(config)
    yield gateway
    try:
        assert gateway.stop() == 0, gateway.output()
        _calm(gateway)
    finally:
        gateway.close()


@pytest.fixture
def shared(
    request: pytest.FixtureRequest, _shared_gateway: Gateway, _shared_upstream: FakeOpenAI
) -> Iterator[tuple[Gateway, FakeOpenAI]]:
    """One gateway and its upstream for every test that changes neither; the upstream is fresh in mind.

    Models: ``fast`` (free), ``priced`` and ``embedder``.
    """
    request.node.stash[_GATEWAYS] = [_shared_gateway]
    _shared_upstream.forget()
    yield _shared_gateway, _shared_upstream
    _shared_upstream.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing journey shows what its gateways printed."""
    report = yield
    if report.failed:
        for gateway in item.stash.get(_GATEWAYS, []):
            report.sections.append((f"gateway on port {gateway.port}", gateway.output()[-8_000:]))
    return report
