"""Pictures on Bedrock, by ``InvokeModel`` in the words of their makers: Amazon (Titan, Nova Canvas) and Stability.

Sources: https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-image.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html. A mask goes as it is:
Amazon's models repaint where it is black, Stability's where it is white.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Broken, GatewayError, Malformed, Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.bedrock_converse.errors import read_error
from pointsman.providers.extras.pictures import (
    PictureCall,
    camel,
    demand_sayable,
    no_pictures,
    number,
    read_picture_call,
    write_pictures,
)
from pointsman.providers.extras.sizes import STABILITY_RATIOS, nearest_ratio

__all__ = ["BedrockPictures"]

_Maker = Literal["amazon", "stability"]
_NAMES: Final[Mapping[_Maker, str]] = MappingProxyType({"amazon": "Amazon's model", "stability": "Stability's model"})
_AMAZONS: Final = ("amazon.nova-canvas", "amazon.titan-image")
_STABILITYS: Final = ("stability.sd3", "stability.stable-image", "stability.stable-")
_EDITORS: Final = ("upscale", "outpaint", "inpaint", "erase", "remove-background", "search-recolor", "search-replace",
                   "control-sketch", "control-structure", "style-guide", "style-transfer")  # fmt: skip
"""What the names of Stability's models that edit have in them; the others only make."""

_QUALITIES: Final = MappingProxyType(
    {"low": "standard", "medium": "standard", "standard": "standard", "hd": "premium", "high": "premium"}
)
"""What OpenAI's qualities are called by Amazon, which has two."""

_NUMBERS_OF_AMAZON: Final = frozenset({"cfgScale", "height", "seed", "width"})
_NEGATIVE: Final = frozenset({"negative_prompt", "negative_text", "negativePrompt", "negativeText"})
_WORDS_OF_STABILITY: Final = frozenset({
    "aspect_ratio", "mode", "negative_prompt", "output_format", "search_prompt", "select_prompt", "style_preset",
})  # fmt: skip
_NUMBERS_OF_STABILITY: Final = frozenset({
    "change_strength", "composition_fidelity", "control_strength", "creativity", "down", "fidelity", "grow_mask",
    "left", "right", "seed", "strength", "style_strength", "up",
})  # fmt: skip


class _Reply(msgspec.Struct):
    """``error`` is Amazon's, ``finish_reasons`` are Stability's: why a picture is missing."""

    images: list[str] = []
    error: str | None = None
    finish_reasons: list[str | None] = []


_decode: Final = msgspec.json.Decoder(_Reply).decode
_encode: Final = msgspec.json.Encoder().encode
_text: Final = msgspec.json.Decoder(str).decode


class BedrockPictures:
    """See :class:`pointsman.providers.extras.lane.ExtrasFar`.

    Args:
        path: Where the model is invoked.
        model: The model that it comes down to.
        clock: Tells when a picture was made, which Bedrock does not.
        error_of: What an error answer means, to whoever knows the keys.
    """

    def __init__(
        self,
        path: bytes,
        model: str,
        *,
        clock: Clock = SYSTEM_CLOCK,
        error_of: Callable[[int, bytes], GatewayError] = read_error,
    ) -> None:
        self._path = path
        self._model = model
        self._clock = clock
        self._error_of = error_of

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """See the protocol."""
        maker = _maker_of(self._model)
        call = read_picture_call(ask, deployment)
        if maker == "amazon":
            return Outbound(self._path, _encode(_for_amazon(call, deployment)))
        if (ask.operation is Operation.IMAGE_EDIT) is not any(word in self._model for word in _EDITORS):
            raise Unsupported(
                f"{self._model} is not for {'edits' if call.images else 'pictures from words alone'}.",
                hint="Stability has models that make pictures, and others that edit them.",
                param="model",
                code="unsupported_operation",
            )
        return Outbound(self._path, _encode(_for_stability(call, deployment, self._model)))

    def read(self, body: bytes, ask: Ask) -> bytes:
        """See the protocol."""
        try:
            reply = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Broken("Bedrock's answer is no list of pictures.") from None
        held_back = reply.error or next((reason for reason in reply.finish_reasons if reason), None)
        made = [data for data in reply.images if data]
        if not made:
            raise no_pictures("Bedrock", held_back or "")
        return write_pictures(made, int(self._clock.wall()))

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """See the protocol."""
        return self._error_of(status, body)


def _maker_of(model: str) -> _Maker:
    if any(name in model for name in _AMAZONS):
        return "amazon"
    if any(name in model for name in _STABILITYS) and "diffusion" not in model:
        return "stability"
    raise Unsupported(
        "This model of Bedrock cannot be asked for pictures here.",
        hint="Amazon Titan and Nova Canvas and Stability's newer models can.",
        param="model",
        code="unsupported_operation",
    )


def _for_amazon(call: PictureCall, deployment: Deployment) -> dict[str, object]:
    """The body for Titan and Nova Canvas.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    config: dict[str, object] = {"numberOfImages": call.count}
    if call.size is not None:
        config["width"], config["height"] = call.size
    task, place, params = _task_of(call)
    foreign = []
    for name, raw in call.extra.items():
        own = camel(name)
        if name in _NEGATIVE:
            params["negativeText"] = raw
        elif own in _NUMBERS_OF_AMAZON:
            config[own] = number(name, raw)
        elif name == "quality" and _word(name, raw) in _QUALITIES:
            config[name] = _QUALITIES[_word(name, raw)]
        elif (own == "similarityStrength" and task == "IMAGE_VARIATION") or (own == "maskPrompt" and place == _INSIDE):
            params[own] = raw if own == "maskPrompt" else number(name, raw)
        elif name == "output_format" and bytes(raw) == b'"png"':
            continue
        elif name in deployment.allowed_openai_params or name in deployment.pinned:
            config[own] = raw
        else:
            foreign.append(name)
    demand_sayable(_NAMES["amazon"], foreign, deployment)
    return {"taskType": task, place: params, "imageGenerationConfig": config}


_INSIDE: Final = "inPaintingParams"


def _task_of(call: PictureCall) -> tuple[str, str, dict[str, object]]:
    """The task, the name of its parameters, and these as far as they are the picture's and the prompt's."""
    if not call.images:
        return "TEXT_IMAGE", "textToImageParams", {"text": call.prompt}
    images = [picture.data for picture in call.images]
    asked = any(camel(name) == "maskPrompt" for name in call.extra)
    if call.mask is None and not asked:
        return "IMAGE_VARIATION", "imageVariationParams", {"images": images, "text": call.prompt}
    if len(images) > 1:
        raise Malformed("Only one image can be repainted within a mask.", param="image")
    mask: dict[str, object] = {} if call.mask is None else {"maskImage": call.mask.data}
    return "INPAINTING", _INSIDE, {"image": images[0], **mask, "text": call.prompt}


def _for_stability(call: PictureCall, deployment: Deployment, model: str) -> dict[str, object]:
    """The body for Stability's models, which make one picture at a time.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    body: dict[str, object] = {"prompt": call.prompt}
    foreign = ["n"] if call.count > 1 else []
    if call.size is not None and not call.images:
        body["aspect_ratio"] = nearest_ratio(call.size, STABILITY_RATIOS)
    elif call.size is not None:
        foreign.append("size")
    places = ("init_image", "style_image") if "style-transfer" in model else ("image",)
    if len(call.images) > len(places):
        raise Malformed(f"This model takes no more than {len(places)} images.", param="image")
    body.update(zip(places, (picture.data for picture in call.images), strict=False))
    if call.mask is not None:
        body["mask"] = call.mask.data
    for name, raw in call.extra.items():
        if name in _NUMBERS_OF_STABILITY:
            body[name] = number(name, raw)
        elif name in _WORDS_OF_STABILITY or name in deployment.allowed_openai_params or name in deployment.pinned:
            body[name] = raw
        else:
            foreign.append(name)
    demand_sayable(_NAMES["stability"], foreign, deployment)
    return body


def _word(name: str, raw: msgspec.Raw) -> str:
    try:
        return _text(raw)
    except msgspec.MsgspecError:
        raise Malformed(f"{name} must be a string.", param=name) from None
