"""Customers who may be served in one region only: their requests stay there, whatever the request says itself.

Source: LiteLLM's documentation of ``POST /customer/new`` (``allowed_model_region``, ``default_model``). LiteLLM 1.109.1
keeps both fields and heeds neither when it routes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Refused
from pointsman.core.rules import NO_ROUTING_RULES, Target
from pointsman.core.upstream import Ask
from pointsman.lifecycle.choose import Course, choose
from pointsman.lifecycle.reading import read_again
from pointsman.lifecycle.settle import Settlement
from pointsman.policies.parameters import take_rules
from pointsman.policies.parties import Home, not_at_home
from pointsman.routing.rules.ruling import NO_DEMANDS

__all__ = ["take_home"]

_NOBODY_THERE: Final = "no_deployment_in_region"


def take_home(course: Course, settlement: Settlement) -> Course:
    """The course of a request that was chosen before its customer was known, changed where it leads elsewhere.

    Whatever else is tried, or sent a copy, is of the region, too. What nobody in the region serves goes to the
    customer's default model, if that is served there and the key may use it.

    Raises:
        Forbidden: the request asks for another region.
        Malformed, LimitReached: as :func:`pointsman.lifecycle.choose.choose`.
    """
    home = settlement.house.admission.accounts.home_of(course.ask)
    if home is None:
        return course
    routing = course.ask.routing or NO_ROUTING_RULES
    if routing.region not in {None, home.region}:
        raise not_at_home(home)
    if course.member.deployment.region == home.region:
        _bind(course.ask, home)
        course.demands = msgspec.structs.replace(course.demands or NO_DEMANDS, region=home.region)
        return course
    return _found(course, home, settlement)


def _found(course: Course, home: Home, settlement: Settlement) -> Course:
    """The course to who serves the model in the region, or the default model."""
    try:
        found = _chosen(course.ask, course, home, settlement)
    except Refused as refused:
        asked, default = course.ask.model, home.default_model
        if refused.code != _NOBODY_THERE or default is None or default == asked:
            raise
        ask = read_again(settlement.inbound, None)
        take_rules(ask)
        ask.model = default
        found = _chosen(ask, course, home, settlement)
        ask.model, found.target = asked, Target(default)
    settlement.ask, settlement.deployment, settlement.trail = found.ask, found.member.deployment, found.trail
    return found


def _chosen(ask: Ask, course: Course, home: Home, settlement: Settlement) -> Course:
    _bind(ask, home)
    return choose(ask, course.principal, settlement.house, settlement.inbound.head)


def _bind(ask: Ask, home: Home) -> None:
    ask.routing = msgspec.structs.replace(ask.routing or NO_ROUTING_RULES, region=home.region)
