"""What :meth:`pointsman.stores.ports.LedgerStore.performance` promises, for every backend."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.stores.memory import MemoryLedgerStore
from pointsman.stores.memory.performance import performance_of
from pointsman.stores.performance import DeploymentUse, PerformanceQuery, PerformanceRow
from pointsman.stores.ports import LedgerQuery, LedgerStore
from tests.stores.samples import DAY, NOON, bare_call


def query(**changes: Any) -> PerformanceQuery:
    return PerformanceQuery(**{"start": NOON - DAY, "end": NOON + 3 * DAY, "slow_seconds": 2.0, **changes})


async def test_calls_are_added_up_by_day_deployment_and_outcome(ledger: LedgerStore) -> None:
    tokens = Usage(prompt=5, completion=4)
    await ledger.append([
        bare_call("c1", api_base="http://a", model="m", usage=tokens),
        bare_call("c2", api_base="http://a", model="m", usage=tokens, ended_at=NOON + 3.0, stream=True,
                  first_token_at=NOON + 0.5),
        bare_call("c3", api_base="http://a", model="m", status="failure", error_code="upstream_timeout"),
        bare_call("c4", api_base="http://a", model="m", started_at=NOON + DAY, ended_at=NOON + DAY + 1),
        bare_call("c5", api_base="http://b", model="m", deployment_id="d2"),
        bare_call("c6", deployment_id=""),
    ])  # fmt: skip
    first: dict[str, Any] = {"day": "2024-10-04", "deployment_id": "d1", "api_base": "http://a", "model": "m"}
    assert (await ledger.performance(query())).rows == (
        PerformanceRow(
            **first, error_code="", calls=2, slow=1, seconds=4.0, paced=2, pace_seconds=1.0, begun=1, first_seconds=0.5
        ),
        PerformanceRow(**first, error_code="upstream_timeout", calls=1, seconds=1.0),
        PerformanceRow(**{**first, "deployment_id": "d2", "api_base": "http://b"}, error_code="", calls=1, seconds=1.0),
        PerformanceRow(**{**first, "day": "2024-10-05"}, error_code="", calls=1, seconds=1.0),
    )


async def test_filters_hold_together(ledger: LedgerStore) -> None:
    await ledger.append([
        bare_call("c1", key_token="t1", end_user="u", model_group="g"),
        bare_call("c2", key_token="t1", end_user="u", model_group="h"),
        bare_call("c3", key_token="t2", end_user="u", model_group="g"),
        bare_call("c4", key_token="t1", end_user=None, model_group="g"),
        bare_call("c5", key_token="t1", end_user="u", model_group="g", started_at=NOON - 2 * DAY),
    ])  # fmt: skip
    found = await ledger.performance(query(key_token="t1", end_user="u", model_group="g"))
    assert [row.calls for row in found.rows] == [1]
    assert await ledger.performance(query(start=NOON + 1)) == ((), True)


@pytest.mark.parametrize("token", [None, "t1"])
async def test_no_more_than_so_many_calls_are_looked_at(
    ledger: LedgerStore, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.append([
        bare_call(f"c{number}", key_token="t1", started_at=at, ended_at=at + number)
        for number, at in enumerate((NOON, NOON + 1, NOON + 2, NOON + DAY, NOON + 2 * DAY))
    ])  # fmt: skip
    everything = await ledger.performance(query(key_token=token))
    assert ([row.calls for row in everything.rows], everything.is_whole) == ([3, 1, 1], True)
    if isinstance(ledger, MemoryLedgerStore):
        return  # it holds few calls, and looks at all of them
    for module in ("performance", "sqlite.performance", "postgres.performance"):
        monkeypatch.setattr(f"pointsman.stores.{module}.CALLS_MAX", 4)
    found = await ledger.performance(query(key_token=token))
    # Of three days one call each, the latest, or of the key the latest four.
    wanted = [(1, 2.0), (1, 3.0), (1, 4.0)] if token is None else [(2, 3.0), (1, 3.0), (1, 4.0)]
    assert ([(row.calls, row.seconds) for row in found.rows], found.is_whole) == (wanted, False)


async def test_what_deployments_were_sent_is_added_up(ledger: LedgerStore) -> None:
    tokens = Usage(prompt=5, completion=4)
    await ledger.append([
        bare_call("c1", usage=tokens),
        bare_call("c2", usage=tokens, status="failure"),
        bare_call("c3", usage=tokens, started_at=NOON + 2, deployment_id="D\x00"),
        bare_call("c4", usage=tokens, started_at=NOON + 3),
        bare_call("c5", deployment_id=""),
    ])  # fmt: skip
    found = await ledger.use_of_deployments(NOON, NOON + 3)
    assert found == (DeploymentUse("D\x00", 1, 9), DeploymentUse("d1", 2, 18))
    assert await ledger.use_of_deployments(NOON + 4, NOON + 5) == ()


CALLS = st.lists(
    st.builds(
        lambda number, seconds, tokens, stream, first, code, deployment: bare_call(
            f"c{number}",
            started_at=NOON + number * 3600,
            ended_at=NOON + number * 3600 + seconds,
            first_token_at=None if first is None else NOON + number * 3600 + first,
            stream=stream,
            usage=Usage(completion=tokens),
            error_code=code,
            deployment_id=deployment,
        ),
        st.integers(0, 60),
        st.integers(0, 8),
        st.sampled_from([0, 1, 4]),
        st.booleans(),
        st.none() | st.integers(0, 8),
        st.sampled_from([None, "x", "y"]),
        st.sampled_from(["", "d1", "d2"]),
    ),
    unique_by=lambda record: record.call_id,
    max_size=20,
)


@given(calls=CALLS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
async def test_all_backends_add_up_alike(ledger: LedgerStore, calls: list[CallRecord]) -> None:
    await ledger.append(calls)
    stored = await ledger.find(LedgerQuery(limit=100_000))
    assert await ledger.performance(query()) == (performance_of(stored, query()), True)
