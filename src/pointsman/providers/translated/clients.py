"""The client dialects in which conversations are held, by the operation that their routes ask for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.core.upstream import Operation
from pointsman.providers.translated.openai import OpenAIChatClient
from pointsman.providers.translated.sides import ClientSide

__all__ = ["CLIENTS"]

CLIENTS: Final[Mapping[Operation, ClientSide]] = MappingProxyType({
    Operation.CHAT: OpenAIChatClient(),
})  # fmt: skip
