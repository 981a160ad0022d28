"""What images, audio, moderations and rerank take and give, as far as the documentation tells.

Sources: https://platform.openai.com/docs/api-reference (images, audio, moderations) and
https://docs.cohere.com/reference/rerank. Other fields of these references are passed on to the model.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = [
    "ImageEditRequest",
    "ImageList",
    "ImageRequest",
    "ImageVariationRequest",
    "ModerationList",
    "ModerationRequest",
    "Ranking",
    "RerankRequest",
    "SpeechRequest",
    "Transcription",
    "TranscriptionRequest",
]

_File = Annotated[str, msgspec.Meta(extra_json_schema={"format": "binary"})]


class ImageRequest(msgspec.Struct, kw_only=True):
    """A picture to make."""

    model: str
    prompt: str
    n: int | None = None
    size: str | None = None
    quality: str | None = None
    response_format: str | None = None
    stream: bool = False
    partial_images: int | None = None
    user: str | None = None


class ImageEditRequest(msgspec.Struct, kw_only=True):
    """A picture to change, as a form; ``image`` and ``mask`` are files, ``image[]`` may be there several times."""

    model: str
    image: _File
    prompt: str
    mask: _File | None = None
    n: int | None = None
    size: str | None = None
    stream: bool = False
    user: str | None = None


class ImageVariationRequest(msgspec.Struct, kw_only=True):
    """A picture to vary, as a form."""

    model: str
    image: _File
    n: int | None = None
    size: str | None = None
    user: str | None = None


class ImageList(msgspec.Struct, kw_only=True):
    """Pictures, as base64 or addresses."""

    created: int
    data: list[dict[str, msgspec.Raw]]
    usage: dict[str, msgspec.Raw] | None = None


class SpeechRequest(msgspec.Struct, kw_only=True):
    """A text to say; the answer is audio."""

    model: str
    input: str
    voice: str | None = None
    response_format: str | None = None
    speed: float | None = None
    stream_format: str | None = None


class TranscriptionRequest(msgspec.Struct, kw_only=True):
    """A recording to write down, as a form."""

    model: str
    file: _File
    language: str | None = None
    prompt: str | None = None
    response_format: str | None = None
    temperature: float | None = None
    stream: bool = False


class Transcription(msgspec.Struct, kw_only=True):
    """What was said; as plain text or subtitles where ``response_format`` wants them."""

    text: str
    usage: dict[str, msgspec.Raw] | None = None


class ModerationRequest(msgspec.Struct, kw_only=True):
    """Something to judge."""

    input: str | list[msgspec.Raw]
    model: str = "omni-moderation-latest"


class ModerationList(msgspec.Struct, kw_only=True):
    """Judgements."""

    id: str
    model: str
    results: list[dict[str, msgspec.Raw]]


class RerankRequest(msgspec.Struct, kw_only=True):
    """Documents to put in order, in the form of Cohere and Jina."""

    model: str
    query: str
    documents: list[str | dict[str, msgspec.Raw]]
    top_n: int | None = None
    return_documents: bool | None = None


class Ranking(msgspec.Struct, kw_only=True):
    """Documents by relevance."""

    results: list[dict[str, msgspec.Raw]]
    id: str | None = None
    meta: dict[str, msgspec.Raw] | None = None
