"""How many tokens and other units one call used, and whether the upstream counted them or we did."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["NO_USAGE", "Units", "Usage", "UsageSource"]

UsageSource = Literal["measured", "estimated", "none"]


class Units(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is charged by something else than plain tokens.

    ``queries`` are search units of a rerank. ``image_input`` and ``image_output`` are tokens and counted in
    :class:`Usage` as well.
    """

    images: int = 0
    characters: int = 0
    milliseconds: int = 0
    queries: int = 0
    image_input: int = 0
    image_output: int = 0


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Token counts of one call.

    ``prompt`` includes ``cached`` and ``cache_write``; ``completion`` includes ``reasoning``, as in
    OpenAI's ``usage``. ``measured`` means the upstream reported it. ``service`` is the service tier that is charged,
    where the price has any.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    source: UsageSource = "none"
    units: Units | None = None
    service: str = ""

    @property
    def total(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion

    def plus(self, other: Usage) -> Usage:
        """Both together; one that is estimated makes the sum an estimate."""
        sources = {self.source, other.source} - {"none"}
        units = self.units or other.units
        if self.units is not None and other.units is not None:
            names = Units.__struct_fields__
            units = Units(**{name: getattr(self.units, name) + getattr(other.units, name) for name in names})
        return Usage(
            self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached,
            self.cache_write + other.cache_write, self.reasoning + other.reasoning,
            self.audio_input + other.audio_input, self.audio_output + other.audio_output,
            "none" if not sources else "estimated" if "estimated" in sources else "measured",
            units, self.service or other.service,
        )  # fmt: skip


NO_USAGE = Usage()
