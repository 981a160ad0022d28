"""Images, sounds and documents inside items, to and from the common vocabulary.

Source: https://platform.openai.com/docs/api-reference/responses/create (input: input_image, input_file, input_audio).
"""

from __future__ import annotations

from pointsman.core.content import Audio, File, Image
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.documents import demand_document
from pointsman.dialects.openai_responses.types import InputAudioPart, InputFilePart, InputImagePart
from pointsman.wire.base64_text import read_base64
from pointsman.wire.data_urls import is_data_url, read_data_url

__all__ = ["read_audio", "read_file", "read_image", "write_file", "write_image"]


def read_image(part: InputImagePart, path: str) -> Image:
    """An image; ``path`` is the part's, for the error.

    Raises:
        Malformed: there is no URL, or it is neither http(s) nor a ``data:`` URL with a base64 image.
        Unsupported: it is named by the id of an upload.
    """
    place = f"{path}.image_url"
    url = part.image_url
    if url is None:
        if part.file_id is not None:
            raise Unsupported(
                f"{path}.file_id: images that were uploaded before are not supported.",
                hint="Send the image itself as image_url.",
                param=f"{path}.file_id",
            )
        raise Malformed(f"{place} is required.", param=place)
    if is_data_url(url):
        media_type, data = read_data_url(url, place)
        if not media_type.startswith("image/"):
            raise Malformed(f"{place} must be an image, not {media_type or 'untyped data'}.", param=place)
        return Image(data=data, media_type=media_type, detail=part.detail)
    _demand_http(url, place, "Send the image as data:image/png;base64,… .")
    return Image(url=url, detail=part.detail)


def read_file(part: InputFilePart, path: str) -> File:
    """A document.

    Raises:
        Malformed: it has neither data nor a URL nor an id, or its data is not base64.
    """
    if part.file_data is not None:
        place = f"{path}.file_data"
        media_type, data = "", part.file_data
        if is_data_url(data):
            media_type, data = read_data_url(data, place)
        else:
            data = read_base64(data, place)
        return File(data=data, file_id=part.file_id, filename=part.filename, media_type=media_type or None)
    if part.file_url is not None:
        _demand_http(part.file_url, f"{path}.file_url", "Send the document as file_data.")
    elif part.file_id is None:
        raise Malformed(f"{path} must have file_data, file_url or file_id.", param=path)
    return File(file_id=part.file_id, filename=part.filename, url=part.file_url)


def read_audio(part: InputAudioPart, path: str) -> Audio:
    """A sound.

    Raises:
        Malformed: its data is not base64.
    """
    sound = part.input_audio
    return Audio(data=read_base64(sound.data, f"{path}.input_audio.data"), format=sound.format)


def write_image(image: Image) -> InputImagePart:
    """The part for an image."""
    url = image.url if image.data is None else f"data:{image.media_type or 'image/png'};base64,{image.data}"
    return InputImagePart(image_url=url, detail=image.detail)


def write_file(file: File, path: str = "input") -> InputFilePart:
    """The part for a document.

    Raises:
        Unsupported: it is a film or a sound.
    """
    demand_document(file.media_type, path, "OpenAI's Responses API")
    prefix = "" if file.media_type is None else f"data:{file.media_type};base64,"
    data = None if file.data is None else prefix + file.data
    return InputFilePart(data, file.file_id, file.url, file.filename)


def _demand_http(url: str, place: str, hint: str) -> None:
    if not url[:8].lower().startswith(("http://", "https://")):
        raise Malformed(f"{place} must be an http(s) URL or a data: URL.", hint=hint, param=place)
