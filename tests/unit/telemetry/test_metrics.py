"""What Prometheus is shown: every call once, each set of labels once, the same however calls are gathered."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pointsman.core.outcome import CallRecord
from pointsman.core.trace import FailedAttempt, RouteTrace
from pointsman.core.usage import Units, Usage
from pointsman.telemetry import extra_labels
from pointsman.telemetry import metrics as metrics_module
from pointsman.telemetry.budgets import BudgetNow
from pointsman.telemetry.metrics import CallMetrics
from pointsman.telemetry.rates import RateNow
from pointsman.telemetry.series import BUCKETS

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

SPENT = {
    "hashed_api_key": "key-1",
    "api_key_alias": "tester",
    "team": "red",
    "team_alias": "",
    "user": "ann",
    "org_id": "",
    "org_alias": "",
    "requested_model": "public",
    "model_group": "group",
    "model": "real",
    "litellm_model_name": "real",
    "model_id": "dep-1",
    "api_provider": "openai",
}
ANSWERED = {
    "hashed_api_key": "key-1",
    "api_key_alias": "tester",
    "team": "red",
    "team_alias": "",
    "user": "ann",
    "org_id": "",
    "org_alias": "",
    "requested_model": "public",
    "route": "/chat/completions",
    "model_id": "dep-1",
    "api_provider": "openai",
}


def call(**values: object) -> CallRecord:
    record = CallRecord(
        "c",
        "acompletion",
        "/chat/completions",
        100.0,
        104.0,
        101.5,
        key_token="key-1",
        key_alias="tester",
        user_id="ann",
        team_id="red",
        model_requested="public",
        model_group="group",
        deployment_id="dep-1",
        model="real",
        provider="openai",
        api_base="http://secret-place/v1",
        usage=Usage(70, 30, 11, 0, 12),
        cost=25 * 10**6,
        attempts=1,
        stream=True,
        overhead_ms=500.0,
    )
    return msgspec.structs.replace(record, **values)


def failed(**values: object) -> CallRecord:
    return call(**{"status": "failure", "http_status": 429, "error_code": "upstream_overloaded", **values})


def nowhere(**values: object) -> CallRecord:
    """A call that never found a deployment."""
    lost = dict.fromkeys(["deployment_id", "model", "provider", "api_base"], "")
    return failed(
        **{**lost, "http_status": 400, "error_code": "model_not_found", "usage": Usage(), "cost": 0, **values}
    )


def read(exposition: bytes) -> Samples:
    """The samples by name and labels; none stands there twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(exposition.decode()):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in found, f"told twice: {key}"
                found[key] = sample.value
    return found


def shown(records: Iterable[CallRecord], **gauges: float) -> Samples:
    metrics = CallMetrics(lambda: gauges)
    for record in records:
        metrics.call_ended(record)
    return read(metrics.exposition())


def at(samples: Samples, name: str, labels: dict[str, str], **more: str) -> float:
    return samples[name, frozenset({**labels, **more}.items())]


def total(samples: Samples, name: str) -> float:
    return sum(value for (found, _), value in samples.items() if found == name)


def test_what_hosts_drew_is_shown_by_host() -> None:
    local = {"api_base": "http://GPU1:11434/api", "energy_mwh": 9_722, "energy_cost": 2_236_060_000}
    samples = shown([call(**local), call(**{**local, "status": "cancelled", "deployment_id": "dep-2"}), call()])
    assert at(samples, "pointsman_energy_watt_hours_total", {"host": "http://gpu1:11434"}) == 19.444
    assert at(samples, "pointsman_energy_cost_total", {"host": "http://gpu1:11434"}) == pytest.approx(0.00447212)
    assert len([1 for name, _ in samples if name == "pointsman_energy_watt_hours_total"]) == 1


# -- what is shown -------------------------------------------------------------------------------------------


def test_a_call_is_shown_under_litellms_names_and_labels() -> None:
    samples = shown([call()])
    assert at(samples, "litellm_requests_metric_total", SPENT) == 1
    assert at(samples, "litellm_spend_metric_total", SPENT) == 2.5e-05
    assert at(samples, "litellm_input_tokens_metric_total", SPENT) == 70
    assert at(samples, "litellm_output_tokens_metric_total", SPENT) == 30
    assert at(samples, "litellm_total_tokens_metric_total", SPENT) == 100
    assert at(samples, "litellm_input_cached_tokens_metric_total", SPENT) == 11
    assert at(samples, "litellm_output_reasoning_tokens_metric_total", SPENT) == 12
    assert at(samples, "litellm_deployment_success_responses_total", SPENT) == 1
    assert at(samples, "litellm_proxy_total_requests_metric_total", ANSWERED, status_code="200") == 1
    assert total(samples, "litellm_proxy_failed_requests_metric_total") == 0
    for name, seconds in (
        ("litellm_request_total_latency_metric", 4.0),
        ("litellm_llm_api_latency_metric", 3.5),
        ("litellm_llm_api_time_to_first_token_metric", 1.5),
        ("litellm_overhead_latency_metric", 0.5),
    ):
        assert at(samples, f"{name}_sum", SPENT) == seconds
        assert at(samples, f"{name}_count", SPENT) == 1
        for bound in BUCKETS:
            assert at(samples, f"{name}_bucket", SPENT, le=str(bound)) == (1 if seconds <= bound else 0)
        assert at(samples, f"{name}_bucket", SPENT, le="+Inf") == 1


def test_a_failure_is_shown_with_its_status_and_its_reason() -> None:
    samples = shown([failed()])
    reason = {"exception_status": "429", "exception_class": "upstream_overloaded"}
    assert at(samples, "litellm_proxy_failed_requests_metric_total", ANSWERED, **reason) == 1
    assert at(samples, "litellm_proxy_total_requests_metric_total", ANSWERED, status_code="429") == 1
    assert at(samples, "litellm_deployment_failure_responses_total", SPENT, **reason) == 1
    assert at(samples, "litellm_llm_api_failed_requests_metric_total", SPENT) == 1
    assert at(samples, "litellm_deployment_success_responses_total", SPENT) == 0


def test_answers_of_one_deployment_with_several_statuses_and_routes_are_one_sum() -> None:
    samples = shown([call(), failed(), failed(http_status=502), call(route="/completions"), call()])
    assert at(samples, "litellm_requests_metric_total", SPENT) == 5
    assert at(samples, "litellm_deployment_success_responses_total", SPENT) == 3
    for status in ("429", "502"):
        reason = {"exception_status": status, "exception_class": "upstream_overloaded"}
        assert at(samples, "litellm_deployment_failure_responses_total", SPENT, **reason) == 1
    assert at(samples, "litellm_request_total_latency_metric_count", SPENT) == 5
    assert at(samples, "litellm_proxy_total_requests_metric_total", ANSWERED, status_code="200") == 2


def test_teams_and_organisations_are_shown_with_what_people_call_them() -> None:
    names = {("team", "red"): "The Reds", ("organization", "acme"): "Acme"}
    metrics = CallMetrics(dict, name_of=lambda scope, identity: names[scope, identity])
    metrics.call_ended(call(organization_id="acme"))
    told = {**SPENT, "team_alias": "The Reds", "org_id": "acme", "org_alias": "Acme"}
    assert at(read(metrics.exposition()), "litellm_spend_metric_total", told) == 2.5e-05


RATES = [
    RateNow("key", "hash", "mine", "", "requests", 60, 12),
    RateNow("key", "hash", "mine", "gpt", "tokens", 1000, 1200),
    RateNow("team", "red", "The Reds", "", "tokens", 500, 20),
    RateNow("team", "red", "The Reds", "gpt", "tokens", 500, 20),
    RateNow("project", "p", "Apollo", "gpt", "requests", 5, 1),
    RateNow("project", "p", "Apollo", "", "requests", 50, 1),
]


def test_rates_are_shown_under_litellms_names() -> None:
    samples = read(CallMetrics(dict, rates=lambda: RATES).exposition())
    mine = {"hashed_api_key": "hash", "api_key_alias": "mine"}
    assert at(samples, "litellm_api_key_rate_limit_allowed_metric", {**mine, "rate_limit_type": "requests"}) == 60
    assert at(samples, "litellm_api_key_rate_limit_used_metric", {**mine, "rate_limit_type": "requests"}) == 12
    assert at(samples, "litellm_remaining_api_key_tokens_for_model", {**mine, "model": "gpt"}) == 0
    red = {"team": "red", "team_alias": "The Reds", "rate_limit_type": "tokens"}
    assert at(samples, "litellm_team_rate_limit_used_metric", red) == 20
    apollo = {"project_id": "p", "project_alias": "Apollo", "requested_model": "gpt", "rate_limit_type": "requests"}
    assert at(samples, "litellm_project_model_rate_limit_allowed_metric", apollo) == 5
    assert len(samples) == 7, "and nothing else"


def test_fallbacks_are_counted_by_what_stood_in_for_what() -> None:
    trace = RouteTrace("fallback", failed=(FailedAttempt("dep-0", "rate_limit", 1.0),), fallbacks=("spare", "last"))
    samples = shown([call(trace=trace), call(trace=trace), failed(trace=trace), call(), call(trace=RouteTrace("x"))])
    labels = {
        "requested_model": "public", "hashed_api_key": "key-1", "api_key_alias": "tester", "team": "red",
        "exception_class": "rate_limit",
    }  # fmt: skip
    good, bad = "litellm_deployment_successful_fallbacks_total", "litellm_deployment_failed_fallbacks_total"
    assert at(samples, good, {**labels, "fallback_model": "last"}) == 2
    assert at(samples, bad, {**labels, "fallback_model": "last"}) == 1
    assert at(samples, bad, {**labels, "fallback_model": "spare"}) == 3
    assert total(samples, good) == 2


def test_rates_and_fallbacks_of_several_workers_add_up(tmp_path: Path) -> None:
    workers = [CallMetrics(dict, rates=lambda: RATES) for _ in range(2)]
    for number, worker in enumerate(workers):
        worker.share(tmp_path, number, 2)
        worker.call_ended(call(trace=RouteTrace("fallback", fallbacks=("spare",))))
        worker.save()
    samples = read(workers[0].exposition())
    mine = {"hashed_api_key": "hash", "api_key_alias": "mine", "rate_limit_type": "requests"}
    assert at(samples, "litellm_api_key_rate_limit_used_metric", mine) == 24
    assert at(samples, "litellm_api_key_rate_limit_allowed_metric", mine) == 60
    assert total(samples, "litellm_deployment_successful_fallbacks_total") == 2


def test_what_is_not_plain_text_is_counted() -> None:
    units = Units(images=2)
    usage = Usage(70, 30, cache_write=20, audio_input=5, audio_output=6, units=units)
    samples = shown([call(usage=usage, queued_ms=1500.0)])
    names = {
        "litellm_input_cache_creation_tokens_metric_total": 20,
        "litellm_input_audio_tokens_metric_total": 5,
        "litellm_output_audio_tokens_metric_total": 6,
        "litellm_images_generated_metric_total": 2,
        "litellm_request_queue_time_seconds_sum": 1.5,
    }
    assert {name: at(samples, name, SPENT) for name in names} == names


BUDGETS = [
    BudgetNow("team", "red", "The Reds", 5 * 10**12, 2 * 10**12, 12.5),
    BudgetNow("key", "hash", "mine", 10**12, -(10**11)),
    BudgetNow("user", "ann", "Ann", 10**12, 10**12),
    BudgetNow("organization", "acme", "Acme", 10**12, 10**12),
    BudgetNow("customer", "dora", "Dora", 10**12, 10**12),
    BudgetNow("provider", "openai", "openai", 10**12, 10**11),
]


def test_what_is_left_of_budgets_is_shown_under_litellms_names() -> None:
    samples = read(CallMetrics(dict, budgets=lambda: BUDGETS).exposition())
    red = {"team": "red", "team_alias": "The Reds"}
    assert at(samples, "litellm_remaining_team_budget_metric", red) == 2
    assert at(samples, "litellm_team_max_budget_metric", red) == 5
    assert at(samples, "litellm_team_budget_remaining_hours_metric", red) == 12.5
    mine = {"hashed_api_key": "hash", "api_key_alias": "mine"}
    assert at(samples, "litellm_remaining_api_key_budget_metric", mine) == -0.1
    assert ("litellm_api_key_budget_remaining_hours_metric", frozenset(mine.items())) not in samples
    assert at(samples, "litellm_remaining_user_budget_metric", {"user": "ann"}) == 1
    assert at(samples, "litellm_remaining_org_budget_metric", {"org_id": "acme", "org_alias": "Acme"}) == 1
    assert at(samples, "litellm_remaining_customer_budget_metric", {"end_user": "dora"}) == 1
    assert at(samples, "litellm_provider_remaining_budget_metric", {"api_provider": "openai"}) == 0.1


def test_of_very_many_budgets_those_are_shown_of_which_least_is_left() -> None:
    many = [BudgetNow("key", f"k{number:04}", "", 10**12, number) for number in range(1100)]
    samples = read(CallMetrics(dict, budgets=lambda: many[::-1]).exposition())
    shown_keys = {dict(labels)["hashed_api_key"] for name, labels in samples if "remaining_api_key_budget" in name}
    assert shown_keys == {one.identity for one in many[:1000]}


def test_a_budget_that_several_workers_know_is_shown_as_it_is_known_best(tmp_path: Path) -> None:
    workers = [
        CallMetrics(dict, budgets=lambda left=left: [BudgetNow("user", "ann", "", 10**12, left)])  # type: ignore[misc]
        for left in (7 * 10**11, 10**11)
    ]
    for number, worker in enumerate(workers):
        worker.share(tmp_path, number, 2)
    for worker in workers:
        worker.save()
    assert at(read(workers[0].exposition()), "litellm_remaining_user_budget_metric", {"user": "ann"}) == 0.1


def test_failures_of_one_status_are_told_apart_by_their_reason() -> None:
    samples = shown([nowhere(), nowhere(error_code="invalid_request"), nowhere()])
    told = {
        dict(labels)["exception_class"]: value
        for (name, labels), value in samples.items()
        if name == "litellm_proxy_failed_requests_metric_total"
    }
    assert told == {"model_not_found": 2, "invalid_request": 1}
    assert total(samples, "litellm_proxy_total_requests_metric_total") == 3


def test_a_name_that_a_client_made_up_becomes_no_label() -> None:
    samples = shown([nowhere(model_requested=f"guess-{number}", model_group=f"guess-{number}") for number in range(9)])
    assert b"guess" not in repr(samples).encode()
    assert total(samples, "litellm_proxy_total_requests_metric_total") == 9
    assert total(samples, "litellm_requests_metric_total") == 0, "no deployment was reached"


def test_an_address_is_no_label() -> None:
    assert "secret-place" not in repr(shown([call(), failed()]))


def test_any_text_may_be_a_label() -> None:
    alias = 'a"b\\c\nd é\u2028'
    assert at(shown([call(key_alias=alias)]), "litellm_requests_metric_total", {**SPENT, "api_key_alias": alias}) == 1


def test_what_is_not_known_is_an_empty_label() -> None:
    labels = {**SPENT, **dict.fromkeys(["api_key_alias", "team", "user"], "")}
    samples = shown([call(key_alias=None, team_id=None, user_id=None)])
    assert at(samples, "litellm_requests_metric_total", labels) == 1


def test_gauges_are_read_when_somebody_looks() -> None:
    values = {"litellm_in_flight_requests": 1.0}
    metrics = CallMetrics(lambda: values)
    values["litellm_in_flight_requests"] = 7.0
    assert read(metrics.exposition()) == {("litellm_in_flight_requests", frozenset()): 7.0}


def test_counts_go_on_after_somebody_looked() -> None:
    metrics = CallMetrics(dict)
    for expected in (1, 2, 3):
        metrics.call_ended(call())
        for _ in range(2):
            assert at(read(metrics.exposition()), "litellm_requests_metric_total", SPENT) == expected


# -- gathering -----------------------------------------------------------------------------------------------

CALLS = st.builds(
    lambda make, key, model, route, status, error, tokens: make(
        key_token=key,
        key_alias=f"alias of {key}",
        model_requested=model,
        deployment_id=f"dep of {model}" if make is not nowhere else "",
        route=route,
        http_status=status,
        error_code=error,
        usage=Usage(tokens, 1),
        cost=tokens * 10**6,
    ),
    st.sampled_from([call, failed, nowhere]),
    st.sampled_from(["k1", "k2"]),
    st.sampled_from(["m1", "m2", "m3"]),
    st.sampled_from(["/chat/completions", "/embeddings"]),
    st.sampled_from([200, 400, 429]),
    st.sampled_from([None, "a", "b"]),
    st.integers(0, 100),
)


def close(mine: Samples, theirs: Samples) -> bool:
    """Alike but for the order in which fractions were added."""
    return mine.keys() == theirs.keys() and all(mine[key] == pytest.approx(theirs[key]) for key in mine)


@settings(deadline=None, max_examples=30)
@given(st.lists(CALLS, max_size=30), st.integers(1, 7))
def test_calls_counted_in_batches_are_calls_counted_one_by_one(records: list[CallRecord], fresh_max: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics_module, "_FRESH_MAX", 1)
        single = shown(records)
        patch.setattr(metrics_module, "_FRESH_MAX", fresh_max)
        batched = shown(records)
        patch.setattr(metrics_module, "_FRESH_MAX", 1000)
        assert close(batched, single) and close(shown(records), single)


@settings(deadline=None, max_examples=30)
@given(st.lists(CALLS, max_size=30))
def test_every_call_is_counted_where_it_belongs_and_nowhere_else(records: list[CallRecord]) -> None:
    samples = shown(records)
    served = Counter((record.key_token, record.model_requested) for record in records if record.deployment_id)
    told = Counter[tuple[str, str]]()
    failures = Counter[tuple[str, str, str]]()
    for (name, labels), value in samples.items():
        about = dict(labels)
        if name == "litellm_requests_metric_total":
            told[about["hashed_api_key"], about["requested_model"]] += int(value)
        if name == "litellm_proxy_failed_requests_metric_total":
            failures[about["route"], about["exception_status"], about["exception_class"]] += int(value)
    assert told == served
    bad = [record for record in records if record.status != "success"]
    assert failures == Counter((record.route, str(record.http_status), record.error_code or "") for record in bad)
    assert total(samples, "litellm_proxy_total_requests_metric_total") == len(records)
    assert total(samples, "litellm_request_total_latency_metric_count") == sum(served.values())


def test_series_are_capped_and_what_is_beyond_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "_SERIES_MAX", 3)
    monkeypatch.setattr(metrics_module, "_FRESH_MAX", 2)
    metrics = CallMetrics(dict)
    for _ in range(2):
        for number in range(20):
            metrics.call_ended(call(key_token=f"key-{number}", key_alias=f"alias-{number}"))
            metrics.call_ended(failed(key_token=f"key-{number}", error_code=f"made-up-{number}"))
    samples = read(metrics.exposition())
    assert len(metrics._series) <= 3 + 2
    assert total(samples, "litellm_requests_metric_total") == 80
    other = dict.fromkeys(["hashed_api_key", "api_key_alias", "team", "user", "requested_model"], "other")
    assert at(samples, "litellm_requests_metric_total", {**SPENT, **other}) == 80 - 2 * 3
    reasons = {dict(labels).get("exception_class", "") for _, labels in samples}
    assert "other" in reasons and len(reasons) <= 4, "an upstream cannot make up reasons without end"


def test_few_calls_are_held_until_they_are_counted() -> None:
    metrics = CallMetrics(dict)
    for _ in range(10_000):
        metrics.call_ended(call())
        assert len(metrics._fresh) < 256


@pytest.mark.parametrize("looks", [False, True])
def test_a_prompt_is_not_kept_in_memory(looks: bool) -> None:
    """Not even until the next scrape: with prompt logging on, each record may hold megabytes."""
    metrics = CallMetrics(dict)
    record = call(prompt=msgspec.Raw(b'"a prompt"'), reply=msgspec.Raw(b'"a reply"'))
    metrics.call_ended(call())
    metrics.call_ended(record)
    if looks:
        metrics.exposition()
    gc.collect()
    assert metrics._fresh == []
    assert b"a prompt" not in msgspec.msgpack.encode(list(metrics._series.values()))


# -- several workers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scraped", [0, 1, 2])
def test_whichever_worker_is_asked_tells_what_all_of_them_counted(tmp_path: Path, scraped: int) -> None:
    workers = [CallMetrics(lambda number=number: {"gauge": float(number + 1)}) for number in range(3)]  # type: ignore[misc]
    for number, worker in enumerate(workers):
        worker.share(tmp_path / "run", number, 3)
        for _ in range(number + 1):
            worker.call_ended(call())
            worker.call_ended(nowhere(error_code=f"error-{number}"))
        worker.save()
    samples = read(workers[scraped].exposition())
    assert at(samples, "litellm_requests_metric_total", SPENT) == 6
    assert at(samples, "litellm_request_total_latency_metric_sum", SPENT) == 24.0
    assert total(samples, "litellm_proxy_failed_requests_metric_total") == 6
    assert samples["gauge", frozenset()] == 6.0
    assert read(workers[scraped].exposition()) == samples, "looking twice counts nothing twice"


def test_the_worker_that_is_asked_knows_its_own_calls_without_having_saved_them(tmp_path: Path) -> None:
    worker = CallMetrics(dict)
    worker.share(tmp_path, 0, 2)
    worker.call_ended(call())
    assert at(read(worker.exposition()), "litellm_requests_metric_total", SPENT) == 1


def test_what_processes_of_a_former_run_left_is_not_counted(tmp_path: Path) -> None:
    for number in range(4):
        former = CallMetrics(lambda: {"gauge": 1.0})
        former.share(tmp_path, number, 4)
        former.call_ended(call())
        former.save()
    workers = [CallMetrics(lambda: {"gauge": 1.0}) for _ in range(2)]
    for number, worker in enumerate(workers):
        worker.share(tmp_path, number, 2)
    workers[0].call_ended(call())
    samples = read(workers[0].exposition())
    assert at(samples, "litellm_requests_metric_total", SPENT) == 1
    assert samples["gauge", frozenset()] == 1.0


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"\x93\x01\x02\x03"])
def test_a_snapshot_that_cannot_be_read_is_left_out(tmp_path: Path, garbage: bytes) -> None:
    worker = CallMetrics(dict)
    worker.share(tmp_path, 0, 2)
    (tmp_path / "metrics-1.msgpack").write_bytes(garbage)
    worker.call_ended(call())
    assert at(read(worker.exposition()), "litellm_requests_metric_total", SPENT) == 1


def test_a_worker_alone_leaves_no_snapshot(tmp_path: Path) -> None:
    worker = CallMetrics(dict)
    worker.call_ended(call())
    worker.save()
    assert list(tmp_path.iterdir()) == []


def test_customers_and_addresses_are_labels_only_where_the_operator_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        call(end_user="c1", peer="10.0.0.1"),
        call(end_user="c2", peer="10.0.0.1"),
        call(end_user="c1", peer=None),
    ]
    plain, told = CallMetrics(dict), CallMetrics(dict, extra=("client_ip", "end_user"))
    for record in records:
        plain.call_ended(record)
        told.call_ended(record)
    assert b"end_user" not in plain.exposition() and b"10.0.0.1" not in plain.exposition()
    found = read(told.exposition())
    for ip, customer in (("10.0.0.1", "c1"), ("10.0.0.1", "c2"), ("", "c1")):
        labels = frozenset({**SPENT, "client_ip": ip, "end_user": customer}.items())
        assert found["litellm_requests_metric_total", labels] == 1.0
    assert sum(value for (name, _), value in found.items() if name == "litellm_requests_metric_total") == 3.0
    monkeypatch.setattr(metrics_module, "_SERIES_MAX", 3)
    for number in range(9):
        told.call_ended(call(end_user=f"new-{number}"))
    crowd = [
        dict(labels)["end_user"] for name, labels in read(told.exposition()) if name == "litellm_requests_metric_total"
    ]
    assert sorted(crowd) == ["c1", "c1", "c2", "other"]


def test_clients_and_addresses_of_users_are_told_apart_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    emails = {"t1": "ann@example.com", "t2": "bob@example.com", "t3": "cid@example.com"}
    told = CallMetrics(dict, email_of=lambda token: emails.get(token, ""), extra=("user_agent", "user_email"))
    monkeypatch.setattr(extra_labels, "LABEL_VALUES_MAX", {"user_agent": 2, "user_email": 2})
    for agent, token in (("curl/8", "t1"), ("OpenAI/Python 2", "t2"), ("x/1", "t3"), ("", "t9"), ("curl/8", "t1")):
        told.call_ended(call(user_agent=agent, key_token=token))
    counted = {
        (dict(labels)["user_agent"], dict(labels)["user_email"]): value
        for (name, labels), value in read(told.exposition()).items()
        if name == "litellm_requests_metric_total"
    }
    assert counted == {
        ("curl/8", "ann@example.com"): 2,
        ("OpenAI/Python 2", "bob@example.com"): 1,
        ("other", "other"): 1,
        ("", ""): 1,
    }
