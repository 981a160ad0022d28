"""The messages of a chat, written for Gemini.

Source: https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/thought-signatures. What system
and developer say goes before everything else, into ``systemInstruction``, wherever it stood. Neighbours of one role
become one turn, as all results of one turn's calls have to stand together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

from pointsman.core.content import (
    Audio,
    File,
    Image,
    Message,
    Refusal,
    ServerToolUse,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from pointsman.core.content import Part as AnyPart
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.gemini.given import write_given
from pointsman.dialects.gemini.signatures import PLACEHOLDER_SIGNATURE, may_be_signature, unpack_call_id
from pointsman.dialects.gemini.types import (
    Blob,
    Content,
    FileData,
    FunctionCall,
    FunctionResponse,
    GeminiTarget,
    Part,
)
from pointsman.dialects.signatures import GEMINI, is_from

__all__ = ["write_contents", "write_system"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_FILES: Final = "https://generativelanguage.googleapis.com/v1beta/"
_READ_BY_GOOGLE: Final = (
    "gs://",
    "https://generativelanguage.googleapis.com/",
    "https://www.youtube.com/",
    "https://youtu.be/",
)
"""What Gemini fetches itself by ``fileUri``."""

_UNTYPED_IMAGE: Final = "image/png"
_UNTYPED_FILE: Final = "application/pdf"
_TYPES: Final = {
    "gif": "image/gif", "heic": "image/heic", "jpeg": "image/jpeg", "jpg": "image/jpeg", "mov": "video/quicktime",
    "mp3": "audio/mpeg", "mp4": "video/mp4", "pdf": "application/pdf", "png": "image/png", "txt": "text/plain",
    "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
}  # fmt: skip
"""Media types by the ending of a name."""

_FIRST: Final = frozenset({"system", "developer"})


def write_system(messages: Iterable[Message]) -> Content | None:
    """``systemInstruction``, or None where there is none.

    Raises:
        Unsupported: it holds something else than text.
    """
    parts: list[Part] = []
    for index, message in enumerate(messages):
        for part in message.parts if message.role in _FIRST else ():
            if not isinstance(part, Text):
                place = f"messages[{index}]"
                raise Unsupported(f"{place}: Gemini takes no {type(part).__name__.lower()} there.", param=place)
            parts.append(Part(text=part.text))
    return Content(parts) if parts else None


def write_contents(messages: Iterable[Message], target: GeminiTarget) -> list[Content]:
    """``contents``: everything but what system and developer say.

    Raises:
        Malformed: a tool call's arguments are not a JSON object, or an image or document is still only a URL.
    """
    writer = _Writer(target)
    contents: list[Content] = []
    for index, message in enumerate(messages):
        if message.role in _FIRST:
            continue
        role = "model" if message.role == "assistant" else "user"
        parts = writer.write(message, f"messages[{index}]")
        last = contents[-1] if contents else None
        if last is not None and last.role == role and last.parts is not None:
            last.parts += parts
        else:
            contents.append(Content(parts, role))
    return contents


class _Writer:
    """Knows the calls so far: a result needs the name of its tool, and the id that Gemini gave."""

    def __init__(self, target: GeminiTarget) -> None:
        self._target = target
        self._names: dict[str, str] = {}

    def write(self, message: Message, path: str) -> list[Part]:
        """The parts of one message; one without any becomes an empty text, as Gemini wants some."""
        parts: list[Part] = []
        signature: str | None = None
        for position, part in enumerate(message.parts):
            place = f"{path}.content[{position}]"
            if isinstance(part, Thinking):
                signature = part.signature if is_from(part, GEMINI) else signature
            parts += self._write_part(part, place)
        if signature is not None and may_be_signature(signature):
            _sign(parts, signature)
        calls = [part for part in parts if part.function_call is not None]
        if calls and self._target.sign_missing and calls[0].thought_signature is None:
            calls[0].thought_signature = PLACEHOLDER_SIGNATURE
        return parts or [Part(text="")]

    def _write_part(self, part: AnyPart, place: str) -> list[Part]:
        match part:
            case Text() | Refusal():
                return [Part(text=part.text)] if part.text else []
            case Thinking():
                # Without a signature of its own it is another provider's, of which Gemini would make nothing.
                return [Part(text=part.text, thought=True)] if part.text and is_from(part, GEMINI) else []
            case Image():
                return [_media(part, _UNTYPED_IMAGE, f"{place}.image_url")]
            case Audio():
                return [Part(inline_data=Blob(f"audio/{part.format}", part.data))]
            case File():
                return [_file(part, f"{place}.file")]
            case ServerToolUse():
                return write_given(part)
            case ToolCall():
                return [self._call(part, place)]
            case ToolResult():
                return [self._result(part, place)]
            case _:
                assert_never(part)

    def _call(self, call: ToolCall, place: str) -> Part:
        self._names[call.id] = call.name
        call_id, packed = unpack_call_id(call.id)
        function = FunctionCall(call.name, _arguments(call, place), self._id(call_id))
        return Part(function_call=function, thought_signature=call.signature or packed)

    def _result(self, result: ToolResult, place: str) -> Part:
        texts = [part.text for part in result.parts if isinstance(part, Text)]
        texts += [part.text for part in result.parts if isinstance(part, File) and part.text is not None]
        media = [
            part
            for one in result.parts
            if not isinstance(one, Text) and not (isinstance(one, File) and one.text is not None)
            for part in self._write_part(one, place)
        ]
        response = FunctionResponse(
            result.name or self._names.get(result.call_id, ""),
            _response("\n".join(texts), is_error=result.is_error),
            self._id(unpack_call_id(result.call_id)[0]),
            media or None,
        )
        return Part(function_response=response)

    def _id(self, call_id: str) -> str | None:
        return call_id if self._target.call_ids and call_id else None


def _sign(parts: list[Part], signature: str) -> None:
    """Put the signature of a whole answer where Gemini had it: on its last text."""
    texts = [part for part in parts if part.text is not None and not part.thought]
    if texts:
        texts[-1].thought_signature = signature
    elif not any(part.function_call is not None for part in parts):
        parts.append(Part(text="", thought_signature=signature))


def _media(media: Image | File, untyped: str, place: str) -> Part:
    if media.data is not None:
        return Part(inline_data=Blob(media.media_type or untyped, media.data))
    url = media.url
    if url is not None and url.startswith(_READ_BY_GOOGLE):
        return Part(file_data=FileData(url, media.media_type or _type_of(url)))
    raise Malformed(
        f"{place} is a URL that Gemini does not fetch.",
        hint="Send the content itself as a data: URL.",
        param=place,
        code="remote_image_refused",
    )


def _type_of(url: str) -> str | None:
    """What the name of a bucket's object says of it; Vertex AI does not look for itself."""
    ending = url.rpartition("/")[2].rpartition(".")[2].lower()
    return _TYPES.get(ending) if url.startswith("gs://") else None


def _file(file: File, place: str) -> Part:
    if file.text is not None:
        return Part(text=file.text)
    if file.data is None and file.file_id is not None:
        uri = _FILES + file.file_id if file.file_id.startswith("files/") else file.file_id
        return Part(file_data=FileData(uri, file.media_type))
    return _media(file, _UNTYPED_FILE, place)


def _arguments(call: ToolCall, place: str) -> msgspec.Raw:
    """JSON text as a JSON object; no text at all is how a call without arguments is often written."""
    if not call.arguments.strip():
        return msgspec.Raw(b"{}")
    try:
        return msgspec.Raw(_encode(_decode_object(call.arguments)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Malformed(f"{place}: the arguments of a tool call must be a JSON object.", param=place) from None


def _response(text: str, *, is_error: bool) -> msgspec.Raw:
    """What a tool gave as an object: itself, if it is one, else as its ``output`` or ``error``."""
    if not is_error:
        try:
            return msgspec.Raw(_encode(_decode_object(text)))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass
    return msgspec.Raw(_encode({"error" if is_error else "output": text.encode("utf-8", "replace").decode()}))
