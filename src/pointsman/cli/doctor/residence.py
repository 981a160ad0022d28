"""What an Ollama holds in memory: whether the model fits the GPU, and how long a prompt it takes now."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Deployment
from pointsman.providers.health import Hop, failed_hop
from pointsman.providers.ollama import OllamaControl
from pointsman.providers.ollama.control import LoadedModel, OllamaFacts, facts_of

__all__ = ["residence"]

_GIGABYTE: Final = 1e9
_SPILL_HINT: Final = (
    "It is slow like this: lower num_ctx, take a smaller model, or unload others (ollama ps, ollama stop)."
)


async def residence(deployment: Deployment, control: OllamaControl) -> tuple[Hop, ...]:
    """The hop of its memory, and further warnings. Nothing is loaded for it."""
    try:
        shown = await control.show(deployment.model)
        running = await control.loaded()
    except GatewayError as error:
        return (failed_hop("memory", error),)
    facts = facts_of(shown)
    names = {deployment.model, f"{deployment.model}:latest"}
    loaded = next((model for model in running if model.name in names), None)
    hops = [_fit(loaded, facts)]
    hops += _window(deployment, facts, loaded)
    hops += _purpose(deployment, facts)
    return tuple(hops)


def _fit(loaded: LoadedModel | None, facts: OllamaFacts) -> Hop:
    if facts.remote:
        return Hop("memory", "ok", "It runs in Ollama's cloud, so nothing is loaded here.")
    longest = f"; it can take up to {facts.context_tokens} tokens" if facts.context_tokens else ""
    if loaded is None:
        return Hop("memory", "ok", f"It is not in memory: the first request loads it{longest}.")
    size = loaded.size / _GIGABYTE
    window = f", for {loaded.context_length} tokens" if loaded.context_length else ""
    if loaded.size and not loaded.size_vram:
        return Hop("memory", "warning", f"It is in memory ({size:.1f} GB{window}) and runs on the CPU.", _SPILL_HINT)
    if loaded.size_vram < loaded.size:
        told = f"Only {loaded.size_vram / _GIGABYTE:.1f} of {size:.1f} GB{window} are in the GPU's memory."
        return Hop("memory", "warning", told, _SPILL_HINT)
    return Hop("memory", "ok", f"It is in the GPU's memory ({size:.1f} GB{window}){longest}.")


def _window(deployment: Deployment, facts: OllamaFacts, loaded: LoadedModel | None) -> list[Hop]:
    most, wanted = facts.context_tokens, deployment.num_ctx
    if most is not None and wanted is not None and wanted > most:
        told = f"num_ctx is {wanted}, but the model takes {most} tokens at most."
        return [Hop("memory", "warning", told, f"Set litellm_params.num_ctx to {most} or less.")]
    if loaded is not None and wanted is not None and loaded.context_length not in {0, wanted}:
        told = f"It was loaded for {loaded.context_length} tokens by somebody else; num_ctx {wanted} loads it anew."
        return [Hop("memory", "warning", told, "Let all programs use the same num_ctx, or go through the gateway.")]
    return []


def _purpose(deployment: Deployment, facts: OllamaFacts) -> list[Hop]:
    abilities = facts.capabilities
    if not abilities:
        return []
    embeds_only = "embedding" in abilities and "completion" not in abilities
    if embeds_only and deployment.mode != "embedding":
        return [Hop("model", "warning", "It only makes embeddings.", "Set model_info.mode to embedding.")]
    if not embeds_only and deployment.mode == "embedding":
        return [Hop("model", "warning", "It is no embedding model.", "Set model_info.mode to chat.")]
    return []
