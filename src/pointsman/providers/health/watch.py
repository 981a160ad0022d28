"""Keeps an eye on the health of deployments: in the background, or when somebody asks; never for long, never twice.

What is known anyway goes first: a deployment that has just answered a request is well, and of a server that discovery
watches nothing has to be asked. Everything else is asked a question that costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.upstream import Deployment
from pointsman.providers.discovery.found import FoundHost
from pointsman.providers.health.book import HealthBook
from pointsman.providers.health.credentials import Admittance
from pointsman.providers.health.examine import examine
from pointsman.providers.health.sharing import CONCURRENCY, SharedFetcher
from pointsman.providers.health.verdict import (
    Verdict,
    host_of,
    judged_by_hops,
    judged_by_host,
    judged_by_traffic,
    unknown,
)
from pointsman.providers.transport import Fetcher

__all__ = ["HealthSettings", "HealthWatch"]

FRESH_SECONDS: Final = 5.0
"""A younger verdict is not asked for again, however often somebody wants to know."""

TRAFFIC_SECONDS: Final = 30.0
"""So long a good answer to a request stands for a check."""

QUESTION_SECONDS: Final = 5.0
QUESTION_SECONDS_MAX: Final = 60.0
WAIT_SECONDS_MAX: Final = 8.0
"""How long somebody who asks for everything waits; what is not known by then is told as such."""

BACKGROUND: Final = "background"
_UNFINISHED: Final = "It did not answer in the time that there was."
_NOT_YET: Final = "It has not been looked at yet."


class HealthSettings(msgspec.Struct, frozen=True):
    """``general_settings`` as far as they are about health; see LiteLLM's words for them.

    ``groups`` None: every group is checked in the background. ``routes``: whoever is known to be ill is left out where
    there is somebody else, save for those that were merely late where it ``forgives`` that. ``stale_seconds``: how long
    a verdict holds for those who do not ask anew.
    """

    background: bool = False
    interval_seconds: float = 300.0
    concurrency: int = CONCURRENCY
    details: bool = True
    skip_disabled: bool = False
    groups: frozenset[str] | None = None
    routes: bool = False
    forgives: bool = False
    stale_seconds: float = 600.0


class HealthWatch:
    """Judges deployments. ``hosts`` gives the watched servers, ``answered_at`` when a deployment last answered well.

    That moment is in monotonic seconds, None where its last call failed or there was none. ``settings`` may be
    replaced at any time; :meth:`settings_changed` makes the background notice. ``on_look`` is called after each look at
    everything in the background, and when such looks have ended.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        admittance: Admittance,
        *,
        hosts: Callable[[], Sequence[FoundHost]] = lambda: (),
        answered_at: Callable[[Deployment], float | None] = lambda _deployment: None,
        settings: HealthSettings | None = None,
        on_look: Callable[[], None] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.book = HealthBook()
        self.settings = settings or HealthSettings()
        self._fetcher = fetcher
        self._admittance = admittance
        self._hosts = hosts
        self._answered_at = answered_at
        self._on_look = on_look
        self._clock = clock
        self._indexed: tuple[Sequence[FoundHost], Mapping[str, FoundHost]] = ((), {})
        self._changed = asyncio.Event()
        self._asking = asyncio.Lock()

    async def verdicts(
        self, deployments: Sequence[Deployment], asked_by: str, *, wait_seconds: float = WAIT_SECONDS_MAX
    ) -> dict[str, Verdict]:
        """A verdict on each, by id, after ``wait_seconds`` at most. With checks in the background nobody waits."""
        found = {deployment.id: self._known(deployment, asked_by) for deployment in deployments}
        if not self.settings.background:
            wanted = [one for one in deployments if found[one.id] is None and self._may_be_asked(one)]
            try:
                async with asyncio.timeout(wait_seconds), self._asking:
                    # Whoever waited for another's questions finds the answers here.
                    await self._ask([one for one in wanted if self._known(one, asked_by) is None], asked_by)
            except TimeoutError:
                pass
            found |= {one.id: self._known(one, asked_by) for one in wanted}
        now = self._clock.wall()
        note = _NOT_YET if self.settings.background else _UNFINISHED
        return {
            one.id: found[one.id] or self._former(one) or unknown(one, now, note) for one in deployments
        }  # fmt: skip

    def known(self, deployment: Deployment) -> Verdict | None:
        """What is known now, without asking anybody; None: nothing, or nothing that is not too old."""
        passive = self._passively(deployment)
        entry = self.book.latest(deployment.id)
        if passive is not None or entry is None:
            return passive
        age = self._clock.wall() - entry.verdict.at
        return entry.verdict if age < self.settings.stale_seconds else None

    def ill(self, deployments: Iterable[Deployment]) -> frozenset[str]:
        """The ids of those that are known to be ill."""
        verdicts = ((one.id, self.known(one)) for one in deployments)
        ill = ((name, verdict) for name, verdict in verdicts if verdict is not None and not verdict.healthy)
        return frozenset(name for name, verdict in ill if not (verdict.late and self.settings.forgives))

    async def run(self, deployments: Callable[[], Sequence[Deployment]]) -> None:
        """Look at everything, again and again, as long as the settings want that; runs until cancelled."""
        while True:
            self._changed.clear()
            if self.settings.background:
                await self.round(deployments())
            self._on_look()
            try:
                async with asyncio.timeout(self.settings.interval_seconds if self.settings.background else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def settings_changed(self) -> None:
        """Look at the settings now, and not when the interval is over."""
        self._changed.set()

    async def round(self, deployments: Sequence[Deployment]) -> None:
        """One look at everything that the settings include."""
        self.book.keep_only(deployments)
        groups = self.settings.groups
        included = [one for one in deployments if not _is_left_out(one) and (groups is None or one.group in groups)]
        known = {one.id: self._passively(one) for one in included}
        for one in included:
            verdict = known[one.id]
            if verdict is not None:
                self.book.note(one, verdict, BACKGROUND)
        async with self._asking:
            await self._ask([one for one in included if known[one.id] is None], BACKGROUND)

    async def _ask(self, deployments: Iterable[Deployment], asked_by: str) -> None:
        shared = SharedFetcher(self._fetcher, self.settings.concurrency)
        await asyncio.gather(*(self._check(one, shared, asked_by) for one in deployments))

    async def _check(self, deployment: Deployment, fetcher: Fetcher, asked_by: str) -> None:
        started = self._clock.monotonic()
        hops = await examine(deployment, fetcher, self._admittance, _question_seconds(deployment))
        seconds = self._clock.monotonic() - started
        self.book.note(deployment, judged_by_hops(deployment, hops, self._clock.wall(), seconds), asked_by)

    def _known(self, deployment: Deployment, asked_by: str) -> Verdict | None:
        """What is known without a question, or has just been asked (in the background: at any time)."""
        known = self._passively(deployment)
        if known is not None:
            self.book.note(deployment, known, asked_by)
            return known
        entry = self.book.latest(deployment.id)
        if entry is None:
            return None
        fresh = self.settings.background or self._clock.wall() - entry.verdict.at < FRESH_SECONDS
        return entry.verdict if fresh else None

    def _former(self, deployment: Deployment) -> Verdict | None:
        """An older verdict that somebody asked for: better than none where there was no time for another."""
        entry = self.book.latest(deployment.id)
        return None if entry is None or not self._may_be_asked(deployment) else entry.verdict

    def _passively(self, deployment: Deployment) -> Verdict | None:
        now = self._clock.wall()
        answered = self._answered_at(deployment)
        if answered is not None and self._clock.monotonic() - answered < TRAFFIC_SECONDS:
            return judged_by_traffic(deployment, now - (self._clock.monotonic() - answered))
        host = host_of(deployment, self._hosts_by_url())
        return None if host is None else judged_by_host(deployment, host, now)

    def _hosts_by_url(self) -> Mapping[str, FoundHost]:
        hosts = self._hosts()
        if hosts is not self._indexed[0]:
            self._indexed = (hosts, {host.url: host for host in hosts})
        return self._indexed[1]

    def _may_be_asked(self, deployment: Deployment) -> bool:
        return not (self.settings.skip_disabled and _is_left_out(deployment))


def _is_left_out(deployment: Deployment) -> bool:
    """``model_info.disable_background_health_check``."""
    raw = deployment.told.get("disable_background_health_check")
    return raw is not None and bytes(raw).strip(b'"').lower() == b"true"


def _question_seconds(deployment: Deployment) -> float:
    """``model_info.health_check_timeout``, within bounds."""
    raw = deployment.told.get("health_check_timeout")
    try:
        seconds = QUESTION_SECONDS if raw is None else msgspec.json.decode(raw, type=float, strict=False)
    except msgspec.MsgspecError:
        return QUESTION_SECONDS
    return min(seconds, QUESTION_SECONDS_MAX) if seconds > 0 else QUESTION_SECONDS
