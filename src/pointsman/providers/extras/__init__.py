"""Pictures and rankings of providers that have them in words of their own, for clients of OpenAI's and Cohere's."""

from __future__ import annotations

from pointsman.providers.extras.bedrock_pictures import BedrockPictures
from pointsman.providers.extras.gemini_pictures import GeminiPictures
from pointsman.providers.extras.imagen import ImagenPictures, is_imagen
from pointsman.providers.extras.lane import ExtrasFar, SignedExtrasFar, TranslatedExtrasLane
from pointsman.providers.extras.ranking import BedrockRanking, VertexRanking

__all__ = [
    "BedrockPictures",
    "BedrockRanking",
    "ExtrasFar",
    "GeminiPictures",
    "ImagenPictures",
    "SignedExtrasFar",
    "TranslatedExtrasLane",
    "VertexRanking",
    "is_imagen",
]
