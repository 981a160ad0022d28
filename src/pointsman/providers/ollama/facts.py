"""Remembers what Ollama says about its models, so that a request rarely waits for the question.

Facts are asked once per model of a host and then refreshed behind the back of the requests that use them;
however many requests want the same facts, one question is under way.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError, Unreachable
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment
from pointsman.providers.ollama.context import ContextKey, ContextWindows
from pointsman.providers.ollama.control import LoadedModel, OllamaControl, OllamaFacts, facts_of
from pointsman.providers.transport import Fetcher

__all__ = ["OllamaFactsCache", "control_headers", "key_of"]

FRESH_SECONDS: Final = 60.0
"""After this, facts are refreshed in the background while they go on being used."""

USABLE_SECONDS: Final = 600.0
"""After this, a request waits for new facts."""

RETRY_SECONDS: Final = 5.0
"""A host that did not answer the question properly is asked again after this time at the earliest."""

_ENTRIES_MAX: Final = 4096
_NO_FACTS: Final = OllamaFacts()


class _Entry(msgspec.Struct):
    facts: OllamaFacts
    refresh_at: float
    expires_at: float


class OllamaFactsCache:
    """Facts by host and model, and through them the context windows' knowledge of what is loaded."""

    def __init__(
        self, fetcher: Fetcher, nursery: Nursery, windows: ContextWindows, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._fetcher = fetcher
        self._nursery = nursery
        self._windows = windows
        self._clock = clock
        self._entries: dict[ContextKey, _Entry] = {}
        self._questions: dict[ContextKey, asyncio.Task[OllamaFacts | GatewayError]] = {}

    def recall(self, deployment: Deployment) -> OllamaFacts | None:
        """What is known now, or None if :meth:`learn` has to be awaited. Facts that age are refreshed behind."""
        key = key_of(deployment)
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock.monotonic()
        if now >= entry.expires_at:
            return None
        if now >= entry.refresh_at and key not in self._questions:
            self._ask(key, deployment)
        return entry.facts

    async def learn(self, deployment: Deployment) -> OllamaFacts:
        """Ask the host. A host that answers, but not this question, gives empty facts.

        Raises:
            Unreachable: nobody answers there.
            Rejected: the host does not have the model (``model_not_found``) or does not let us in.
        """
        key = key_of(deployment)
        # One waiter's end must not take the answer from the others.
        result = await asyncio.shield(self._questions.get(key) or self._ask(key, deployment))
        if isinstance(result, GatewayError):
            raise result
        return result

    async def told(self, deployment: Deployment) -> OllamaFacts | None:
        """What the host tells, now or before; None: it does not answer, or not this question."""
        try:
            return self.recall(deployment) or await self.learn(deployment)
        except GatewayError:
            return None

    def _ask(self, key: ContextKey, deployment: Deployment) -> asyncio.Task[OllamaFacts | GatewayError]:
        task = self._nursery.start(self._answer(key, deployment), f"facts of {deployment.model}")
        self._questions[key] = task
        return task

    async def _answer(self, key: ContextKey, deployment: Deployment) -> OllamaFacts | GatewayError:
        control = OllamaControl(self._fetcher, key[0], control_headers(deployment))
        try:
            facts = await self._shown(control, key)
        except GatewayError as error:
            known = self._entries.get(key)
            if known is not None:
                known.refresh_at = self._clock.monotonic() + RETRY_SECONDS
            return error
        finally:
            self._questions.pop(key, None)
        return facts

    async def _shown(self, control: OllamaControl, key: ContextKey) -> OllamaFacts:
        model = key[1]
        try:
            facts = facts_of(await control.show(model))
            self._keep(key, facts, FRESH_SECONDS)
            self._windows.observe(key, _loaded_window(await control.loaded(), model), self._clock.monotonic())
        except GatewayError as error:
            if isinstance(error, Unreachable) or error.code == "model_not_found" or error.status in (401, 403):
                raise
            known = self._entries.get(key)
            facts = known.facts if known is not None else _NO_FACTS
            self._keep(key, facts, RETRY_SECONDS)
        return facts

    def _keep(self, key: ContextKey, facts: OllamaFacts, seconds: float) -> None:
        self._entries.pop(key, None)
        if len(self._entries) >= _ENTRIES_MAX:
            del self._entries[next(iter(self._entries))]
        now = self._clock.monotonic()
        self._entries[key] = _Entry(facts, now + seconds, now + USABLE_SECONDS)


def key_of(deployment: Deployment) -> ContextKey:
    """Under which host and model a deployment's facts are kept."""
    return deployment.api_base.rstrip("/"), deployment.model


def control_headers(deployment: Deployment) -> tuple[tuple[str, str], ...]:
    """The headers that let us in, the same as for requests (an Ollama behind a proxy wants them)."""
    headers = tuple((name, value.reveal()) for name, value in deployment.headers.items())
    if deployment.api_key is not None and "authorization" not in {name.lower() for name, _ in headers}:
        headers += (("Authorization", f"Bearer {deployment.api_key.reveal()}"),)
    return headers


def _loaded_window(loaded: list[LoadedModel], model: str) -> int | None:
    names = {model, f"{model}:latest"}
    return next((found.context_length for found in loaded if found.name in names and found.context_length), None)
