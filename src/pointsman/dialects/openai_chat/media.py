"""Images, sounds and documents inside messages: ``data:`` URLs taken apart and put together."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from pointsman.core.content import Audio, File, Image
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.openai_chat.types import (
    AudioPart,
    FileFields,
    FilePart,
    ImageFields,
    ImagePart,
    InputAudio,
    TextPart,
    VideoFields,
    VideoPart,
)
from pointsman.wire.base64_text import image_media_type, read_base64
from pointsman.wire.data_urls import is_data_url, read_data_url

__all__ = ["read_audio", "read_file", "read_image", "read_video", "url_of", "write_audio", "write_file", "write_image"]

_WEB: Final = ("http://", "https://")
_VIDEOS: Final = MappingProxyType({
    "mov": "video/quicktime", "mpeg": "video/mpeg", "mpg": "video/mpeg", "webm": "video/webm", "wmv": "video/x-ms-wmv",
    "avi": "video/x-msvideo", "3gp": "video/3gpp", "flv": "video/x-flv", "mkv": "video/x-matroska",
})  # fmt: skip
"""By the ends of names."""


def read_image(part: ImagePart, path: str) -> Image:
    """An image; ``path`` is the part's, for the error.

    Raises:
        Malformed: the URL is neither http(s) nor a ``data:`` URL with a base64 image.
    """
    fields = part.image_url
    place = f"{path}.image_url"
    if isinstance(fields, str):
        fields = ImageFields(fields)
    else:
        place += ".url"
    if is_data_url(fields.url):
        media_type, data = read_data_url(fields.url, place)
        if not media_type.startswith("image/"):
            raise Malformed(f"{place} must be an image, not {media_type or 'untyped data'}.", param=place)
        return Image(data=data, media_type=media_type, detail=fields.detail)
    if fields.url[:8].lower().startswith(_WEB):
        return Image(url=fields.url, detail=fields.detail)
    raise Malformed(
        f"{place} must be an http(s) URL or a data: URL.",
        hint="Send the image as data:image/png;base64,… .",
        param=place,
    )


def read_audio(part: AudioPart, path: str) -> Audio:
    """A sound.

    Raises:
        Malformed: its data is not base64.
    """
    sound = part.input_audio
    return Audio(data=read_base64(sound.data, f"{path}.input_audio.data"), format=sound.format)


def read_file(part: FilePart, path: str) -> File:
    """A document. As in LiteLLM, an address can stand in place of an id, and ``format`` be its media type.

    Raises:
        Malformed: it has neither data nor an id, or its data is not base64.
    """
    fields = part.file
    if fields.file_data is None:
        if fields.file_id is None:
            raise Malformed(f"{path}.file must have file_data or file_id.", param=f"{path}.file")
        if fields.file_id[:8].lower().startswith(_WEB):
            return File(url=fields.file_id, filename=fields.filename, media_type=fields.format)
        return File(file_id=fields.file_id, filename=fields.filename)
    place = f"{path}.file.file_data"
    media_type: str | None = None
    data = fields.file_data
    if is_data_url(data):
        media_type, data = read_data_url(data, place)
    else:
        data = read_base64(data, place)
    return File(data=data, file_id=fields.file_id, filename=fields.filename, media_type=media_type or None)


def read_video(part: VideoPart, path: str) -> File:
    """A film, as a file of its type; one that lies elsewhere is taken for MP4 unless its name says otherwise.

    Raises:
        Malformed: the URL is neither http(s) nor a ``data:`` URL with a film.
    """
    fields = part.video_url
    url, place = (fields, f"{path}.video_url") if isinstance(fields, str) else (fields.url, f"{path}.video_url.url")
    if is_data_url(url):
        media_type, data = read_data_url(url, place)
        if not media_type.startswith("video/"):
            raise Malformed(f"{place} must be a video, not {media_type or 'untyped data'}.", param=place)
        return File(data=data, media_type=media_type)
    if url[:8].lower().startswith(_WEB):
        kind = _VIDEOS.get(url.partition("?")[0].rpartition(".")[2].lower(), "video/mp4")
        return File(url=url, media_type=kind)
    raise Malformed(f"{place} must be an http(s) URL or a data: URL.", param=place)


def write_image(image: Image) -> ImagePart:
    """The part for an image."""
    return ImagePart(ImageFields(url_of(image), image.detail))


def url_of(image: Image) -> str:
    """Its address, a ``data:`` URL where it is here."""
    if image.data is None:
        return image.url or ""
    return f"data:{image.media_type or image_media_type(image.data) or 'image/png'};base64,{image.data}"


def write_audio(audio: Audio) -> AudioPart:
    """The part for a sound."""
    return AudioPart(InputAudio(audio.data, audio.format))


def write_file(file: File, path: str) -> FilePart | TextPart | VideoPart:
    """The part for a document; one that is plain text is told as text, and a film as those servers know it that do.

    Raises:
        Unsupported: it is a sound that lies elsewhere.
    """
    kind = file.media_type or ""
    if kind.startswith("video/") and (file.url or file.data):
        return VideoPart(VideoFields(file.url or f"data:{kind};base64,{file.data}"))
    if file.url is not None and kind.startswith("audio/"):
        raise Unsupported(f"{path}: OpenAI's chat has no part for {file.media_type} by its address.", param=path)
    if file.text is not None:
        return TextPart(file.text)
    prefix = "" if file.media_type is None else f"data:{file.media_type};base64,"
    data = None if file.data is None else prefix + file.data
    return FilePart(FileFields(data, file.file_id or file.url, file.filename))
