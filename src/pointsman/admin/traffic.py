"""How the arms of experiments, the mirrors, the hedges and the bulkheads are doing."""

from __future__ import annotations

import msgspec

from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.config.traffic import target_of
from pointsman.config.traffic_sections import Bulkhead, TrafficRule
from pointsman.core.price import dollars
from pointsman.lifecycle.bulkheads import BulkheadCounts
from pointsman.lifecycle.tally import Spread, Tally
from pointsman.lifecycle.ways import RuleCounts, arms_of

__all__ = [
    "ArmReport",
    "BulkheadReport",
    "CallsReport",
    "CoalescingReport",
    "HedgeReport",
    "MirrorReport",
    "ModelTraffic",
    "TrafficQuery",
    "TrafficReply",
    "traffic",
]


class TrafficQuery(msgspec.Struct, frozen=True):
    """Only the rule for one ``model``; left out: all."""

    model: str | None = None


class CallsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Calls added up since the process began; times in milliseconds, right to 15 %, of calls that went well.

    ``rescued`` were answered in the end, after the deployment that was asked first had failed; ``error_rate`` counts
    these, too. ``spend`` is in USD.
    """

    calls: int
    errors: int
    cancelled: int
    rescued: int
    error_rate: float
    latency_ms_mean: float | None
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    first_byte_ms_p50: float | None
    first_byte_ms_p95: float | None
    prompt_tokens: int
    completion_tokens: int
    spend: float


class ArmReport(msgspec.Struct, frozen=True, kw_only=True):
    """One arm: what it consists of, its share of the callers (0 to 1), and its calls."""

    name: str
    served_by: str
    share: float
    calls: CallsReport


class MirrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """``mirrored`` are the clients' calls, ``shadow`` the same at the mirror; ``left_out`` were not sent there."""

    model: str
    mirrored: CallsReport
    shadow: CallsReport
    left_out: int


class HedgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """Of ``asked`` requests, ``second`` were sent to a second deployment, which ``won`` so often.

    ``cut`` are the requests that lost, with what is estimated of them.
    """

    asked: int
    second: int
    won: int
    cut: CallsReport


class CoalescingReport(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that were ``sent``, and those that ``shared`` the answer; see the documentation for ``taken_over``."""

    sent: int
    shared: int
    taken_over: int


class ModelTraffic(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the rule for one model has done."""

    model: str
    sticky: str = ""
    variants: tuple[ArmReport, ...] = ()
    mirror: MirrorReport | None = None
    hedge: HedgeReport | None = None
    coalescing: CoalescingReport | None = None


class BulkheadReport(msgspec.Struct, frozen=True, kw_only=True):
    """One bulkhead now, over all workers."""

    name: str
    max_in_flight: int
    max_waiting: int
    in_flight: int
    waiting: int
    refused: int


class TrafficReply(msgspec.Struct, frozen=True):
    """Rules and bulkheads in the order of the configuration."""

    models: tuple[ModelTraffic, ...]
    bulkheads: tuple[BulkheadReport, ...]


async def traffic(office: Office, visit: Visit[TrafficQuery, Nothing]) -> Answer:
    """What the rules of ``pointsman.traffic`` and ``pointsman.bulkheads`` have done, in all workers."""
    state = office.traffic()
    models = tuple(
        _model(rule, state.counts.models.get(rule.model) or RuleCounts())
        for rule in state.rules
        if visit.query.model in {None, rule.model}
    )
    walls = () if visit.query.model is not None else tuple(state.bulkheads.items())
    bulkheads = tuple(
        _bulkhead(name, limit, state.counts.bulkheads.get(name) or BulkheadCounts()) for name, limit in walls
    )
    return Answer(TrafficReply(models, bulkheads))


def _model(rule: TrafficRule, counts: RuleCounts) -> ModelTraffic:
    mirror, arms = rule.mirror, arms_of(rule)
    total = sum(arm.weight for arm in arms)
    return ModelTraffic(
        model=rule.model,
        sticky=rule.sticky if arms else "",
        variants=tuple(
            ArmReport(
                name=arm.name,
                served_by=" ".join(target_of(arm)) or "the rest",
                share=arm.weight / total,
                calls=_calls(counts.arms.get(arm.name) or Tally()),
            )
            for arm in arms
        ),
        mirror=None
        if mirror is None
        else MirrorReport(
            model=mirror.model,
            mirrored=_calls(counts.mirrored),
            shadow=_calls(counts.shadow),
            left_out=counts.left_out,
        ),
        hedge=None
        if rule.hedge is None
        else HedgeReport(asked=counts.asked, second=counts.second, won=counts.won, cut=_calls(counts.cut)),
        coalescing=CoalescingReport(sent=counts.led, shared=counts.shared, taken_over=counts.taken_over)
        if rule.coalesce_embeddings
        else None,
    )


def _calls(tally: Tally) -> CallsReport:
    bad = tally.errors + tally.rescued
    return CallsReport(
        calls=tally.calls,
        errors=tally.errors,
        cancelled=tally.cancelled,
        rescued=tally.rescued,
        error_rate=round(bad / tally.calls, 4) if tally.calls else 0.0,
        latency_ms_mean=_rounded(tally.latency.mean),
        latency_ms_p50=_within(tally.latency, 0.5),
        latency_ms_p95=_within(tally.latency, 0.95),
        first_byte_ms_p50=_within(tally.first_byte, 0.5),
        first_byte_ms_p95=_within(tally.first_byte, 0.95),
        prompt_tokens=tally.prompt_tokens,
        completion_tokens=tally.completion_tokens,
        spend=dollars(tally.cost),
    )


def _within(spread: Spread, share: float) -> float | None:
    return _rounded(spread.share_below(share))


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def _bulkhead(name: str, limit: Bulkhead, counts: BulkheadCounts) -> BulkheadReport:
    return BulkheadReport(
        name=name,
        max_in_flight=limit.max_in_flight,
        max_waiting=limit.max_waiting,
        in_flight=counts.in_flight,
        waiting=counts.waiting,
        refused=counts.refused,
    )
