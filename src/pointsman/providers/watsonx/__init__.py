"""IBM watsonx.ai: OpenAI's dialect under paths, names and credentials of its own."""

from __future__ import annotations

from pointsman.providers.watsonx.access import watsonx_credential, watsonx_signer
from pointsman.providers.watsonx.far import WatsonxEmbeddingFar, WatsonxFar
from pointsman.providers.watsonx.lanes import IMAGES_BY_VALUE, watsonx_lane

__all__ = [
    "IMAGES_BY_VALUE",
    "WatsonxEmbeddingFar",
    "WatsonxFar",
    "watsonx_credential",
    "watsonx_lane",
    "watsonx_signer",
]
