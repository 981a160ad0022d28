"""Images in answers: ``images``, as in LiteLLM.

Source: https://openrouter.ai/docs/features/multimodal/image-generation.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.content import Image
from pointsman.core.errors import Malformed
from pointsman.dialects.openai_chat.media import read_image, url_of
from pointsman.dialects.openai_chat.types import ImagePart, RawField
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["read_images", "write_given_image"]

_decode: Final = msgspec.json.Decoder(list[ImagePart] | None).decode


def read_images(raw: RawField) -> list[Image]:
    """The images of an answer.

    Raises:
        Malformed: one is no image.
    """
    try:
        parts = (_decode(raw) or []) if isinstance(raw, msgspec.Raw) else []
    except UNREADABLE:
        raise Malformed("images of the answer cannot be read.") from None
    return [read_image(part, f"images[{index}]") for index, part in enumerate(parts)]


def write_given_image(image: Image, index: int) -> dict[str, object]:
    """An image of an answer; ``index`` is its number among them, by which SDKs put streams together."""
    return {"type": "image_url", "image_url": {"url": url_of(image)}, "index": index}
