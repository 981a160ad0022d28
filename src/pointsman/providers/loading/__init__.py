"""Having local servers load and unload models without asking the models anything.

Reading order: ``loader`` (which way a server is asked), ``ollama``, ``lm_studio`` and ``llama_cpp`` (the ways).
"""

from __future__ import annotations

from pointsman.providers.loading.loader import ModelLoader

__all__ = ["ModelLoader"]
