"""An answer that was cut off."""

from __future__ import annotations

import msgspec

from pointsman.core.usage import Usage
from pointsman.providers.translated.sides import EventWriter

__all__ = ["Cut"]


class Cut(msgspec.Struct, frozen=True):
    """The client has ``text``, told by ``writer``, which goes on; ``usage`` is what it took."""

    text: str
    writer: EventWriter
    usage: Usage
