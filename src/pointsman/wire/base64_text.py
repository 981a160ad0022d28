"""Base64 inside JSON (RFC 4648, section 4): checked, and looked into as far as its first bytes tell what it is.

An upstream's complaint about bad base64 would not tell which part of which message it means.
"""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Malformed

__all__ = ["image_media_type", "read_base64"]

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WHITE_SPACE: Final = b" \t\r\n"

_IMAGE_BEGINNINGS: Final = (
    ("iVBORw0KGg", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("Qk", "image/bmp"),
)
"""How the signatures of image formats begin in base64; of the RIFF formats only WebP is an image."""


def read_base64(text: str, place: str) -> str:
    """Checked base64 without white space, padded: strict decoders want the padding that some clients leave out.

    Raises:
        Malformed: it is empty or not base64; ``place`` is the path of the field.
    """
    raw = text.encode("ascii", "replace")
    rest = raw.translate(None, _ALPHABET)
    if rest.strip(b"="):
        if rest.translate(None, _WHITE_SPACE + b"="):
            raise Malformed(f"{place} is not valid base64.", param=place)
        raw = raw.translate(None, _WHITE_SPACE)
    raw = raw.rstrip(b"=")
    if not raw:
        raise Malformed(f"{place} must not be empty.", param=place)
    if b"=" in raw or len(raw) % 4 == 1:
        raise Malformed(f"{place} is not valid base64.", param=place)
    return (raw + b"=" * (-len(raw) % 4)).decode("ascii")


def image_media_type(data: str) -> str | None:
    """The media type of an image in base64, where its first bytes tell."""
    return next((kind for beginning, kind in _IMAGE_BEGINNINGS if data.startswith(beginning)), None)
