"""Walks the way to one deployment, hop by hop; what lies behind a hop that fails is not tried."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from pointsman.assembly.trial import trial_ask
from pointsman.cli.doctor.practice import Practice
from pointsman.cli.doctor.residence import residence
from pointsman.cli.doctor.subjects import Subject
from pointsman.core.errors import GatewayError, TimedOut
from pointsman.core.upstream import Deployment
from pointsman.lifecycle.trial import try_call
from pointsman.providers.discovery.compatible import CompatibleProbe
from pointsman.providers.discovery.found import FoundHost, Place
from pointsman.providers.health import Hop, SharedFetcher, examine, failed_hop, first_failure
from pointsman.providers.ollama import OllamaControl
from pointsman.providers.registry import find_provider
from pointsman.providers.transport import FetchReply, Origin
from pointsman.providers.transport.steps import accept, encrypt, resolve

__all__ = ["Patience", "Walk", "origin_of"]

Result = TypeVar("Result")

_DAY_SECONDS: Final = 86_400.0
_CERTIFICATE_DAYS_MIN: Final = 14
_LOADS: Final = "A model that is not in memory is loaded first: give it longer (--call-timeout), or load it beforehand."
_NAMES: Final = {
    "ollama": "Ollama", "lm_studio": "LM Studio", "llama_cpp": "llama.cpp's server", "vllm": "vLLM",
    "sglang": "SGLang", "openai": "an OpenAI-compatible server",
}  # fmt: skip
_PREFIXES: Final = {"ollama": "ollama_chat", "lm_studio": "lm_studio", "llama_cpp": "llama_cpp", "vllm": "hosted_vllm",
                    "sglang": "sglang", "openai": "openai"}  # fmt: skip
_SAME_FACE: Final = frozenset({"openai", "openai_like", "custom_openai"})
"""Providers that only say that a server speaks OpenAI's API."""


class Patience(msgspec.Struct, frozen=True):
    """Seconds for each hop, and for a real call; None: no call is made."""

    hop_seconds: float = 5.0
    call_seconds: float | None = None


class Walk:
    """The ways to all deployments; servers and lists that several of them share are asked once."""

    def __init__(self, practice: Practice, patience: Patience) -> None:
        self._practice = practice
        self._patience = patience
        self._fetcher = SharedFetcher(practice.transport)
        self._calls = asyncio.Semaphore(1)

    async def to_server(self, origin: Origin) -> tuple[Hop, ...]:
        """Name, connection, encryption."""
        seconds_max = self._patience.hop_seconds
        try:
            addresses, seconds = await self._timed(resolve(origin, seconds_max))
        except GatewayError as error:
            return (failed_hop("name", error),)
        told = "It is an address." if origin.host in addresses else ", ".join(addresses)
        hops = [Hop("name", "ok", told, seconds=seconds)]
        try:
            address, seconds = await self._timed(accept(origin, addresses, seconds_max))
        except GatewayError as error:
            return (*hops, failed_hop("connection", error))
        hops.append(Hop("connection", "ok", f"{address} accepts on port {origin.port}.", seconds=seconds))
        return (*hops, await self._encryption(origin)) if origin.tls else tuple(hops)

    async def to_model(self, subject: Subject) -> tuple[Hop, ...]:
        """From the credentials to the first token, as far as is wanted."""
        deployment = subject.deployment
        hops, seconds = await self._timed(
            examine(deployment, self._fetcher, self._practice.admittance, self._patience.hop_seconds)
        )
        hops = (*_openness(deployment), *_with_advice(hops, deployment))
        hops = await self._look_closer(deployment, _with_seconds(hops, seconds))
        if self._patience.call_seconds is not None:
            if first_failure(hops) is not None:
                hops = (*hops, Hop("call", "skipped", "Not tried: the way ends before."))
            elif subject.wildcard is not None:
                hops = (*hops, Hop("call", "skipped", "Name a model that the wildcard stands for, to have it called."))
            else:
                hops = (*hops, await self._call(deployment, self._patience.call_seconds))
        return hops

    async def _look_closer(self, deployment: Deployment, hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
        """What local servers tell beyond whether they are well: who they are, and what they hold in memory."""
        if not deployment.api_base or (not deployment.local and deployment.provider not in _SAME_FACE):
            return hops
        if _is_ollama(deployment):
            if first_failure(hops) is None:
                return (*hops, *await self._ollama(deployment))
            failure = first_failure(hops)
            if failure is None or failure.name != "server":
                return hops
        found = await self._recognise(deployment)
        return hops if found is None else (*hops, found)

    async def _ollama(self, deployment: Deployment) -> tuple[Hop, ...]:
        headers = await self._practice.admittance.headers(deployment)
        url = Origin.parse(deployment.api_base).url
        control = OllamaControl(self._fetcher, url, headers, self._patience.hop_seconds)
        try:
            version = Hop("server", "ok", f"It is Ollama {await control.version()}.")
        except GatewayError as error:
            version = Hop("server", "warning", f"It does not tell its version: {error.message}")
        return version, *await residence(deployment, control)

    async def _recognise(self, deployment: Deployment) -> Hop | None:
        """Who answers there, where that is not whom the configuration names."""
        origin = Origin.parse(deployment.api_base)
        root = msgspec.structs.replace(origin, path=origin.path.removesuffix("/v1"), query="").url
        probe = CompatibleProbe(self._fetcher, Place(root), self._patience.hop_seconds, _is_gateway)
        try:
            host = await probe.look()
        except GatewayError:
            return None  # whatever it is, the hops before have told what is wrong with it
        return _judge_kind(deployment, host, root)

    async def _encryption(self, origin: Origin) -> Hop:
        try:
            expires, seconds = await self._timed(encrypt(origin, self._patience.hop_seconds))
        except GatewayError as error:
            return failed_hop("encryption", error)
        if expires is None:
            return Hop("encryption", "ok", "The certificate is good.", seconds=seconds)
        days = (expires - self._practice.clock.wall()) / _DAY_SECONDS
        day = datetime.fromtimestamp(expires, UTC).date().isoformat()
        if days < _CERTIFICATE_DAYS_MIN:
            hint = "Its owner has to renew it."
            return Hop("encryption", "warning", f"The certificate expires on {day}.", hint, seconds)
        return Hop("encryption", "ok", f"The certificate is good until {day}.", seconds=seconds)

    async def _call(self, deployment: Deployment, seconds_max: float) -> Hop:
        """One call at a time, so that no host is made to load two models at once."""
        practice = self._practice
        try:
            ask = trial_ask(deployment)
            lane = practice.lanes.lane(ask.operation, deployment)
        except GatewayError as error:
            return Hop("call", "skipped", error.message, error.hint)
        sender = practice.sender(deployment)
        async with self._calls:
            trial = await try_call(ask, deployment, lane, sender, practice.clock, seconds_max=seconds_max)
        seconds = trial.ended_at - trial.began_at
        if trial.error is not None:
            hint = trial.error.hint or (_LOADS if isinstance(trial.error, TimedOut) and deployment.local else None)
            return Hop("call", "failed", trial.error.message, hint, seconds)
        first = trial.first_seconds
        told = f"It answers: {trial.usage.prompt} tokens in, {trial.usage.completion} out"
        if first is not None:
            told += f", the first of the answer after {first:.2f} s"
        return Hop("call", "ok", f"{told}.", seconds=seconds)

    async def _timed(self, work: Awaitable[Result]) -> tuple[Result, float]:
        started = self._practice.clock.monotonic()
        result = await work
        return result, self._practice.clock.monotonic() - started


def origin_of(deployment: Deployment) -> Origin | None:
    """Where a deployment is, without the path; None where only LiteLLM's library knows, and where nobody is asked.

    Raises:
        Misconfigured: its address is none.
    """
    if not deployment.api_base:
        return None
    return msgspec.structs.replace(Origin.parse(deployment.api_base), path="", query="")


def _with_advice(hops: tuple[Hop, ...], deployment: Deployment) -> tuple[Hop, ...]:
    """What may help a server that fails without anybody having said why."""
    failure = first_failure(hops)
    if failure is None or failure.name != "server" or failure.hint or not deployment.api_base:
        return hops
    if Origin.parse(deployment.api_base).tls:
        return hops
    advised = msgspec.structs.replace(
        failure,
        hint="If it expects TLS, write https in api_base; else see in its log whether it hangs.",
    )
    return tuple(advised if hop is failure else hop for hop in hops)


def _with_seconds(hops: tuple[Hop, ...], seconds: float) -> tuple[Hop, ...]:
    """One question told all of this, so its time stands at the last of it."""
    return (*hops[:-1], msgspec.structs.replace(hops[-1], seconds=seconds)) if hops else hops


def _openness(deployment: Deployment) -> tuple[Hop, ...]:
    """A warning where a key goes over the network for everybody to read."""
    origin = Origin.parse(deployment.api_base) if deployment.api_base else None
    if origin is None or origin.tls or deployment.api_key is None or _is_near(origin.host):
        return ()
    return (Hop("encryption", "warning", "The key is sent unencrypted.", "Use https in api_base."),)


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan", ".home.arpa"))


def _is_ollama(deployment: Deployment) -> bool:
    provider = find_provider(deployment.provider)
    return provider is not None and provider.native == "ollama"


def _is_gateway(reply: FetchReply) -> bool:
    return reply.header(b"x-pointsman-version") is not None


def _judge_kind(deployment: Deployment, host: FoundHost, root: str) -> Hop | None:
    name = _NAMES[host.kind] + (f" {host.version}" if host.version else "")
    if host.kind == "ollama" and _is_ollama(deployment):
        hint = f"Write api_base {root}, since this provider speaks Ollama's own API."
        return Hop("server", "warning", "It is Ollama, and its address does not end with /v1.", hint)
    if host.kind == "ollama":
        told = "It is Ollama, asked through its OpenAI face, where num_ctx, think and keep_alive have no effect."
        return Hop("server", "warning", told, f"Write ollama_chat/{deployment.model} with api_base {root}.")
    if host.kind == "openai":
        return None
    prefix = _PREFIXES[host.kind]
    if _is_ollama(deployment):
        hint = f"Write {prefix}/{deployment.model} with api_base {root}/v1."
        return Hop("server", "warning", f"What answers is {name}.", hint)
    return Hop("server", "ok", f"It is {name}.")
