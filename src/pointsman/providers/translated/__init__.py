"""The translated lane: client and upstream speak different dialects, and meet in the middle."""

from __future__ import annotations

from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.clients import CLIENTS
from pointsman.providers.translated.lane import TranslatedLane, read_call
from pointsman.providers.translated.openai import OpenAIChatClient, OpenAIChatFar
from pointsman.providers.translated.sides import ClientSide, FarSide, Reading, SseFrames, Writing

__all__ = [
    "CLIENTS",
    "ClientSide",
    "FarSide",
    "OpenAIChatClient",
    "OpenAIChatFar",
    "Reading",
    "SseFrames",
    "TranslatedAnswer",
    "TranslatedLane",
    "Writing",
    "read_call",
]
