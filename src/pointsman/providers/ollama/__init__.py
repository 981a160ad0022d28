"""Ollama as an upstream, over its native API: ``/api/chat``, ``/api/generate``, ``/api/embed``.

Reading order: ``control`` (asking about models), ``facts`` (remembering the answers), ``context`` (sizing the
context window), ``prompt`` (how long a prompt is), ``abilities`` and ``images`` (what a model can take),
``answers`` (reading what comes back), ``lanes`` (all of it together).
"""

from __future__ import annotations

from pointsman.providers.ollama.context import ContextWindows
from pointsman.providers.ollama.control import Fetcher, OllamaControl, OllamaFacts
from pointsman.providers.ollama.facts import OllamaFactsCache
from pointsman.providers.ollama.lanes import ChatLane, CompletionLane, EmbeddingLane, OllamaServices, ollama_lane

__all__ = [
    "ChatLane",
    "CompletionLane",
    "ContextWindows",
    "EmbeddingLane",
    "Fetcher",
    "OllamaControl",
    "OllamaFacts",
    "OllamaFactsCache",
    "OllamaServices",
    "ollama_lane",
]
