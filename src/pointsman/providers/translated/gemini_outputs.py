"""What a client of OpenAI's chat wants beside text, as Gemini is asked for it: sounds and images.

Sources: https://ai.google.dev/gemini-api/docs/speech-generation, https://ai.google.dev/gemini-api/docs/image-generation,
https://platform.openai.com/docs/guides/audio; https://docs.litellm.ai/docs/providers/gemini for the names that clients
of LiteLLM use. Gemini speaks in samples and in nothing else, which a WAV file can hold once all of them are there; it
says nothing beside them, so that who wants both text and sound gets sound.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.droppable import without
from pointsman.providers.translated.native_tools import IMAGE_TOOL, makes_images
from pointsman.wire.json_fields import decode_field

__all__ = ["wants_wave_file", "with_images", "with_outputs"]

_NULL: Final = msgspec.Raw(b"null")
_CONFIG: Final = "generationConfig"
_MOVED: Final = ("imageConfig", "mediaResolution", "responseModalities", "speechConfig")
"""Fields of ``generationConfig`` that clients of LiteLLM put beside the messages."""

_MODALITIES: Final = MappingProxyType({"text": "TEXT", "image": "IMAGE", "audio": "AUDIO"})
_BOTH: Final = msgspec.Raw(b'["text","image"]')
_IMAGES: Final = "image"
"""What the names of models that give images have in them: ``gemini-2.5-flash-image``."""

_RAW: Final = "pcm16"
_FILE: Final = "wav"


class _Voice(msgspec.Struct):
    """``voice`` is a name, or an object with the ``id`` of a voice of one's own."""

    voice: str | None = None
    format: str | None = None
    language_code: str | None = None


_decode_voice: Final = msgspec.json.Decoder(_Voice | None).decode
_decode_names: Final = msgspec.json.Decoder(list[str] | None).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_encode: Final = msgspec.json.Encoder().encode


def with_outputs(call: Call) -> Call:
    """The call with ``modalities``, ``audio`` and their like in ``generationConfig``.

    Raises:
        Malformed: a field is of a wrong type.
        Unsupported: Gemini has no such output; the message names the field.
    """
    moved = [name for name in ("modalities", "audio", *_MOVED) if name in call.extra]
    if not moved:
        return call
    config: dict[str, object] = dict(decode_field(_CONFIG, call.extra.get(_CONFIG, _NULL), _decode_fields) or {})
    for name in _MOVED:
        if name in call.extra:
            config.setdefault(name, call.extra[name])
    kinds = _kinds(call)
    voice = _voice(call)
    if voice is not None:
        kinds = ["AUDIO"]
        speech = _speech(voice)
        if speech:
            config.setdefault("speechConfig", speech)
    if kinds and kinds != ["TEXT"]:
        config.setdefault("responseModalities", kinds)
    extra = without(call, moved).extra
    if config:
        extra = {**extra, _CONFIG: msgspec.Raw(_encode(config))}
    return msgspec.structs.replace(call, extra=extra)


def with_images(call: Call, model: str) -> Call:
    """The call with the Responses API's tool for images as a wish for them, where the model gives images."""
    if _IMAGES not in model or not any(makes_images(tool) for tool in call.tools):
        return call
    tools = tuple(tool for tool in call.tools if not makes_images(tool))
    choice = call.tool_choice
    if choice is not None and (not tools or choice.name == IMAGE_TOOL.name):
        choice = None
    extra = {"modalities": _BOTH, **call.extra}
    return msgspec.structs.replace(call, tools=tools, tool_choice=choice, extra=extra)


def wants_wave_file(call: Call) -> bool:
    """Whether samples are to be given as a file."""
    voice = _voice(call)
    return voice is not None and voice.format == _FILE and not call.stream


def _kinds(call: Call) -> list[str]:
    names = decode_field("modalities", call.extra.get("modalities", _NULL), _decode_names) or []
    unknown = [name for name in names if name not in _MODALITIES]
    if unknown:
        raise Unsupported(f"modalities: Gemini does not answer with {unknown[0][:80]!r}.", param="modalities")
    kinds = [_MODALITIES[name] for name in dict.fromkeys(names)]
    return ["AUDIO"] if "AUDIO" in kinds else kinds


def _voice(call: Call) -> _Voice | None:
    voice: _Voice | None = decode_field("audio", call.extra.get("audio", _NULL), _decode_voice)
    if voice is None:
        return None
    if voice.format not in {None, _RAW, _FILE}:
        raise Unsupported(
            f"audio.format: Gemini speaks in {_RAW}, which can be given as {_FILE}, not in {voice.format[:80]}.",
            param="audio.format",
        )
    if voice.format == _FILE and call.stream:
        raise Malformed(f"audio.format must be {_RAW} where the answer is streamed.", param="audio.format")
    return voice


def _speech(voice: _Voice) -> dict[str, object]:
    speech: dict[str, object] = {}
    if voice.voice:
        speech["voiceConfig"] = {"prebuiltVoiceConfig": {"voiceName": voice.voice}}
    if voice.language_code:
        speech["languageCode"] = voice.language_code
    return speech
