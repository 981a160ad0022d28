"""The sides of OpenAI's dialects of chats and embeddings."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment

__all__ = ["OpenAIChatClient", "OpenAIChatFar", "OpenAIEmbeddingClient", "OpenAIEmbeddingFar", "has_newer_limit"]

_REASONERS: Final = re.compile(r"o[1-9]\b|gpt-(?:[5-9]|1\d)\b|o_series/|gpt5_series/")
_MAKERS: Final = frozenset({"openai", "azure"})
_decode_name: Final = msgspec.json.Decoder(str).decode


def has_newer_limit(deployment: Deployment) -> bool:
    """Whether it is one of OpenAI's models that know the bound on the answer as ``max_completion_tokens`` only.

    An Azure deployment has a name of its own, so the operator may say what it is, as in LiteLLM: by its ``base_model``,
    or as ``azure/o_series/name`` and ``azure/gpt5_series/name``.
    """
    if deployment.provider not in _MAKERS:
        return False
    base = deployment.told.get("base_model")
    names = (deployment.model,) if base is None else (deployment.model, _decode_name(base).rpartition("/")[2])
    return any(_REASONERS.match(name) for name in names)
