"""What comes whole in an answer: code that Google ran, images, sounds.

Sources: https://ai.google.dev/api/caching#ExecutableCode and #CodeExecutionResult,
https://ai.google.dev/gemini-api/docs/image-generation, https://ai.google.dev/gemini-api/docs/speech-generation.
"""

from __future__ import annotations

import re
from typing import Final

from pointsman.core.content import Audio, Image, ServerToolUse
from pointsman.dialects.gemini.types import Blob, CodeExecutionResult, ExecutableCode, FileData, Part
from pointsman.wire.base64_text import image_media_type
from pointsman.wire.waves import wave_file

__all__ = ["DIALECT", "read_code", "read_media", "with_result", "write_given"]

DIALECT: Final = "gemini"

_OK: Final = "OUTCOME_OK"
_FAILED: Final = "OUTCOME_FAILED"
_PYTHON: Final = "PYTHON"
_IMAGE: Final = "image/"
_AUDIO: Final = "audio/"
_SAMPLES: Final = ("audio/l16", "audio/pcm")
_RATE: Final = re.compile(r"rate=(\d{4,6})")
_USUAL_RATE: Final = 24_000


def read_code(code: ExecutableCode, use_id: str, at: int = 0) -> ServerToolUse:
    """Code that was run, before its result has come."""
    language = (code.language or _PYTHON).lower()
    return ServerToolUse(use_id, "code", code.code, language, at=at, dialect=DIALECT)


def with_result(use: ServerToolUse | None, result: CodeExecutionResult, use_id: str, at: int = 0) -> ServerToolUse:
    """The same with its result; None: there was no code before it."""
    told = use or ServerToolUse(use_id, "code", at=at, dialect=DIALECT)
    failed = result.outcome not in {_OK, None}
    return ServerToolUse(
        told.id, told.kind, told.input, told.language, result.output or "", failed, at=told.at, dialect=DIALECT
    )


def read_media(blob: Blob, *, wave_files: bool = False) -> Image | Audio | None:
    """An image or a sound of an answer; None: it is something else.

    ``wave_files``: samples are wanted as a file.
    """
    kind = blob.mime_type.lower()
    data = blob.data.replace("-", "+").replace("_", "/")
    if kind.startswith(_IMAGE):
        return Image(data, kind)
    if not kind.startswith(_AUDIO):
        return None
    if wave_files and kind.startswith(_SAMPLES):
        try:
            return Audio(wave_file(data, _rate(kind)), "wav")
        except ValueError:
            return None
    return Audio(data, blob.mime_type[len(_AUDIO) :])


def _rate(kind: str) -> int:
    """How many samples a second has, as ``audio/L16;codec=pcm;rate=24000`` says."""
    found = _RATE.search(kind)
    return int(found[1]) if found else _USUAL_RATE


def write_given(part: Image | Audio | ServerToolUse) -> list[Part]:
    """The parts; none for a tool that Gemini has no parts for."""
    match part:
        case Image(data=str() as data):
            return [Part(inline_data=Blob(part.media_type or image_media_type(data) or "image/png", data))]
        case Image():
            return [Part(file_data=FileData(part.url or "", part.media_type))]
        case Audio():
            return [Part(inline_data=Blob(f"{_AUDIO}{part.format}", part.data))]
        case ServerToolUse(kind="code"):
            parts = [Part(executable_code=ExecutableCode(part.input, _language(part.language)))] if part.input else []
            if part.output is not None:
                outcome = _FAILED if part.failed else _OK
                parts.append(Part(code_execution_result=CodeExecutionResult(part.output, outcome)))
            return parts
        case _:
            return []


def _language(said: str | None) -> str:
    """Gemini knows Python, and what is not said."""
    return _PYTHON if said in {None, "python"} else "LANGUAGE_UNSPECIFIED"
