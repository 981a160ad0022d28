"""Finding local model servers: Ollama, LM Studio, llama.cpp, vLLM, SGLang, and what else speaks OpenAI's API.

Reading order: ``found`` (the nouns), ``ollama`` and ``compatible`` (looking at one server), ``discovery``
(watching them all), ``deployments`` (making what was found routable); then ``state`` (what a server has in memory and
has to do) and ``watching`` (looking after that, for found and configured servers alike).
"""

from __future__ import annotations

from pointsman.providers.discovery.deployments import aliases, deployments
from pointsman.providers.discovery.discovery import Discovery
from pointsman.providers.discovery.found import FoundHost, FoundModel, HostKind, Place, default_places, ollama_url
from pointsman.providers.discovery.state import InMemory, ServerState
from pointsman.providers.discovery.watching import POLL_SECONDS, FleetWatch, Pause, Report, Watched

__all__ = [
    "POLL_SECONDS",
    "Discovery",
    "FleetWatch",
    "FoundHost",
    "FoundModel",
    "HostKind",
    "InMemory",
    "Pause",
    "Place",
    "Report",
    "ServerState",
    "Watched",
    "aliases",
    "default_places",
    "deployments",
    "ollama_url",
]
