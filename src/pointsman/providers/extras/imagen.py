"""Pictures of Google's Imagen, by ``predict``, which Gemini's own API and Vertex AI have alike.

Sources: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api (parameters),
…/model-reference/imagen-api-edit (reference images), https://ai.google.dev/gemini-api/docs/imagen. A mask goes as it
is: Imagen paints where it is white, while OpenAI's models paint where it is transparent.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Broken, Unsupported, UpstreamFailed
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.gemini.errors import read_error
from pointsman.providers.extras.pictures import (
    Picture,
    PictureCall,
    camel,
    demand_sayable,
    no_pictures,
    read_picture_call,
    whole_number,
    write_pictures,
)
from pointsman.providers.extras.sizes import IMAGEN_RATIOS, grade_of, nearest_ratio
from pointsman.providers.translated.gemini import PathOf

__all__ = ["ImagenPictures", "is_imagen"]

_IMAGENS: Final = ("imagen", "virtual-try-on")
_NAME: Final = "Imagen"
_OWN: Final = frozenset({
    "addWatermark", "aspectRatio", "enhancePrompt", "guidanceScale", "includeSafetyAttributes", "language",
    "negativePrompt", "outputOptions", "personGeneration", "safetySetting", "sampleImageSize", "seed",
    # For edits.
    "editConfig", "editMode",
})  # fmt: skip
"""Parameters that a client may set in Imagen's own words. Not ``storageUri``: that is the operator's account."""

_FORMATS: Final = MappingProxyType({
    b'"png"': "image/png", b'"jpeg"': "image/jpeg", b'"jpg"': "image/jpeg",
})  # fmt: skip
_FORMAT, _COMPRESSION = "output_format", "output_compression"
_LARGE: Final = "2K"
_MASKED: Final = "EDIT_MODE_INPAINT_INSERTION"
_DILATION: Final = 0.03


class _Prediction(msgspec.Struct, rename="camel"):
    bytes_base64_encoded: str | None = None
    rai_filtered_reason: str | None = None


class _Reply(msgspec.Struct):
    predictions: list[_Prediction] = []


_decode: Final = msgspec.json.Decoder(_Reply).decode
_encode: Final = msgspec.json.Encoder().encode


def is_imagen(model: str) -> bool:
    """Whether a model of Google's is asked by ``predict``, by its name."""
    return model.removeprefix("models/").startswith(_IMAGENS)


class ImagenPictures:
    """See :class:`pointsman.providers.extras.lane.ExtrasFar`. ``edits``: whether there is such a thing there."""

    def __init__(self, path_of: PathOf, model: str, *, edits: bool, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path_of = path_of
        self._model = model
        self._edits = edits
        self._clock = clock

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """See the protocol."""
        if ask.operation is Operation.IMAGE_EDIT and not self._edits:
            raise Unsupported(
                "Imagen edits pictures on Vertex AI only.",
                hint="Choose a Gemini model that makes images, or Imagen on Vertex AI.",
                param="model",
                code="unsupported_operation",
            )
        call = read_picture_call(ask, deployment)
        instance: dict[str, object] = {"prompt": call.prompt}
        if call.images:
            instance["referenceImages"] = _references(call)
        body = _encode({"instances": [instance], "parameters": _parameters(call, deployment)})
        return Outbound(self._path_of(deployment, "predict"), body)

    def read(self, body: bytes, ask: Ask) -> bytes:
        """See the protocol."""
        try:
            found = _decode(body).predictions
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Broken("Imagen's answer is no list of pictures.") from None
        made = [one.bytes_base64_encoded for one in found if one.bytes_base64_encoded]
        if not made:
            raise no_pictures(_NAME, next((one.rai_filtered_reason for one in found if one.rai_filtered_reason), ""))
        return write_pictures(made, int(self._clock.wall()))

    def read_error(self, status: int, body: bytes) -> UpstreamFailed:
        """See the protocol."""
        return read_error(status, body, self._model)


def _parameters(call: PictureCall, deployment: Deployment) -> dict[str, object]:
    """``parameters``; why a picture is held back is only told to who asks.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    said: dict[str, object] = {"sampleCount": call.count, "includeRaiReason": True}
    if call.size is not None:
        said["aspectRatio"] = nearest_ratio(call.size, IMAGEN_RATIOS)
        if grade_of(call.size) != "1K" and "imagen-4" in deployment.model and "fast" not in deployment.model:
            said["sampleImageSize"] = _LARGE
    if call.mask is not None:
        said["editMode"] = _MASKED
    left = dict(call.extra)
    output = _output(left)
    if output:
        said["outputOptions"] = output
    foreign = []
    for name, raw in left.items():
        own = camel(name)
        if own in _OWN or name in deployment.allowed_openai_params or name in deployment.pinned:
            said[own] = whole_number(name, raw) if own == "seed" else raw
        else:
            foreign.append(name)
    demand_sayable(_NAME, foreign, deployment)
    return said


def _output(left: dict[str, msgspec.Raw]) -> dict[str, object]:
    """``outputOptions`` of OpenAI's two fields, which are taken out where Imagen has words for them."""
    options: dict[str, object] = {}
    mime_type = _FORMATS.get(bytes(left.get(_FORMAT, b"")))
    if mime_type is not None:
        del left[_FORMAT]
        options["mimeType"] = mime_type
    if _COMPRESSION in left and mime_type == "image/jpeg":
        options["compressionQuality"] = whole_number(_COMPRESSION, left.pop(_COMPRESSION))
    return options


def _references(call: PictureCall) -> list[dict[str, object]]:
    """``referenceImages``, numbered from one."""
    found = [_reference("RAW", number, picture) for number, picture in enumerate(call.images, 1)]
    if call.mask is not None:
        mask = _reference("MASK", len(found) + 1, call.mask)
        config = {"maskMode": "MASK_MODE_USER_PROVIDED", "dilation": _DILATION}
        found.append({**mask, "maskImageConfig": config})
    return found


def _reference(kind: str, number: int, picture: Picture) -> dict[str, object]:
    image = {"bytesBase64Encoded": picture.data, "mimeType": picture.mime_type}
    return {"referenceType": f"REFERENCE_TYPE_{kind}", "referenceId": number, "referenceImage": image}
