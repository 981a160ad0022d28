"""Makes pools: which members a name has, in which order, and what has to be examined of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pointsman.config.patterns import said_of
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.terms import Terms
from pointsman.core.upstream import Deployment
from pointsman.routing.affinity import CONVERSATION, DEPLOYMENT, PROMPT_CACHING, SESSION
from pointsman.routing.boundary import BOUND_REASONING
from pointsman.routing.credentials import CredentialBook
from pointsman.routing.hosts import Fleet
from pointsman.routing.live import Live, LiveBook
from pointsman.routing.meter import Meter
from pointsman.routing.needs import TOOLS, VISION
from pointsman.routing.pool import NO_SCREENS, Member, Pool, Screens, Tier
from pointsman.routing.residency import LoadBook
from pointsman.routing.settings import RoutingSettings, StrategyChoice, TagRules
from pointsman.routing.shortlist import LOOKED_AT_MAX, Shortlist
from pointsman.routing.strategies import COUNTING, STRATEGIES, TIMING, Kit
from pointsman.routing.table import Group
from pointsman.routing.terms import Tallies

__all__ = ["Gatherer", "by_tags", "count_limits", "has_limits", "measure"]

_KINDS: Final = (SESSION, PROMPT_CACHING, DEPLOYMENT)
_ABILITIES: Final = frozenset({TOOLS, VISION})
_LOCAL_STRATEGY: Final = "warm-first"
_STRICT: Final = frozenset({"usage-based-routing-v2"})
"""Strategies under which limits are never gone beyond, as in LiteLLM."""
_STRATEGY: Final = "simple-shuffle"
_NO_TERMS: Final = Terms()


class Gatherer:
    """Makes pools; all but ``draw``, which gives numbers in [0, 1), outlive them."""

    def __init__(
        self,
        lives: LiveBook,
        fleet: Fleet,
        loads: LoadBook,
        credentials: CredentialBook,
        draw: Callable[[], float],
    ) -> None:
        self._lives = lives
        self._fleet = fleet
        self._loads = loads
        self._credentials = credentials
        self._draw = draw

    def pool(self, group: Group, settings: RoutingSettings, whole: Group | None = None) -> Pool:
        """The pool of a group; ``whole`` is the group with those of it that are left out."""
        members = tuple(self._member(deployment) for deployment in group.deployments)
        choice = said_of(group.name, settings.strategies) or settings.strategy
        strategy = STRATEGIES[_name(choice, members)](Kit(self._draw, self._loads, choice.arguments))
        settings = msgspec.structs.replace(settings, tags=_tag_rules((whole or group).deployments, settings.tags))
        screens = _screens(members, settings, strict=settings.strict_limits or strategy.name in _STRICT)
        for member in members:
            measure(member, strategy.name)
        return Pool(
            name=group.name,
            members=members,
            strategy=strategy,
            only=members[0] if len(members) == 1 and not screens.decides_for_one else None,
            tiers=self._tiers(members, self._loads if strategy.name == _LOCAL_STRATEGY else None),
            screens=screens,
            access_groups=frozenset().union(*(member.deployment.access_groups for member in members)),
            stays=_stays(group.name, members, settings),
            binds_reasoning=BOUND_REASONING in _checks(group.name, settings),
        )

    def _member(self, deployment: Deployment) -> Member:
        credential = self._credentials.of(deployment)
        return Member(deployment, self._lives.of(deployment), self._fleet.of(deployment), credential)

    def _tiers(self, members: tuple[Member, ...], loads: LoadBook | None) -> tuple[Tier, ...]:
        by_order: dict[int | None, list[Member]] = {}
        for member in members:
            by_order.setdefault(member.deployment.order, []).append(member)
        ordered = sorted(by_order.items(), key=lambda tier: (tier[0] is None, tier[0] or 0))
        return tuple(
            Tier(
                tuple(some),
                order,
                Shortlist(some, self._draw, loads) if len(some) > LOOKED_AT_MAX else None,
            )
            for order, some in ordered
        )


def _name(choice: StrategyChoice, members: Sequence[Member]) -> str:
    if choice.name is not None:
        return choice.name
    return _LOCAL_STRATEGY if all(member.host is not None for member in members) else _STRATEGY


def measure(member: Member, strategy: str) -> None:
    """See to it that what decides is measured."""
    counts = bool(member.deployment.rpm or member.deployment.tpm) or strategy in COUNTING
    if member.live.meter is None and (counts or strategy in TIMING):
        member.live.meter = Meter(counts=counts)
    elif member.live.meter is not None and counts:
        member.live.meter.count()
    count_limits(member.live, member.deployment)


def count_limits(live: Live, deployment: Deployment) -> Meter | None:
    """See to it that what its limits are of is counted; None: it has none, and nothing else is counted."""
    if deployment.rpm or deployment.tpm:
        live.meter = live.meter or Meter()
        live.meter.count()
    terms = deployment.terms
    if terms is not None and terms.has_limits:
        live.meter = live.meter or Meter(counts=False)
        live.meter.tallies = live.meter.tallies or Tallies(terms)
        live.meter.tallies.terms = terms
    elif live.meter is not None and live.meter.tallies is not None:
        live.meter.tallies.terms = _NO_TERMS
    return live.meter


def _checks(name: str, settings: RoutingSettings) -> frozenset[str]:
    """The kinds of affinity that a model has, by LiteLLM's names."""
    own = said_of(name, settings.affinity.by_group)
    return settings.affinity.checks if own is None else own


def _stays(name: str, members: Sequence[Member], settings: RoutingSettings) -> tuple[str, ...]:
    if len(members) == 1:
        return ()
    checks = _checks(name, settings)
    kinds = [kind for kind in _KINDS if kind in checks]
    stay = settings.affinity.conversation_seconds > 0 and any(member.host is not None for member in members)
    return (*kinds, CONVERSATION) if stay else tuple(kinds)


def _tag_rules(deployments: Sequence[Deployment], usual: TagRules) -> TagRules:
    """What holds for tags in a group: any of its deployments may say it, even one that nothing is sent to now."""
    said = [answer for one in deployments if (answer := _flag(one, "enable_tag_filtering")) is not None]
    opens = any(_flag(one, "allow_fail_open") for one in deployments)
    if not said and not opens:
        return usual
    return msgspec.structs.replace(usual, enabled=said[0] if said else usual.enabled, fails_open=opens)


def by_tags(screens: Screens, members: Sequence[Member], rules: TagRules) -> Screens:
    """The screens of a pool for requests whose tags decide in any case."""
    agents = any(member.deployment.tag_patterns for member in members)
    opens = any(_flag(member.deployment, "allow_fail_open") for member in members)
    return msgspec.structs.replace(
        screens, tags=True, match_any=rules.match_any, tag_prefix=rules.prefix, fails_open=opens, agents=agents
    )


def _flag(deployment: Deployment, name: str) -> bool | None:
    """What ``model_info`` says; None: nothing."""
    raw = deployment.told.get(name)
    return {b"true": True, b"false": False}.get(bytes(raw)) if raw is not None else None


def has_limits(deployment: Deployment) -> bool:
    """Whether requests or tokens are counted for it."""
    said = deployment.rpm is not None or deployment.tpm is not None
    return said or (deployment.terms is not None and deployment.terms.has_limits)


def _screens(members: Sequence[Member], settings: RoutingSettings, *, strict: bool) -> Screens:
    deployments = [member.deployment for member in members]
    known = [one.capabilities for one in deployments if one.capabilities]
    parallel_default, purses = settings.parallel_per_deployment, settings.purses
    screens = Screens(
        access=len({one.access_groups for one in deployments}) > 1,
        team=any(one.team_id is not None for one in deployments),
        tags=settings.tags.enabled,
        match_any=settings.tags.match_any,
        tag_prefix=settings.tags.prefix,
        fails_open=settings.tags.fails_open,
        agents=settings.tags.enabled and any(one.tag_patterns for one in deployments),
        mode=len({one.mode for one in deployments}) > 1,
        context=settings.pre_call_checks and any(one.context_tokens is not None for one in deployments),
        abilities=_ABILITIES.intersection(frozenset().union(*known)) - _ABILITIES.intersection(*known),
        limits=any(map(has_limits, deployments)),
        strict=strict,
        parallel=parallel_default is not None or any(one.max_parallel_requests is not None for one in deployments),
        parallel_default=parallel_default,
        priced=settings.needs_price and any(one.price is None for one in deployments),
        terms=SYSTEM_CLOCK.wall if any(one.terms is not None and one.terms.narrows for one in deployments) else None,
        affords=purses.affords if purses is not None and any(map(purses.has_purse, deployments)) else None,
    )
    plain = msgspec.structs.replace(
        screens, match_any=True, tag_prefix="", fails_open=False, strict=False, parallel_default=None
    )
    return NO_SCREENS if plain == NO_SCREENS else screens
