"""The translated lane: client and upstream speak different dialects, and meet in the middle."""

from __future__ import annotations

from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.anthropic import AnthropicFar
from pointsman.providers.translated.clients import CLIENTS, translated_lane
from pointsman.providers.translated.gemini import GeminiFar
from pointsman.providers.translated.images import image_preparation
from pointsman.providers.translated.lane import TranslatedLane, read_call
from pointsman.providers.translated.openai import OpenAIChatClient, OpenAIChatFar, has_newer_limit
from pointsman.providers.translated.sides import ClientSide, FarSide, Reading, SseFrames, Writing
from pointsman.providers.translated.signed import SignedFar

__all__ = [
    "CLIENTS",
    "AnthropicFar",
    "ClientSide",
    "FarSide",
    "GeminiFar",
    "OpenAIChatClient",
    "OpenAIChatFar",
    "Reading",
    "SignedFar",
    "SseFrames",
    "TranslatedAnswer",
    "TranslatedLane",
    "Writing",
    "has_newer_limit",
    "image_preparation",
    "read_call",
    "translated_lane",
]
