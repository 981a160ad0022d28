"""Looks at an Ollama: which models it has, what they can do, which are in its memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final, Literal

from pointsman.core.errors import GatewayError
from pointsman.providers.discovery.found import FoundHost, FoundModel, Place
from pointsman.providers.ollama.control import OllamaControl, ShownModel, TaggedModel, facts_of
from pointsman.providers.transport import Fetcher

__all__ = ["OllamaProbe", "Residents"]

Residents = Callable[[str], Collection[str] | None]
"""Names of the models in a server's memory, by its address; None: nobody knows."""

_SHOWN_MAX: Final = 2048
_QUESTIONS_AT_ONCE: Final = 4
_LEARNING_SECONDS_MAX: Final = 1.5
"""Half of what a look may take: a host with hundreds of models must not seem dead for that."""
_ABILITIES_OF_USE: Final = frozenset({"completion", "embedding"})
"""Which say what a model is for, not what it can do besides."""


class OllamaProbe:
    """Looks at one place again and again; remembers what ``/api/show`` said by digest, as it cannot change.

    ``residents`` tells for an address which models were in memory a moment ago, if somebody has looked.
    """

    def __init__(self, fetcher: Fetcher, place: Place, timeout_seconds: float, residents: Residents) -> None:
        self._control = OllamaControl(fetcher, place.url, timeout_seconds=timeout_seconds)
        self._place = place
        self._residents = residents
        self._shown: dict[str, ShownModel] = {}

    async def look(self) -> FoundHost:
        """The host as it is now.

        Raises:
            UpstreamFailed: nothing answers, or not Ollama.
        """
        version = await self._control.version()
        tagged, in_memory = await asyncio.gather(self._control.tags(), self._in_memory())
        await self._learn(tagged)
        return FoundHost(
            kind="ollama",
            url=self._place.url,
            online=True,
            given=self._place.given,
            version=version,
            models=tuple(_found(model, self._shown.get(_key(model)), model.name in in_memory) for model in tagged),
        )

    async def _in_memory(self) -> Collection[str]:
        known = self._residents(self._place.url)
        return {model.name for model in await self._control.loaded()} if known is None else known

    async def _learn(self, tagged: list[TaggedModel]) -> None:
        wanted = {_key(model): model.name for model in tagged}
        for gone in self._shown.keys() - wanted.keys():
            del self._shown[gone]
        new = [(key, name) for key, name in wanted.items() if key not in self._shown][:_SHOWN_MAX]
        gate = asyncio.Semaphore(_QUESTIONS_AT_ONCE)
        try:
            async with asyncio.timeout(_LEARNING_SECONDS_MAX):
                await asyncio.gather(*(self._show(key, name, gate) for key, name in new))
        except TimeoutError:
            # The next look goes on from here; until then some models are listed without details.
            return

    async def _show(self, key: str, name: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                self._shown[key] = await self._control.show(name)
            except GatewayError:
                # Removed in between, or slow: it is listed without details, and asked again next time.
                return


def _key(model: TaggedModel) -> str:
    return f"{model.digest}\n{model.name}"


def _found(model: TaggedModel, shown: ShownModel | None, loaded: bool) -> FoundModel:  # noqa: FBT001
    facts = facts_of(shown) if shown is not None else None
    abilities = (facts.capabilities if facts is not None else None) or frozenset()
    short = model.name.removesuffix(":latest")
    names = dict.fromkeys((model.name, f"ollama/{short}", f"ollama/{model.name}"))
    details = model.details
    return FoundModel(
        name=model.name,
        group=short,
        aliases=tuple(name for name in names if name != short),
        mode=_mode(model, abilities),
        context_tokens=facts.context_tokens if facts is not None else None,
        capabilities=abilities - _ABILITIES_OF_USE,
        size_bytes=model.size or None,
        parameter_size=details.parameter_size or None if details is not None else None,
        quantization=details.quantization_level or None if details is not None else None,
        loaded=loaded,
    )


def _mode(model: TaggedModel, abilities: frozenset[str]) -> Literal["chat", "embedding"]:
    if abilities:
        return "embedding" if "embedding" in abilities and "completion" not in abilities else "chat"
    # Versions before 0.6.4 name no capabilities; BERT and its kin are never anything but embedding models.
    family = (model.details.family or "") if model.details is not None else ""
    return "embedding" if "bert" in family else "chat"
