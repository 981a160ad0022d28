"""Counts calls as they end, and shows the counts to Prometheus under LiteLLM's metric names.

Ended calls are gathered and counted by the hundred, most of it at the speed of C; the Prometheus objects are only
made when somebody scrapes.
With several workers each leaves a snapshot of its counts in the data directory, and the one that is scraped adds
them up, so that every scrape sees the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from pointsman.core.address import host_of
from pointsman.core.outcome import CallRecord
from pointsman.core.price import dollars
from pointsman.telemetry.budgets import BudgetNow, budget_families
from pointsman.telemetry.budgets import merged as merged_budgets
from pointsman.telemetry.deployments import DeploymentNow, deployment_families
from pointsman.telemetry.deployments import merged as merged_deployments
from pointsman.telemetry.extra_labels import OTHER, ExtraLabels
from pointsman.telemetry.fallbacks import FallbackCounts, Move, fallback_families
from pointsman.telemetry.rates import RateNow, rate_families
from pointsman.telemetry.rates import merged as merged_rates
from pointsman.telemetry.series import BUCKETS, CallLabels, CallSeries, Histogram, HostSeries, Snapshot

__all__ = ["GAUGE_WORDS", "CallMetrics"]

_SERIES_MAX: Final = 5_000
_FRESH_MAX: Final = 256

_Plain = tuple[str, str, str, str, int, str]
_Key = tuple[str, str, str, str, int, str, *tuple[str, ...]]
_Sums = dict[tuple[str, ...], int]

_CALLER: Final = ("hashed_api_key", "api_key_alias", "team", "team_alias", "user", "org_id", "org_alias")
_MODEL: Final = ("requested_model", "model_group", "model", "litellm_model_name", "model_id", "api_provider")
_COUNTERS: Final[tuple[tuple[str, str, Callable[[CallSeries], float]], ...]] = (
    ("litellm_requests_metric", "Calls that reached a deployment.", lambda series: series.calls),
    ("litellm_spend_metric", "Money spent, in USD.", lambda series: dollars(series.spend)),
    ("litellm_input_tokens_metric", "Prompt tokens.", lambda series: series.prompt_tokens),
    ("litellm_output_tokens_metric", "Completion tokens.", lambda series: series.completion_tokens),
    (
        "litellm_total_tokens_metric",
        "Prompt and completion tokens.",
        lambda series: series.prompt_tokens + series.completion_tokens,
    ),
    ("litellm_input_cached_tokens_metric", "Prompt tokens read from a cache.", lambda series: series.cached_tokens),
    (
        "litellm_input_cache_creation_tokens_metric",
        "Prompt tokens written to a cache.",
        lambda series: series.cache_write_tokens,
    ),
    ("litellm_input_audio_tokens_metric", "Prompt tokens of audio.", lambda series: series.audio_input_tokens),
    ("litellm_output_reasoning_tokens_metric", "Reasoning tokens.", lambda series: series.reasoning_tokens),
    ("litellm_output_audio_tokens_metric", "Completion tokens of audio.", lambda series: series.audio_output_tokens),
    ("litellm_images_generated_metric", "Pictures made.", lambda series: series.images),
)
_HISTOGRAMS: Final[tuple[tuple[str, str, Callable[[CallSeries], Histogram]], ...]] = (
    ("litellm_request_total_latency_metric", "Seconds from request to end of answer.", lambda series: series.latency),
    ("litellm_llm_api_latency_metric", "Seconds spent waiting for the upstream.", lambda series: series.api_latency),
    (
        "litellm_llm_api_time_to_first_token_metric",
        "Seconds to the first token of a stream.",
        lambda series: series.first_token,
    ),
    ("litellm_request_queue_time_seconds", "Seconds waited for a turn at a local host.", lambda series: series.queued),
    ("litellm_overhead_latency_metric", "Seconds the gateway itself added.", lambda series: series.overhead),
    (
        "litellm_deployment_latency_per_output_token",
        "Seconds to the end of an answer, for each of its tokens.",
        lambda series: series.per_token,
    ),
)


class CallMetrics(Collector):
    """Listens to calls and collects for Prometheus.

    ``gauges``, ``hosts``, ``deployments``, ``budgets`` and ``rates`` give what is read when scraped;
    ``name_of`` tells what people call a team or an organisation. ``extra`` are further labels that series of calls
    have (:mod:`pointsman.telemetry.extra_labels`), for one of which ``email_of`` gives the address of a key's user.
    """

    def __init__(
        self,
        gauges: Callable[[], Mapping[str, float]],
        hosts: Callable[[], list[HostSeries]] = list,
        *,
        deployments: Callable[[], Sequence[DeploymentNow]] = lambda: (),
        budgets: Callable[[], Sequence[BudgetNow]] = lambda: (),
        rates: Callable[[], Sequence[RateNow]] = lambda: (),
        name_of: Callable[[str, str], str] = lambda _scope, _identity: "",
        email_of: Callable[[str], str] = lambda _token: "",
        extra: Sequence[str] = (),
    ) -> None:
        self._extra = tuple(extra)
        self._extra_labels = ExtraLabels(self._extra, email_of)
        self._budgets = budgets
        self._rates = rates
        self._fallbacks = FallbackCounts()
        self._name_of = name_of
        self._gauges = gauges
        self._hosts = hosts
        self._deployments = deployments
        self._series: dict[_Key, CallSeries] = {}
        self._fresh: list[CallRecord] = []
        self._directory: Path | None = None
        self._own_file: Path | None = None
        self._saved = b""
        self._workers = 1
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def share(self, directory: Path, worker: int, workers: int) -> None:
        """Add up with the other ``workers``, through files in ``directory``; those of former processes do not count."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._workers = workers
        self._own_file = _snapshot_file(directory, worker)
        self._own_file.unlink(missing_ok=True)
        self._saved = b""

    def call_ended(self, record: CallRecord) -> None:
        """Count a call; see :class:`pointsman.lifecycle.announce.Listener`."""
        self._fresh.append(record)
        if len(self._fresh) >= _FRESH_MAX or record.prompt is not None:
            self._fold()

    def exposition(self) -> bytes:
        """The text format that Prometheus scrapes."""
        return generate_latest(self._registry)

    def save(self) -> None:
        """Leave a snapshot for the other workers."""
        if self._own_file is not None:
            self._fold()
            snapshot = msgspec.msgpack.encode(self._seen())
            if snapshot != self._saved:  # while nobody asks for anything, it stays as it is
                spare = self._own_file.with_suffix(".new")
                spare.write_bytes(snapshot)
                spare.replace(self._own_file)
                self._saved = snapshot

    def collect(self) -> Iterable[Metric]:
        """Called by Prometheus's registry."""
        everything = self._gathered()
        series, gauges = everything.series, everything.gauges
        for name, value in gauges.items():
            gauge = GaugeMetricFamily(name, GAUGE_WORDS.get(name, name), labels=[])
            gauge.add_metric([], value)
            yield gauge
        yield from _queues(everything.hosts)
        yield from _proxy_counters(series, self._extra)
        yield from deployment_families(everything.deployments)
        yield from budget_families(everything.budgets)
        yield from rate_families(everything.rates)
        yield from fallback_families(dict(everything.fallbacks))
        served = _by_deployment(series)
        spent = (*_CALLER, *self._extra, *_MODEL)
        yield from _deployment_counters(series, served, spent)
        yield from _energy_counters(series)
        for name, words, value_of in _COUNTERS:
            counter = CounterMetricFamily(name, words, labels=spent)
            for values, entry in served.items():
                counter.add_metric(values, value_of(entry))
            yield counter
        for name, words, histogram_of in _HISTOGRAMS:
            family = HistogramMetricFamily(name, words, labels=spent)
            for values, entry in served.items():
                histogram = histogram_of(entry)
                family.add_metric(values, _cumulative(histogram), histogram.total)
            yield family

    def _fold(self) -> None:
        """Count the calls that were gathered."""
        fresh, self._fresh = self._fresh, []
        self._fallbacks.count(fresh)
        groups: dict[_Plain, list[CallRecord]] = {}
        for record in fresh:
            deployment = record.deployment_id
            key = (
                record.key_token,
                deployment,
                record.model_requested if deployment else "",  # what nobody serves is a name that a client made up
                record.route,
                record.http_status,
                record.error_code or "",
            )
            group = groups.get(key)
            if group is None:
                groups[key] = [record]
            else:
                group.append(record)
        apart: Iterable[tuple[_Key, list[CallRecord]]] = self._apart(groups) if self._extra else groups.items()
        for name, records in apart:
            series = self._series.get(name)
            if series is None:
                series = self._begin(name, records[0])
            series.count(records)

    def _apart(self, groups: Mapping[_Plain, Sequence[CallRecord]]) -> Iterable[tuple[_Key, list[CallRecord]]]:
        """The groups, told apart by the labels that the operator asked for."""
        apart: dict[_Key, list[CallRecord]] = {}
        for (token, deployment, model, route, status, error), records in groups.items():
            for record in records:
                values = self._extra_labels.of(record)
                apart.setdefault((token, deployment, model, route, status, error, *values), []).append(record)
        return apart.items()

    def _begin(self, key: _Key, record: CallRecord) -> CallSeries:
        if len(self._series) >= _SERIES_MAX:
            error = OTHER if record.error_code else ""
            extra = (OTHER,) * len(self._extra)
            key = (OTHER, record.deployment_id, OTHER, record.route, record.http_status, error, *extra)
            known = self._series.get(key)
            if known is not None:
                return known
        crowded = key[0] == OTHER
        labels = CallLabels(
            key_token=key[0],
            key_alias=OTHER if crowded else record.key_alias or "",
            team=OTHER if crowded else record.team_id or "",
            user=OTHER if crowded else record.user_id or "",
            org="" if crowded else record.organization_id or "",
            team_alias="" if crowded or not record.team_id else self._name_of("team", record.team_id),
            org_alias=(
                "" if crowded or not record.organization_id else self._name_of("organization", record.organization_id)
            ),
            requested_model=key[2] if record.deployment_id else "",
            model_group=record.model_group if record.deployment_id else "",
            deployment_id=record.deployment_id,
            model=record.model,
            provider=record.provider,
            api_base=record.api_base,
            route=record.route,
            status=record.http_status,
            error=key[5],
            extra=key[6:],
        )
        series = self._series[key] = CallSeries.empty(labels)
        return series

    def _seen(self) -> Snapshot:
        """What this process counted, and sees now."""
        gauges, deployments = dict(self._gauges()), list(self._deployments())
        moves = list(self._fallbacks.counts.items())
        budgets, rates = list(self._budgets()), list(self._rates())
        return Snapshot(list(self._series.values()), gauges, self._hosts(), deployments, budgets, rates, moves)

    def _gathered(self) -> Snapshot:
        self._fold()
        if self._directory is None:
            return self._seen()
        self.save()
        merged: dict[CallLabels, CallSeries] = {}
        gauges: dict[str, float] = {}
        hosts: dict[str, HostSeries] = {}
        deployments: list[list[DeploymentNow]] = []
        budgets: list[BudgetNow] = []
        rates: list[RateNow] = []
        moves: dict[Move, int] = {}
        for worker in range(self._workers):
            try:
                snapshot = msgspec.msgpack.decode(_snapshot_file(self._directory, worker).read_bytes(), type=Snapshot)
            except (OSError, msgspec.MsgspecError):
                continue
            deployments.append(snapshot.deployments)
            budgets += snapshot.budgets
            rates += snapshot.rates
            for move, count in snapshot.fallbacks:
                moves[move] = moves.get(move, 0) + count
            for name, value in snapshot.gauges.items():
                gauges[name] = gauges.get(name, 0.0) + value
            for series in snapshot.series:
                known = merged.setdefault(series.labels, series)
                if known is not series:
                    known.merge(series)
            for host in snapshot.hosts:
                first = hosts.setdefault(host.url, host)
                if first is not host:
                    first.merge(host)
        together = merged_deployments(deployments)
        return Snapshot(
            list(merged.values()),
            gauges,
            list(hosts.values()),
            together,
            merged_budgets(budgets),
            merged_rates(rates),
            list(moves.items()),
        )


GAUGE_WORDS: Final = {
    "litellm_in_flight_requests": "Requests under way.",
    "pointsman_keys_cached": "Keys held in memory.",
    "pointsman_keys_cached_max": "Bound on keys held in memory.",
    "pointsman_signed_tokens_cached": "Signed tokens held in memory.",
    "pointsman_signed_tokens_cached_max": "Bound on signed tokens held in memory.",
    "pointsman_spool_records": "Call records not yet in the database.",
    "pointsman_spool_lost_records_total": "Call records that neither the disk nor memory took, so that they are lost.",
    "pointsman_resident_memory_bytes": "Memory the process holds.",
    "pointsman_upstream_connections_idle": "Idle connections to upstreams.",
    "pointsman_upstream_connections_busy": "Connections to upstreams with a request under way.",
    "pointsman_upstream_connections_opened_total": "Connections to upstreams ever opened.",
    "pointsman_redis_connected": "Processes that reach Redis.",
    "pointsman_redis_failures_total": "Commands that Redis did not answer in time, or at all.",
    "pointsman_limits_shared": "Processes whose limits are kept together with other replicas.",
    "pointsman_limit_outages_total": "Times that a process had to keep its limits by itself.",
    "pointsman_leases": "Accounts whose limits a process shares with other replicas, in memory.",
    "pointsman_context_truncations_total": "Prompts that an upstream seems to have cut.",
}


def _snapshot_file(directory: Path, worker: int) -> Path:
    return directory / f"metrics-{worker}.msgpack"


def _queues(hosts: list[HostSeries]) -> Iterable[Metric]:
    depth = GaugeMetricFamily("pointsman_queue_depth", "Requests that wait for a local server.", labels=["host"])
    running = GaugeMetricFamily("pointsman_queue_running", "Requests that run at a local server.", labels=["host"])
    waits = HistogramMetricFamily("pointsman_queue_wait_seconds", "Seconds waited for a local server.", labels=["host"])
    idle = CounterMetricFamily("pointsman_idle_energy_watt_hours", "What idle hosts drew.", labels=["host"])
    for host in hosts:
        if host.idle_watt_hours:
            idle.add_metric([host.url], host.idle_watt_hours)
        depth.add_metric([host.url], host.depth)
        running.add_metric([host.url], host.running)
        waits.add_metric([host.url], _cumulative(host.waits), host.waits.total)
    yield from (depth, running, waits, idle)


def _by_deployment(series: list[CallSeries]) -> dict[tuple[str, ...], CallSeries]:
    """What reached a deployment, by the values of its labels; series tell statuses and routes apart, too."""
    merged: dict[tuple[str, ...], CallSeries] = {}
    for entry in series:
        if entry.labels.deployment_id:
            values = _spent_values(entry.labels)
            known = merged.get(values)
            if known is None:
                known = merged[values] = CallSeries.empty(entry.labels)
            known.merge(entry)
    return merged


def _proxy_counters(series: list[CallSeries], extra: tuple[str, ...]) -> Iterable[Metric]:
    labels = (*_CALLER, *extra, "requested_model", "route", "model_id", "api_provider")
    total: _Sums = {}
    failed: _Sums = {}
    for entry in series:
        about = entry.labels
        values = (
            *_caller_values(about),
            about.requested_model,
            about.route,
            about.deployment_id,
            about.provider,
            str(about.status),
        )
        total[values] = total.get(values, 0) + entry.calls
        if entry.failures:
            reason = (*values, about.error)
            failed[reason] = failed.get(reason, 0) + entry.failures
    yield _counter("litellm_proxy_total_requests_metric", "Requests answered.", (*labels, "status_code"), total)
    why = (*labels, "exception_status", "exception_class")
    yield _counter("litellm_proxy_failed_requests_metric", "Requests that failed.", why, failed)


def _deployment_counters(
    series: list[CallSeries], served: Mapping[tuple[str, ...], CallSeries], spent: tuple[str, ...]
) -> Iterable[Metric]:
    every = {values: entry.calls for values, entry in served.items()}
    good = {values: entry.calls - entry.failures for values, entry in served.items()}
    bad: _Sums = {}
    for entry in series:
        if entry.upstream_failures and entry.labels.deployment_id:
            reason = (*_spent_values(entry.labels), str(entry.labels.status), entry.labels.error)
            bad[reason] = bad.get(reason, 0) + entry.upstream_failures
    why = (*spent, "exception_status", "exception_class")
    yield _counter("litellm_deployment_total_requests", "Calls by deployment.", spent, every)
    yield _counter("litellm_deployment_success_responses", "Good answers by deployment.", spent, good)
    yield _counter("litellm_deployment_failure_responses", "Failures by deployment.", why, bad)
    failed = {values: entry.upstream_failures for values, entry in served.items() if entry.upstream_failures}
    yield _counter("litellm_llm_api_failed_requests_metric", "Failures by deployment.", spent, failed)


def _energy_counters(series: list[CallSeries]) -> Iterable[Metric]:
    drawn: dict[str, tuple[int, int]] = {}
    for entry in series:
        if entry.energy_mwh:
            host = host_of(entry.labels.api_base)
            mwh, amount = drawn.get(host, (0, 0))
            drawn[host] = (mwh + entry.energy_mwh, amount + entry.energy_cost)
    energy = CounterMetricFamily("pointsman_energy_watt_hours", "What hosts drew for calls.", labels=("host",))
    cost = CounterMetricFamily("pointsman_energy_cost", "What that cost, in USD.", labels=("host",))
    for host, (mwh, amount) in drawn.items():
        energy.add_metric((host,), mwh / 1000)
        cost.add_metric((host,), dollars(amount))
    yield energy
    yield cost


def _counter(name: str, words: str, labels: tuple[str, ...], sums: _Sums) -> Metric:
    counter = CounterMetricFamily(name, words, labels=labels)
    for values, number in sums.items():
        counter.add_metric(values, number)
    return counter


def _caller_values(labels: CallLabels) -> tuple[str, ...]:
    return (
        labels.key_token,
        labels.key_alias,
        labels.team,
        labels.team_alias,
        labels.user,
        labels.org,
        labels.org_alias,
        *labels.extra,
    )


def _spent_values(labels: CallLabels) -> tuple[str, ...]:
    return (
        *_caller_values(labels),
        labels.requested_model,
        labels.model_group,
        labels.model,
        labels.model,
        labels.deployment_id,
        labels.provider,
    )


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    running = 0
    out: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, BUCKETS), "+Inf"], histogram.counts, strict=True):
        running += count
        out.append((bound, running))
    return out
