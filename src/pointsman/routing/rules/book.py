"""All rules of an operator, ready to be held against requests.

They are looked at from the first to the last, and all that match count together: of each thing that can be said the
first to say it is heard, but every ``only`` must hold, the lowest bound of a cost or a time counts, and who refuses
ends it. A rule sees the model that the client asked for, whatever earlier rules made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from pointsman.config.patterns import is_pattern, match
from pointsman.config.rule_sections import RestrictionSection, RoutingRuleSection, RuleThen, RuleTier, RuleWhen
from pointsman.core.price import picodollars
from pointsman.routing.rules.facts import Facts
from pointsman.routing.rules.ruling import Demands, Overflow, Restriction, Ruling

__all__ = ["Rulebook"]

_Test = Callable[[Facts], bool]
_Measure = Callable[[Facts], float | None]
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MILLISECONDS: Final = 1000.0


class _Rule(msgspec.Struct, frozen=True):
    """A rule; each of its ``conditions`` has the name by which it is told that it does not hold."""

    name: str
    conditions: tuple[tuple[str, _Test], ...]
    then: RuleThen
    last: bool


class Rulebook:
    """The rules. ``reads_content`` tells whether they look into prompts, ``headers`` which headers they compare."""

    def __init__(self, sections: Sequence[RoutingRuleSection]) -> None:
        self._rules = tuple(_Rule(one.name, tuple(_conditions(one.when)), one.then, one.last) for one in sections)
        self.headers = frozenset(name.lower() for one in sections for name in one.when.headers)
        self.reads_content = any(_reads_content(one) for one in sections)

    def judge(self, facts: Facts) -> Ruling:
        """What the rules come to for a request."""
        ruling = Ruling()
        for rule in self._rules:
            if all(holds(facts) for _, holds in rule.conditions):
                ruling = _joined(ruling, rule, facts)
                if rule.last or ruling.refuse is not None:
                    break
        return ruling

    def tell(self, facts: Facts) -> tuple[tuple[str, str], ...]:
        """Each rule's name and the condition that does not hold; empty where it matched."""
        told: list[tuple[str, str]] = []
        ended = ""
        for rule in self._rules:
            unmet = next((name for name, holds in rule.conditions if not holds(facts)), "")
            told.append((rule.name, ended or unmet))
            if not (ended or unmet) and (rule.last or rule.then.refuse is not None):
                ended = f"not looked at after {rule.name}"
        return tuple(told)


def _joined(ruling: Ruling, rule: _Rule, facts: Facts) -> Ruling:
    """What was ruled so far, and what one more rule adds to it."""
    then, so_far = rule.then, ruling.demands
    over = then.overflow
    overflow = ruling.overflow or (None if over is None else Overflow(rule.name, over.to, over.wait_seconds))
    costs = [amount for amount in (so_far.max_cost, _picodollars(then.max_cost)) if amount is not None]
    max_cost = min(costs, default=None)
    latency = None if then.max_latency_ms is None else then.max_latency_ms / _MILLISECONDS
    demands = Demands(
        only=so_far.only if then.only is None else (*so_far.only, _restriction(rule.name, then.only)),
        prefer=so_far.prefer or then.prefer or "",
        max_cost=max_cost,
        cost_by=so_far.cost_by if max_cost == so_far.max_cost else rule.name,
        max_latency=min((each for each in (so_far.max_latency, latency) if each is not None), default=None),
        strategy=so_far.strategy or then.strategy or "",
        local_wait_max=None if overflow is None else overflow.seconds,
    )
    return Ruling(
        (*ruling.matched, rule.name),
        ruling.model or then.model or _tier_model(then.tiers, facts),
        demands,
        overflow,
        then.refuse,
        rule.name if then.refuse is not None else "",
    )


def _restriction(rule: str, only: RestrictionSection) -> Restriction:
    return Restriction(rule, frozenset(only.tags), frozenset(only.providers), frozenset(only.deployments), only.local)


def _picodollars(usd: float | None) -> int | None:
    return None if usd is None else picodollars(usd)


def _tier_model(tiers: Iterable[RuleTier], facts: Facts) -> str | None:
    """The model of the first tier that the request fits."""
    for tier in tiers:
        if (
            (tier.upto_tokens is None or facts.prompt_tokens <= tier.upto_tokens)
            and (tier.upto_turns is None or facts.content.turns <= tier.upto_turns)
            and (tier.needs is None or facts.content.features.issubset(tier.needs))
        ):
            return tier.model
    return None


def _reads_content(section: RoutingRuleSection) -> bool:
    when = section.when
    return (
        bool(when.has or when.lacks)
        or when.turns_min is not None
        or when.turns_max is not None
        or any(tier.needs is not None or tier.upto_turns is not None for tier in section.then.tiers)
    )


def _conditions(when: RuleWhen) -> Iterable[tuple[str, _Test]]:
    """The tests of what is asked for, the cheap ones first."""
    yield from _of_names(when)
    yield from _of_sizes(when)
    if when.has:
        yield "has", lambda facts: facts.content.features.issuperset(when.has)
    if when.lacks:
        yield "lacks", lambda facts: facts.content.features.isdisjoint(when.lacks)
    if when.hours or when.weekdays:
        yield from _of_times(when)
    for name, values in when.headers.items():
        yield f"headers.{name.lower()}", _of_header(name.lower(), values)


def _of_names(when: RuleWhen) -> Iterable[tuple[str, _Test]]:
    if when.model:
        yield "model", lambda facts: _fits(when.model, facts.model)
    if when.key:
        yield "key", lambda facts: _fits(when.key, facts.key_alias) or _fits(when.key, facts.key)
    if when.team:
        yield "team", lambda facts: _fits(when.team, facts.team)
    if when.user:
        yield "user", lambda facts: _fits(when.user, facts.user)
    if when.end_user:
        yield "end_user", lambda facts: _fits(when.end_user, facts.end_user)
    if when.tags:
        yield "tags", lambda facts: any(_fits(when.tags, tag) for tag in facts.tags)
    if when.stream is not None:
        yield "stream", lambda facts: facts.stream is when.stream


def _of_sizes(when: RuleWhen) -> Iterable[tuple[str, _Test]]:
    for name, (measure, least, most) in _measures(when).items():
        if least is not None:
            yield f"{name}_min", _at_least(measure, least)
        if most is not None:
            yield f"{name}_max", _at_most(measure, most)


def _measures(when: RuleWhen) -> Mapping[str, tuple[_Measure, float | None, float | None]]:
    """What is compared with bounds; None, where a request has no such size, is within none."""
    return {
        "prompt_tokens": (lambda facts: facts.prompt_tokens, when.prompt_tokens_min, when.prompt_tokens_max),
        "output_limit": (lambda facts: facts.output_limit, when.output_limit_min, when.output_limit_max),
        "turns": (lambda facts: facts.content.turns, when.turns_min, when.turns_max),
        "budget_used": (lambda facts: facts.budget_used, when.budget_used_min, when.budget_used_max),
    }


def _at_least(measure: _Measure, bound: float) -> _Test:
    return lambda facts: (size := measure(facts)) is not None and size >= bound


def _at_most(measure: _Measure, bound: float) -> _Test:
    return lambda facts: (size := measure(facts)) is not None and size <= bound


def _of_times(when: RuleWhen) -> Iterable[tuple[str, _Test]]:
    # UTC is there even where the system has no list of time zones.
    zone: tzinfo = UTC if when.timezone == "UTC" else ZoneInfo(when.timezone)
    if when.hours:
        spans = [_span(text) for text in when.hours]

        def is_time(facts: Facts) -> bool:
            now = datetime.fromtimestamp(facts.wall, zone)
            minute = now.hour * 60 + now.minute
            return any(begin <= minute < end or (end <= begin and not end <= minute < begin) for begin, end in spans)

        yield "hours", is_time
    if when.weekdays:
        yield "weekdays", lambda facts: _WEEKDAYS[datetime.fromtimestamp(facts.wall, zone).weekday()] in when.weekdays


def _span(text: str) -> tuple[int, int]:
    """Minutes of the day; where the end is not after the beginning, it is the next day's."""
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return begin, end


def _of_header(name: str, values: tuple[str, ...]) -> _Test:
    return lambda facts: _fits(values, facts.headers.get(name))


def _fits(wanted: Iterable[str], text: str | None) -> bool:
    if text is None:
        return False
    return any(match(one, text) is not None if is_pattern(one) else one == text for one in wanted)
