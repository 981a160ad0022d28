"""The operator's rules about where requests go, as typed data: ``pointsman.routing_rules``.

Texts that are compared may hold ``*``, which stands for anything. An empty list asks for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

__all__ = [
    "FEATURES", "OverflowSection", "RestrictionSection", "RoutingRuleSection", "RuleThen", "RuleTier", "RuleWhen",
]  # fmt: skip

FEATURES: Final = ("tools", "images", "json_schema", "code")
"""What a request can have that makes it harder to serve."""

_Name = Annotated[str, Meta(min_length=1, description="a name")]
_Text = Annotated[str, Meta(min_length=1, max_length=500, description="text of at most 500 characters")]
_RuleName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="a name of letters, digits, dots and dashes"),
]
_Feature = Annotated[str, Meta(pattern=f"^({'|'.join(FEATURES)})$", description="tools, images, json_schema or code")]
_Prefer = Annotated[str, Meta(pattern="^(local|cheap|fast)$", description="local, cheap or fast")]
_Strategy = Annotated[
    str,
    Meta(
        pattern=(
            r"^(simple-shuffle|round-robin|least-busy|latency-based-routing|usage-based-routing|usage-based-routing-v2"
            r"|cost-based-routing|warm-first|shuffle|latency|usage|cost)$"
        ),
        description=(
            "simple-shuffle, round-robin, least-busy, latency-based-routing, usage-based-routing,"
            " usage-based-routing-v2, cost-based-routing or warm-first"
        ),
    ),
]
_Weekday = Annotated[str, Meta(pattern="^(mon|tue|wed|thu|fri|sat|sun)$", description="mon, tue, … or sun")]
_Hours = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9]$",
        description="a span of the day such as 22:00-06:00",
    ),
]
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Amount = Annotated[float, Meta(ge=0)]
_Share = Annotated[float, Meta(ge=0, le=100)]


class RuleWhen(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold of a request, all of it: ``pointsman.routing_rules[].when``.

    ``key`` compares with a key's alias and its hash. Shares of the budget are fractions of 1.
    """

    model: tuple[_Name, ...] = ()
    key: tuple[_Name, ...] = ()
    team: tuple[_Name, ...] = ()
    user: tuple[_Name, ...] = ()
    end_user: tuple[_Name, ...] = ()
    tags: tuple[_Name, ...] = ()
    prompt_tokens_min: _Count | None = None
    prompt_tokens_max: _Count | None = None
    output_limit_min: _Count | None = None
    output_limit_max: _Count | None = None
    turns_min: _Count | None = None
    turns_max: _Count | None = None
    has: tuple[_Feature, ...] = ()
    lacks: tuple[_Feature, ...] = ()
    stream: bool | None = None
    budget_used_min: _Share | None = None
    budget_used_max: _Share | None = None
    hours: tuple[_Hours, ...] = ()
    weekdays: tuple[_Weekday, ...] = ()
    timezone: _Name = "UTC"
    headers: Mapping[str, tuple[_Name, ...]] = {}


class RestrictionSection(msgspec.Struct, frozen=True, kw_only=True):
    """Which deployments may serve the request at all: ``pointsman.routing_rules[].then.only``."""

    tags: tuple[_Name, ...] = ()
    providers: tuple[_Name, ...] = ()
    deployments: tuple[_Name, ...] = ()
    local: bool | None = None


class OverflowSection(msgspec.Struct, frozen=True, kw_only=True):
    """What to do where the wait is longer than that: ``pointsman.routing_rules[].then.overflow``.

    ``to`` None: local deployments are no longer preferred.
    """

    wait_seconds: _Amount
    to: _Name | None = None


class RuleTier(msgspec.Struct, frozen=True, kw_only=True):
    """A model for requests up to a size: ``pointsman.routing_rules[].then.tiers[]``. None: of any size or kind.

    ``needs`` are the features that a request for this tier may have.
    """

    model: _Name
    upto_tokens: _Count | None = None
    upto_turns: _Count | None = None
    needs: tuple[_Feature, ...] | None = None


class RuleThen(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen: ``pointsman.routing_rules[].then``. ``max_cost`` is in USD."""

    model: _Name | None = None
    tiers: tuple[RuleTier, ...] = ()
    only: RestrictionSection | None = None
    prefer: _Prefer | None = None
    max_cost: _Amount | None = None
    max_latency_ms: Annotated[float, Meta(gt=0)] | None = None
    strategy: _Strategy | None = None
    overflow: OverflowSection | None = None
    refuse: _Text | None = None


class RoutingRuleSection(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: ``pointsman.routing_rules[]``. After a ``last`` one that matches, no other is looked at."""

    name: _RuleName
    when: RuleWhen = RuleWhen()
    then: RuleThen
    last: bool = False
