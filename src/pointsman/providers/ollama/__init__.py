"""Ollama as an upstream, over its native API: ``/api/chat``, ``/api/generate``, ``/api/embed``.

Reading order: ``control`` (asking about models), ``facts`` (remembering the answers), ``context`` (sizing the
context window), ``abilities`` (what a model can take), ``answers`` (reading what comes back), ``lanes`` (all of it
together), ``management`` (pulling and deleting models, where that is allowed).
"""

from __future__ import annotations

from pointsman.providers.ollama.context import ContextWindows
from pointsman.providers.ollama.control import OllamaControl, OllamaFacts
from pointsman.providers.ollama.facts import OllamaFactsCache
from pointsman.providers.ollama.lanes import ChatLane, CompletionLane, EmbeddingLane, OllamaServices, ollama_lane
from pointsman.providers.ollama.management import HostAnswer, OllamaManagement, management_hosts

__all__ = [
    "ChatLane",
    "CompletionLane",
    "ContextWindows",
    "EmbeddingLane",
    "HostAnswer",
    "OllamaControl",
    "OllamaFacts",
    "OllamaFactsCache",
    "OllamaManagement",
    "OllamaServices",
    "management_hosts",
    "ollama_lane",
]
