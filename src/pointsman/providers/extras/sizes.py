"""Pixels as the aspect ratios and grades that some makers of pictures have in their place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

__all__ = ["GEMINI_RATIOS", "IMAGEN_RATIOS", "STABILITY_RATIOS", "grade_of", "nearest_ratio"]

IMAGEN_RATIOS: Final = ("1:1", "3:4", "4:3", "9:16", "16:9")
"""https://cloud.google.com/vertex-ai/generative-ai/docs/image/configure-aspect-ratio"""

GEMINI_RATIOS: Final = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
"""https://ai.google.dev/gemini-api/docs/image-generation#aspect_ratios"""

STABILITY_RATIOS: Final = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
"""https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-diffusion-stable-image-core-text-image-request-response.html"""

_GRADES: Final = ((1536, "1K"), (3072, "2K"))
"""The side of a square below which a grade is the nearest."""


def nearest_ratio(size: tuple[int, int], ratios: Iterable[str]) -> str:
    """The ratio that a width and a height come closest to, too wide being as bad as too narrow."""
    wanted = size[0] / size[1]
    return min(ratios, key=lambda ratio: abs(math.log(_value(ratio) / wanted)))


def grade_of(size: tuple[int, int]) -> str:
    """The nearest of ``1K``, ``2K`` and ``4K``, by the number of pixels."""
    side = math.sqrt(size[0] * size[1])
    return next((grade for bound, grade in _GRADES if side < bound), "4K")


def _value(ratio: str) -> float:
    width, height = ratio.split(":")
    return int(width) / int(height)
