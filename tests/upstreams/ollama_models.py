"""The models of a fake Ollama, and what is loaded of them."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.upstreams.gate import Gate

__all__ = ["OllamaModel"]

_GIGABYTE = 1_000_000_000


class OllamaModel(msgspec.Struct):
    """One pulled model. ``context_length`` is the model's own maximum in tokens.

    ``loads`` counts how often it was loaded, ``loaded_context`` is the ``num_ctx`` it is loaded with (None: not
    loaded) and ``load_seconds`` how long a load takes; it waits for ``load_gate``, too, and ends with the request that
    it is for, so that of ``loads_begun`` not all may have come to an end. ``gpu_share`` of it is in the memory of a
    GPU. ``parameters`` is the Modelfile's, as /api/show gives it.
    """

    name: str
    context_length: int = 32_768
    capabilities: tuple[str, ...] = ("completion", "tools")
    family: str = "llama"
    parameter_size: str = "8.0B"
    quantization_level: str = "Q4_K_M"
    size: int = 5 * _GIGABYTE
    embedding_length: int = 8
    parameters: str = ""
    load_seconds: float = 0.0
    loaded_context: int | None = None
    loads: int = 0
    loads_begun: int = 0
    load_gate: Gate | None = None
    gpu_share: float = 1.0

    @property
    def tagged(self) -> str:
        """The name with its tag; ``latest`` is understood."""
        return self.name if ":" in self.name else f"{self.name}:latest"

    @property
    def digest(self) -> str:
        """Sixty-four hexadecimal digits that belong to the name."""
        return self.tagged.encode().hex().ljust(64, "0")[:64]

    def details(self) -> dict[str, Any]:
        """The ``details`` object of /api/tags, /api/ps and /api/show."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization_level,
        }

    def tag_row(self) -> dict[str, Any]:
        """The model's row in /api/tags."""
        return {
            "name": self.tagged,
            "model": self.tagged,
            "modified_at": "2026-11-01T10:00:00.000000001+01:00",
            "size": self.size,
            "digest": self.digest,
            "details": self.details(),
        }

    def running_row(self) -> dict[str, Any]:
        """The model's row in /api/ps."""
        return {
            "name": self.tagged,
            "model": self.tagged,
            "size": self.size,
            "digest": self.digest,
            "details": self.details(),
            "expires_at": "2036-11-01T10:05:00.000000001+01:00",
            "size_vram": int(self.size * self.gpu_share),
            "context_length": self.loaded_context,
        }

    def shown(self) -> dict[str, Any]:
        """The answer of /api/show."""
        shown: dict[str, Any] = {
            "license": "",
            "modelfile": f"FROM {self.name}\n",
            "template": "{{ .Prompt }}",
            "details": self.details(),
            "model_info": {
                "general.architecture": self.family,
                "general.parameter_count": 8_030_261_312,
                f"{self.family}.context_length": self.context_length,
                f"{self.family}.embedding_length": self.embedding_length,
                f"{self.family}.block_count": 32,
            },
            "capabilities": list(self.capabilities),
            "modified_at": "2026-11-01T10:00:00.000000001+01:00",
        }
        if self.parameters:
            shown["parameters"] = self.parameters
        return shown
