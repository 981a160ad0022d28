"""Finding local model servers: Ollama, LM Studio, llama.cpp, vLLM, SGLang, and what else speaks OpenAI's API.

Reading order: ``found`` (the nouns), ``ollama`` and ``compatible`` (looking at one server), ``discovery``
(watching them all), ``deployments`` (making what was found routable).
"""

from __future__ import annotations

from pointsman.providers.discovery.deployments import aliases, deployments
from pointsman.providers.discovery.discovery import Discovery
from pointsman.providers.discovery.found import FoundHost, FoundModel, HostKind, Place, default_places, ollama_url

__all__ = [
    "Discovery",
    "FoundHost",
    "FoundModel",
    "HostKind",
    "Place",
    "aliases",
    "default_places",
    "deployments",
    "ollama_url",
]
