"""Requests that are sent to a second model as well, whose answer is thrown away and only recorded.

A shadow is a story of its own, with a record of its own: its id is that of the client's call behind ``shadow-``, its
tag ``shadow``, and its cost is the operator's. It begins once the client's own request is under way, is the first
thing that is left out when there is much to do, and is broken off at shutdown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.config.traffic_sections import Mirror
from pointsman.core.eager import Story
from pointsman.core.errors import GatewayError, Refused
from pointsman.core.exchange import ClientGone, Flow, Inbound
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.lifecycle.choose import Course, wish_for
from pointsman.lifecycle.house import House
from pointsman.lifecycle.own_calls import gateway_principal
from pointsman.lifecycle.reading import read_ask
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.tally import Marks
from pointsman.lifecycle.turn import attempt_in_turn
from pointsman.lifecycle.ways import Rule
from pointsman.policies.parameters import take_rules
from pointsman.routing.pool import Member
from pointsman.routing.rules.ruling import Demands

__all__ = ["Shadows"]

_SHADOWS_MAX: Final = 256
_BUSY_SHARE: Final = 0.75
"""When so much of what the gateway may do at once is in use, shadows are left out."""
_PERCENT: Final = 100.0

_MIRRORED: Final = frozenset({
    Operation.RESPONSES, Operation.IMAGE, Operation.IMAGE_EDIT, Operation.IMAGE_VARIATION, Operation.SPEECH,
    Operation.TRANSCRIPTION, Operation.TRANSLATION, Operation.MODERATION, Operation.RERANK,
    Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING, Operation.MESSAGES, Operation.GEMINI_CHAT,
    Operation.GEMINI_STREAM, Operation.GEMINI_ARRAY_STREAM, Operation.GEMINI_EMBED, Operation.GEMINI_BATCH_EMBED,
    Operation.OLLAMA_CHAT, Operation.OLLAMA_GENERATE, Operation.OLLAMA_COMPLETION, Operation.OLLAMA_EMBED,
    Operation.OLLAMA_EMBEDDINGS,
})  # fmt: skip

_KEEPING: Final = ("background", "conversation")
"""Fields of a response that must be kept, which that of a shadow is not."""
_FALSE: Final = msgspec.Raw(b"false")
_UNSAID: Final = frozenset({b"null", b"false"})

_log: Final = logging.getLogger("pointsman.traffic")


class _Nobody:
    """A client that wants nothing; see :class:`pointsman.core.exchange.Client`."""

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """See the protocol."""

    def begin(self, status: int, head: bytes) -> None:
        """See the protocol."""

    def send(self, block: bytes) -> None:
        """See the protocol."""

    def end(self, block: bytes = b"") -> None:
        """See the protocol."""

    def attach(self, flow: Flow | None) -> None:
        """See the protocol."""

    def abort(self) -> None:
        """See the protocol."""


class Shadows:
    """Those of one process. ``chance`` gives numbers in [0, 1).

    ``has_room`` tells whether there are places to spare for a deployment, where their number is bounded.
    """

    def __init__(self, nursery: Nursery, chance: Callable[[], float]) -> None:
        self._nursery = nursery
        self._chance = chance
        self._principal = gateway_principal()
        self._running: dict[str, tuple[Story, asyncio.TimerHandle]] = {}
        self.has_room: Callable[[Deployment], bool] = lambda _deployment: True

    def __len__(self) -> int:
        return len(self._running)

    def cast(self, rule: Rule, mirror: Mirror, settlement: Settlement) -> None:
        """Send a request to the mirror as well, if it is one of its share and there is room."""
        house, inbound = settlement.house, settlement.inbound
        if inbound.head.route.operation not in _MIRRORED or self._chance() * _PERCENT >= mirror.percent:
            return
        is_full = rule.shadows >= mirror.max_in_flight or len(self._running) >= _SHADOWS_MAX or _is_busy(house)
        course = None if is_full else self._course(mirror.model, settlement)
        if course is None:
            rule.counts.left_out += 1
            return
        settlement.mark("mirrored").tallies += (rule.counts.mirrored,)
        now = house.clock.monotonic()
        shadow = Settlement(
            house,
            Inbound(inbound.head, inbound.body, now, house.clock.wall()),
            f"shadow-{settlement.call_id}",
            self._principal,
            marks=Marks(("shadow",), tallies=(rule.counts.shadow,)),
        )
        story = Story(self._tell(shadow, course, rule), self._nursery, _escaped)
        loop = asyncio.get_running_loop()
        self._running[shadow.call_id] = (story, loop.call_later(mirror.timeout_seconds, story.interrupt, ClientGone()))
        rule.shadows += 1
        # In the next turn, so that the client's own request is on its way before.
        loop.call_soon(story.step)

    def close(self) -> None:
        """Break all off."""
        for story, _ in list(self._running.values()):
            story.interrupt(ClientGone())

    async def _tell(self, shadow: Settlement, course: Course, rule: Rule) -> None:
        try:
            if self._is_idle(course.member):
                await self._serve(shadow, course)
            else:  # what came meanwhile goes first
                rule.counts.left_out += 1
        finally:
            _, timer = self._running.pop(shadow.call_id)
            timer.cancel()
            rule.shadows -= 1

    async def _serve(self, shadow: Settlement, course: Course) -> None:
        """The story of a request, told for nobody; see :mod:`pointsman.lifecycle.serve`. It is never tried again."""
        client = _Nobody()
        try:
            shadow.deployment = course.member.deployment
            shadow.ask = course.ask = ask = read_ask(shadow.inbound)
            take_rules(ask)
            ask.model, ask.routing = course.pool.name, None
            if ask.operation is Operation.RESPONSES:
                ask.fields["store"] = _FALSE
            await attempt_in_turn(course, shadow, client)
        except Exception as outcome:  # noqa: BLE001 - the outermost handler: whatever broke, the call gets its record
            if isinstance(outcome, GatewayError):
                shadow.house.router.failed(course.member, outcome, shadow.sent_at, shadow.house.clock.monotonic())
            shadow.ended_by(outcome, client)
        finally:
            shadow.close(client)

    def _course(self, model: str, settlement: Settlement) -> Course | None:
        """Where the shadow of a request goes; None: nobody serves the mirror, or it has other things to do."""
        router, ask, now = settlement.house.router, settlement.ask, settlement.house.clock.monotonic()
        pool = router.pool(model)
        if pool is None or ask is None or not router.is_awake(pool, now):
            return None
        if ask.operation is Operation.RESPONSES and _is_kept(ask):
            return None
        try:
            member, reason = router.choose(pool, wish_for(ask, self._principal, _demands(ask)), now)
        except Refused:
            return None
        if not self._is_idle(member):
            return None
        asker = self._principal
        if ask.operation is Operation.RESPONSES and settlement.principal is not None:
            asker = settlement.principal  # only it may continue what it has stored
        return Course(asker, ask, pool, member, reason)

    def _is_idle(self, member: Member) -> bool:
        host = member.host
        return self.has_room(member.deployment) and (host is None or not (host.busy or host.queued))


def _demands(ask: Ask) -> Demands | None:
    """A copy leaves the region as little as the request does."""
    region = None if ask.routing is None else ask.routing.region
    return None if region is None else Demands(region=region)


def _is_kept(ask: Ask) -> bool:
    return any(bytes(ask.fields.get(name, b"null")) not in _UNSAID for name in _KEEPING)


def _is_busy(house: House) -> bool:
    """Whether the gateway has enough to do without shadows, or does no more."""
    admission = house.admission
    overall = admission.settings.parallel_overall
    return admission.draining or (overall is not None and admission.in_flight >= overall * _BUSY_SHARE)


def _escaped(error: BaseException) -> None:
    _log.error("the story of a shadow raised", exc_info=error)
