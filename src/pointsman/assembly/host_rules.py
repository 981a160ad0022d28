"""What ``pointsman.local_hosts`` says, by the address of each host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pointsman.config.sections import LocalHost
from pointsman.providers.discovery import HostKind, Place
from pointsman.routing.hosts import HostRules, address_of

__all__ = ["KINDS", "host_rules", "local_places", "num_ctx_max"]

KINDS: Final[Mapping[str, HostKind]] = {
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "lm_studio": "lm_studio",
    "llama_cpp": "llama_cpp",
    "llamafile": "llama_cpp",
    "hosted_vllm": "vllm",
    "vllm": "vllm",
    "sglang": "sglang",
}
"""By LiteLLM's name of the provider; of any other it is found out."""


def host_rules(hosts: Iterable[LocalHost]) -> dict[str, HostRules]:
    """What the operator says of each host, by its address."""
    return {
        address_of(host.api_base): HostRules(
            KINDS.get(host.provider or "", "openai") if host.provider else "",
            host.slots,
            host.queue_max,
            host.weight,
            host.num_ctx_max,
        )
        for host in hosts
    }


def local_places(hosts: Iterable[LocalHost]) -> tuple[Place, ...]:
    """Where the hosts are whose models are to be found."""
    return tuple(
        Place(
            address_of(host.api_base),
            "ollama" if KINDS.get(host.provider or "") == "ollama" else "openai",
            given=True,
        )
        for host in hosts
    )


def num_ctx_max(api_base: str, rules: Mapping[str, HostRules], usual: int | None) -> int | None:
    """The longest context that a host's models are to be loaded with; None: as long as they can have."""
    own = rules.get(address_of(api_base)) if rules else None
    return usual if own is None or own.num_ctx_max is None else own.num_ctx_max
