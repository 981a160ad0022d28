"""Pictures of Gemini's models, by ``generateContent``: https://ai.google.dev/gemini-api/docs/image-generation."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Broken, UpstreamFailed
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.gemini.errors import read_error
from pointsman.dialects.gemini.types import ModalityCount, UsageMetadata
from pointsman.dialects.gemini.usage import read_usage
from pointsman.providers.extras.pictures import (
    PictureCall,
    PictureTokens,
    camel,
    demand_sayable,
    no_pictures,
    read_picture_call,
    whole_number,
    write_pictures,
)
from pointsman.providers.extras.sizes import GEMINI_RATIOS, grade_of, nearest_ratio
from pointsman.providers.translated.gemini import PathOf
from pointsman.wire.json_fields import decode_field

__all__ = ["GeminiPictures"]

_NAME: Final = "Gemini"
_IN_CONFIG: Final = frozenset({"seed", "temperature", "topK", "topP"})
_IN_IMAGE: Final = frozenset({"aspectRatio", "imageSize", "personGeneration"})
_IN_BODY: Final = frozenset({"safetySettings", "toolConfig", "tools"})
_FIXED_SIZE: Final = ("2.5-flash", "2.0-flash", "flash-lite")
"""Models that have one grade of size only have this in their names."""

_FORMATS: Final = MappingProxyType({b'"png"': "image/png", b'"jpeg"': "image/jpeg"})
_FORMAT, _COMPRESSION = "output_format", "output_compression"
_WORDS_MAX: Final = 500
_ENDED_WELL: Final = frozenset({None, "STOP", "FINISH_REASON_UNSPECIFIED"})


class _Blob(msgspec.Struct, rename="camel"):
    data: str = ""


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    inline_data: _Blob | None = None
    thought: bool = False


class _Content(msgspec.Struct):
    parts: list[_Part] = []


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content = msgspec.field(default_factory=_Content)
    finish_reason: str | None = None
    finish_message: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Reply(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] = []
    prompt_feedback: _Feedback | None = None
    usage_metadata: UsageMetadata | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode
_encode: Final = msgspec.json.Encoder().encode
_text: Final = msgspec.json.Decoder(str).decode
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class GeminiPictures:
    """See :class:`pointsman.providers.extras.lane.ExtrasFar`.

    ``chooses_format``: whether the format of the pictures can be chosen, as on Vertex AI.
    """

    def __init__(self, path_of: PathOf, model: str, *, chooses_format: bool, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path_of = path_of
        self._model = model
        self._chooses_format = chooses_format
        self._clock = clock

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = read_picture_call(ask, deployment)
        body = self._body(call, deployment)
        parts: list[object] = [
            {"inlineData": {"mimeType": picture.mime_type, "data": picture.data}} for picture in call.images
        ]
        parts.append({"text": call.prompt})
        body["contents"] = [{"role": "user", "parts": parts}]
        return Outbound(self._path_of(deployment, "generateContent"), _encode(body))

    def read(self, body: bytes, ask: Ask) -> bytes:
        """See the protocol."""
        try:
            reply = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Broken("Gemini's answer cannot be read.") from None
        parts = [part for candidate in reply.candidates for part in candidate.content.parts if not part.thought]
        made = [part.inline_data.data for part in parts if part.inline_data is not None and part.inline_data.data]
        if not made:
            raise _nothing_made(reply, parts)
        return write_pictures(made, int(self._clock.wall()), _tokens(reply.usage_metadata))

    def read_error(self, status: int, body: bytes) -> UpstreamFailed:
        """See the protocol."""
        return read_error(status, body, self._model)

    def _body(self, call: PictureCall, deployment: Deployment) -> dict[str, object]:
        """All but the prompt.

        Raises:
            Malformed, Unsupported: the message names the field.
        """
        config: dict[str, object] = {"responseModalities": ["TEXT", "IMAGE"]}
        if call.count > 1:
            config["candidateCount"] = call.count
        image: dict[str, object] = {}
        if call.size is not None:
            image["aspectRatio"] = nearest_ratio(call.size, GEMINI_RATIOS)
            if grade_of(call.size) != "1K" and not any(name in self._model for name in _FIXED_SIZE):
                image["imageSize"] = grade_of(call.size)
        left = dict(call.extra)
        output = self._output(left)
        if output:
            image["imageOutputOptions"] = output
        body: dict[str, object] = {"generationConfig": config}
        foreign = ["mask"] if call.mask is not None else []
        for name, raw in left.items():
            own = camel(name)
            if own in _IN_IMAGE:
                image[own] = raw
            elif own == "imageConfig":
                image.update(_config(name, raw))
            elif own in _IN_CONFIG:
                config[own] = whole_number(name, raw) if own == "seed" else raw
            elif own in _IN_BODY or name in deployment.allowed_openai_params or name in deployment.pinned:
                body[own] = raw
            else:
                foreign.append(name)
        demand_sayable(_NAME, foreign, deployment)
        if image:
            config["imageConfig"] = image
        return body

    def _output(self, left: dict[str, msgspec.Raw]) -> dict[str, object]:
        """``imageOutputOptions`` of OpenAI's two fields, which are taken out where there are words for them."""
        options: dict[str, object] = {}
        mime_type = _FORMATS.get(bytes(left.get(_FORMAT, b""))) if self._chooses_format else None
        if mime_type is not None:
            del left[_FORMAT]
            options["mimeType"] = mime_type
        if _COMPRESSION in left and mime_type == "image/jpeg":
            options["compressionQuality"] = whole_number(_COMPRESSION, left.pop(_COMPRESSION))
        return options


def _config(name: str, raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """``imageConfig`` of a client; in a form it is JSON in a text.

    Raises:
        Malformed: it is no object.
    """
    if bytes(raw).startswith(b'"'):
        raw = msgspec.Raw(decode_field(name, raw, _text).encode())
    return decode_field(name, raw, _object)


def _nothing_made(reply: _Reply, parts: list[_Part]) -> UpstreamFailed:
    if reply.prompt_feedback is not None and reply.prompt_feedback.block_reason:
        return no_pictures(_NAME, reply.prompt_feedback.block_reason)
    for candidate in reply.candidates:
        if candidate.finish_reason not in _ENDED_WELL:
            return no_pictures(_NAME, candidate.finish_message or str(candidate.finish_reason))
    words = "".join(part.text or "" for part in parts)[:_WORDS_MAX]
    return Broken(f"Gemini answered in words, not with a picture: {words}") if words else no_pictures(_NAME, "")


def _tokens(wire: UsageMetadata | None) -> PictureTokens | None:
    """The counts; where nothing is said of kinds, all that was made is pictures."""
    usage = read_usage(wire)
    if wire is None or usage is None:
        return None
    kinds = wire.candidates_tokens_details
    answered = usage.completion - usage.reasoning
    made = answered if not kinds else min(_images(kinds), answered)
    return PictureTokens(usage.prompt, usage.completion, min(_images(wire.prompt_tokens_details), usage.prompt), made)


def _images(kinds: Iterable[ModalityCount] | None) -> int:
    return sum(one.token_count or 0 for one in kinds or () if one.modality == "IMAGE")
