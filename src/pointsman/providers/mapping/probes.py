"""What a probe is, and the values that the catalogues have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

__all__ = ["DOCUMENT", "PIXEL", "SCHEMA", "Kind", "Probe", "contents", "parameters"]

Kind = Literal["parameter", "content"]

DOCUMENT: Final = "JVBERi0xLjQK"
PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel, as base64."""

SCHEMA: Final = (
    '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
)


class Probe(msgspec.Struct, frozen=True):
    """One thing that a client can say. ``says`` and ``beside`` are JSON objects laid over a dialect's plainest request.

    ``beside`` is what must be there for ``says`` to have a meaning, so it is in the request that is compared with, too.
    A name is that of the parameter, or of the content, and after a colon which of its values.
    """

    name: str
    says: str
    beside: str = "{}"
    kind: Kind = "parameter"

    @property
    def parameter(self) -> str:
        """The name without the value."""
        return self.name.partition(":")[0]


def parameters(pairs: Iterable[tuple[str, str]], beside: str = "{}") -> tuple[Probe, ...]:
    """A probe for each name of a top-level field and its value as JSON; what is behind a colon tells values apart."""
    return tuple(Probe(name, f'{{"{name.partition(":")[0]}":{value}}}', beside) for name, value in pairs)


def contents(field: str, pairs: Iterable[tuple[str, str]], beside: str = "{}") -> tuple[Probe, ...]:
    """A probe for each kind of content: what it is, and the value of ``field`` with it."""
    return tuple(Probe(name, f'{{"{field}":{value}}}', beside, "content") for name, value in pairs)
