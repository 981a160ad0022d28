"""Pictures and rankings of providers that have them in words of their own, for clients of OpenAI's and Cohere's."""

from __future__ import annotations

from pointsman.providers.extras.gemini_pictures import GeminiPictures
from pointsman.providers.extras.imagen import ImagenPictures, is_imagen
from pointsman.providers.extras.lane import ExtrasFar, SignedExtrasFar, TranslatedExtrasLane

__all__ = [
    "ExtrasFar",
    "GeminiPictures",
    "ImagenPictures",
    "SignedExtrasFar",
    "TranslatedExtrasLane",
    "is_imagen",
]
