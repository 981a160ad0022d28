"""Keeps the models warm that the operator wants warm, and unloads those that nobody uses."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Final

import msgspec

from pointsman.assembly.from_settings import reset_clock
from pointsman.config.load import Loaded
from pointsman.config.sections import WarmUp
from pointsman.core.clock import Clock
from pointsman.core.errors import GatewayError, Misconfigured, NotFound
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment
from pointsman.providers.discovery import FoundHost
from pointsman.providers.loading import ModelLoader
from pointsman.routing.hosts import Host, address_of
from pointsman.routing.pool import Member
from pointsman.routing.router import Router
from pointsman.routing.schedule import weekly_time
from pointsman.routing.warmth import IdleRules, LoadStep, Step, UnloadStep, WarmRule, Warmth

__all__ = ["WarmKeeper", "idle_rules", "warm_rules"]

_STEP_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 30.0
"""By then discovery has looked around."""
_AT_ONCE_MAX: Final = 8
_FOR_GOOD: Final = msgspec.Raw(b"-1")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_log: Final = logging.getLogger("pointsman.warmth")


class WarmKeeper:
    """Does what :class:`pointsman.routing.warmth.Warmth` decides, one step for a model at a time."""

    def __init__(
        self, router: Router, loader: ModelLoader, nursery: Nursery, clock: Clock, *, sees_all_calls: bool
    ) -> None:
        self._router = router
        self._loader = loader
        self._nursery = nursery
        self._clock = clock
        self._is_alone = sees_all_calls
        self._sees_all_calls: Callable[[], bool] = lambda: sees_all_calls
        self._is_its_turn: Callable[[], bool] = lambda: True
        self._tell_at = inf
        self._sizes: dict[tuple[str, str], int] = {}
        self._under_way: set[tuple[str, str]] = set()
        self._warmth = Warmth(router.pool, self._size, clock.wall(), sees_all_calls=sees_all_calls)

    def follow(self, loaded: Loaded) -> None:
        """Take over a configuration.

        Raises:
            Misconfigured: a time to keep a model is none, or the time zone is not known.
        """
        rules, idle, zone = warm_rules(loaded), idle_rules(loaded), reset_clock(loaded).zone
        self._warmth.rules, self._warmth.idle, self._warmth.zone = rules, idle, zone
        self._tell_at = self._clock.monotonic() + _PATIENCE_SECONDS

    def share(self, sees_all_calls: Callable[[], bool], is_its_turn: Callable[[], bool]) -> None:
        """Other processes look after the same hosts: whether their calls are known here, and whose turn it is."""
        self._sees_all_calls, self._is_its_turn = sees_all_calls, is_its_turn

    def found(self, hosts: tuple[FoundHost, ...]) -> None:
        """Take over what discovery knows of the sizes of models."""
        self._sizes = {
            (address_of(host.url), model.name): model.size_bytes
            for host in hosts
            for model in host.models
            if model.size_bytes
        }

    async def run(self) -> None:
        """Look after the models now and then; runs until cancelled."""
        while True:
            self.step()
            await asyncio.sleep(_STEP_SECONDS)

    async def load_now(self, model: str, host: str | None, keep_alive: msgspec.Raw | None) -> tuple[str, ...]:
        """See :class:`pointsman.admin.office.HostMinder`."""
        members = self._members_of(model, host)
        able = [member for member in members if self._loader.can_load(member.deployment)] or members
        chosen = min(able, key=_reluctance)
        await self._loader.load(chosen.deployment, keep_alive)
        return self._done(LoadStep(chosen.deployment, None), [chosen])

    async def unload_now(self, model: str, host: str | None) -> tuple[str, ...]:
        """See :class:`pointsman.admin.office.HostMinder`."""
        done: list[Member] = []
        for member in self._members_of(model, host):
            if member.host is not None and (host is not None or member.host.is_loaded(member.deployment.model)):
                await self._loader.unload(member.deployment)
                done.append(member)
        return tuple(url for member in done for url in self._done(UnloadStep(member.deployment, 0.0), [member]))

    def step(self) -> None:
        """Begin with what is to be done now."""
        if self._is_alone:
            self._read_meters()
        if not self._is_its_turn():
            return
        self._warmth.sees_all_calls = self._sees_all_calls()
        if self._clock.monotonic() >= self._tell_at:
            self._tell_at = inf
            self._tell_unknown()
        for step in self._warmth.steps(self._members(), self._clock.monotonic(), self._clock.wall()):
            key = address_of(step.deployment.api_base), step.deployment.model
            can = self._loader.can_load(step.deployment)
            if can and key not in self._under_way and len(self._under_way) < _AT_ONCE_MAX:
                self._under_way.add(key)
                self._nursery.start(self._take(step, key), f"warmth of {step.deployment.model}")

    def _tell_unknown(self) -> None:
        """Warn of models that no local host has been seen to serve."""
        for rule in self._warmth.rules:
            pool = self._router.pool(rule.model)
            if pool is None or all(member.host is None for member in pool.members):
                _log.warning("pointsman.warm_up: no local host serves %r, so it cannot be kept warm.", rule.model)

    def _read_meters(self) -> None:
        """Note which hosts are awake; one process alone can tell that they are idle, too."""
        now = self._clock.monotonic()
        for host in self._router.fleet.hosts:
            if host.power is not None:
                host.power.look(now, awake=host.online)

    async def _take(self, step: Step, key: tuple[str, str]) -> None:
        deployment, host = step.deployment, self._router.fleet.at(step.deployment.api_base)
        try:
            if isinstance(step, LoadStep):
                await self._load(step, host)
            else:
                await self._loader.unload(deployment)
                _log.info("%s was idle for %.0f s: unloaded on %s.", deployment.group, step.idle_seconds, host.url)
        except (GatewayError, TimeoutError) as error:
            told = error.told() if isinstance(error, GatewayError) else "It did not answer in time."
            verb = "loaded" if isinstance(step, LoadStep) else "unloaded"
            _log.warning("%s could not be %s on %s: %s", deployment.group, verb, host.url, told)
            self._warmth.failed(step, self._clock.monotonic())
        else:
            self._warmth.succeeded(step, host, self._clock.monotonic())
        finally:
            self._under_way.discard(key)

    async def _load(self, step: LoadStep, host: Host) -> None:
        model, keep = step.deployment.model, step.keep_seconds
        was_loaded = host.is_loaded(model)
        host.begin_load(model)
        try:
            keep_alive = _FOR_GOOD if keep is None else msgspec.Raw(b"%d" % max(1, int(keep)))
            await self._loader.load(step.deployment, keep_alive)
        finally:
            host.end_load(model)
        if not was_loaded:
            _log.info("%s is loaded on %s, to be warm.", step.deployment.group, host.url)

    def _done(self, step: Step, members: Iterable[Member]) -> tuple[str, ...]:
        """The hosts of those for whom a step was done, which is noted."""
        hosts = [member.host for member in members if member.host is not None]
        for host in hosts:
            self._warmth.succeeded(step, host, self._clock.monotonic())
        return tuple(host.url for host in hosts)

    def _members_of(self, model: str, host: str | None) -> list[Member]:
        """The deployments of a model on local hosts, or on that one.

        Raises:
            NotFound: there are none.
        """
        pool = self._router.pool(model)
        local = [] if pool is None else [member for member in pool.members if member.host is not None]
        if not local:
            raise NotFound(f"No local host serves {model!r}.", hint="GET /queue lists the hosts.", param="model")
        url = None if host is None else address_of(host)
        found = [member for member in local if member.host is not None and url in {None, member.host.url}]
        if not found:
            known = ", ".join(sorted({member.host.url for member in local if member.host is not None}))
            raise NotFound(f"{model!r} is not served by that host.", hint=f"It is by {known}.", param="host")
        return found

    def _members(self) -> Iterator[Member]:
        for deployment in self._router.table.deployments:
            host = self._router.fleet.of(deployment)
            if host is not None:
                yield Member(deployment, self._router.lives.of(deployment), host)

    def _size(self, deployment: Deployment) -> int | None:
        host, model = address_of(deployment.api_base), deployment.model
        return self._sizes.get((host, model)) or self._sizes.get((host, f"{model}:latest"))


def _reluctance(member: Member) -> tuple[bool, bool, int, int]:
    """How little a host is suited to load a model: away, another one has it, busy, full."""
    host = member.host
    if host is None:
        return True, True, 0, 0
    return not host.online, not host.is_loaded(member.deployment.model), host.busy, len(host.loaded)


def warm_rules(loaded: Loaded) -> tuple[WarmRule, ...]:
    """Which models are to be warm.

    Raises:
        Misconfigured: ``keep_alive`` is no time.
    """
    local = loaded.settings.local
    times = {"pointsman.keep_alive": local.keep_alive}
    for number, one in enumerate(local.local_hosts):
        times[f"pointsman.local_hosts[{number}].keep_alive"] = one.keep_alive
    for path, said in times.items():
        if said is not None:
            _seconds(said, path)
    return tuple(_rule(said, number) for number, said in enumerate(local.warm_up))


def idle_rules(loaded: Loaded) -> IdleRules:
    """When idle models are unloaded."""
    local = loaded.settings.local
    return IdleRules(
        by_model=local.unload_after_seconds_by_model,
        by_host={
            address_of(host.api_base): host.unload_after_seconds
            for host in local.local_hosts
            if host.unload_after_seconds is not None
        },
        usual=local.unload_after_seconds or 0.0,
    )


def _rule(said: WarmUp, number: int) -> WarmRule:
    keep = None if said.keep_alive is None else _seconds(said.keep_alive, f"pointsman.warm_up[{number}].keep_alive")
    return WarmRule(
        model=said.model,
        times=tuple(map(weekly_time, said.at)),
        on_start=not said.at if said.on_start is None else said.on_start,
        keep_seconds=keep,
        host=said.host,
        evicts=said.evicts,
    )


def _seconds(said: msgspec.Raw, path: str) -> float | None:
    """Seconds of a time in Ollama's form, a number or a duration of Go; None: negative, which means for good.

    Raises:
        Misconfigured: it is neither.
    """
    try:
        value = msgspec.json.decode(said, type=float | str)
    except msgspec.MsgspecError:
        value = ""
    if isinstance(value, str):
        text = value.strip()
        parts = _DURATION.findall(text.removeprefix("-"))
        if not parts or "".join(number + unit for number, unit in parts) != text.removeprefix("-"):
            raise Misconfigured(f"{path}: expected seconds, or a duration such as 30m or 10h.")
        length = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
        return None if text.startswith("-") else length
    return None if value < 0 else value
