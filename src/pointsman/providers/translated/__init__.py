"""The translated lane: client and upstream speak different dialects, and meet in the middle."""

from __future__ import annotations

from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.anthropic import AnthropicFar
from pointsman.providers.translated.clients import CLIENTS, translated_lane
from pointsman.providers.translated.cohere import CohereFar
from pointsman.providers.translated.lane import TranslatedLane, read_call
from pointsman.providers.translated.mistral import MistralFar, mistral_lane
from pointsman.providers.translated.openai import OpenAIChatClient, OpenAIChatFar
from pointsman.providers.translated.sides import ClientSide, FarSide, Reading, SseFrames, Writing

__all__ = [
    "CLIENTS",
    "AnthropicFar",
    "ClientSide",
    "CohereFar",
    "FarSide",
    "MistralFar",
    "OpenAIChatClient",
    "OpenAIChatFar",
    "Reading",
    "SseFrames",
    "TranslatedAnswer",
    "TranslatedLane",
    "Writing",
    "mistral_lane",
    "read_call",
    "translated_lane",
]
