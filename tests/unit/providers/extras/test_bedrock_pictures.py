"""Pictures on Bedrock: what Amazon's and Stability's models are sent, and what is made of their answers."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Broken, GatewayError, Malformed, Rejected, Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.core.usage import Units, Usage
from pointsman.dialects.openai_extras.dialect import ExtrasDialect
from pointsman.providers.extras import BedrockPictures, TranslatedExtrasLane
from pointsman.wire.multipart import FormPart, encode_form

PNG = b"\x89PNG\r\n\x1a\n-bytes"
DATA = base64.b64encode(PNG).decode()
NOVA = "us.amazon.nova-canvas-v1:0"
CORE = "stability.stable-image-core-v1:1"
INPAINT = "stability.stable-image-inpaint-v1:0"
TRANSFER = "stability.stable-style-transfer-v1:0"
IMAGE = FormPart("image", PNG, "a.png")
MASK = FormPart("mask", PNG, "m.png")


def lane(model: str, **changes: Any) -> TranslatedExtrasLane:
    made = Deployment("d", "m", "bedrock", model, f"bedrock/{model}", "https://b.invalid", None)
    return TranslatedExtrasLane(BedrockPictures(b"/invoke", model), msgspec.structs.replace(made, **changes))


def ask(**fields: Any) -> Ask:
    body = json.dumps({"model": "m", "prompt": "a cat", **fields}).encode()
    return ExtrasDialect().read_ask(body, Operation.IMAGE, None)


def edit(*parts: FormPart) -> Ask:
    body = encode_form((FormPart("model", b"m"), FormPart("prompt", b"a hat"), *parts), b"boundary")
    return ExtrasDialect().read_ask(body, Operation.IMAGE_EDIT, None)


def sent(asked: Ask, model: str, **changes: Any) -> Any:
    return json.loads(lane(model, **changes).write(asked).body)


@pytest.mark.parametrize("model", [NOVA, "amazon.titan-image-generator-v2:0"])
def test_amazons_models_make_pictures(model: str) -> None:
    asked = ask(
        n=2, size="1280x720", quality="medium", negative_prompt="dogs", cfg_scale=6.5, seed=3, output_format="png"
    )
    pinned = {"model_id": msgspec.Raw(b'"arn:x"')}
    assert sent(asked, model, pinned=pinned) == {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "a cat", "negativeText": "dogs"},
        "imageGenerationConfig": {
            "numberOfImages": 2, "width": 1280, "height": 720, "quality": "standard", "cfgScale": 6.5, "seed": 3,
        },
    }  # fmt: skip


@pytest.mark.parametrize(("said", "quality"), [("hd", "premium"), ("high", "premium"), ("low", "standard")])
def test_amazon_has_two_qualities(said: str, quality: str) -> None:
    assert sent(ask(quality=said), NOVA)["imageGenerationConfig"]["quality"] == quality


def test_amazons_models_edit_pictures() -> None:
    strength = FormPart("similarityStrength", b"0.7")
    assert sent(edit(IMAGE, strength), NOVA) == {
        "taskType": "IMAGE_VARIATION",
        "imageVariationParams": {"images": [DATA], "text": "a hat", "similarityStrength": 0.7},
        "imageGenerationConfig": {"numberOfImages": 1},
    }
    masked = sent(edit(IMAGE, MASK), NOVA)
    assert masked["taskType"] == "INPAINTING"
    assert masked["inPaintingParams"] == {"image": DATA, "maskImage": DATA, "text": "a hat"}
    named = sent(edit(IMAGE, FormPart("mask_prompt", b"the head")), NOVA)
    assert named["inPaintingParams"] == {"image": DATA, "maskPrompt": "the head", "text": "a hat"}
    with pytest.raises(Malformed, match="Only one image"):
        sent(edit(IMAGE, IMAGE, MASK), NOVA)


def test_stabilitys_models_make_pictures() -> None:
    asked = ask(size="1024x1792", output_format="jpeg", seed=1, negative_prompt="dogs", response_format="b64_json")
    assert sent(asked, CORE) == {
        "prompt": "a cat", "aspect_ratio": "9:16", "output_format": "jpeg", "seed": 1, "negative_prompt": "dogs",
    }  # fmt: skip


def test_stabilitys_models_edit_pictures() -> None:
    body = sent(edit(IMAGE, MASK, FormPart("grow_mask", b"5")), INPAINT)
    assert body == {"prompt": "a hat", "image": DATA, "mask": DATA, "grow_mask": 5}
    body = sent(edit(IMAGE, IMAGE), TRANSFER)
    assert body == {"prompt": "a hat", "init_image": DATA, "style_image": DATA}
    with pytest.raises(Malformed, match="no more than 1"):
        sent(edit(IMAGE, IMAGE), INPAINT)


@pytest.mark.parametrize(
    ("asked", "model", "param"),
    [
        (ask(style="vivid"), NOVA, "style"),
        (ask(quality="ultra"), NOVA, "quality"),
        (ask(output_format="webp"), NOVA, "output_format"),
        (ask(n=2), CORE, "n"),
        (ask(background="transparent"), CORE, "background"),
        (edit(IMAGE, FormPart("size", b"1024x1024")), INPAINT, "size"),
    ],
)
def test_what_cannot_be_said_is_refused_by_its_name_or_dropped(asked: Ask, model: str, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(asked, model)
    assert caught.value.param == param
    assert param not in sent(asked, model, drop_params=True)


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        (edit(IMAGE), CORE),
        (ask(), INPAINT),
        (ask(), "anthropic.claude-v2"),
        (ask(), "stability.stable-diffusion-xl-v1"),
    ],
)
def test_a_model_that_is_not_for_it_is_refused(asked: Ask, model: str) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(asked, model)
    assert caught.value.param == "model"


def test_an_answer_counts_its_pictures() -> None:
    answer = lane(NOVA).answer(ask(n=2))
    told = json.loads(answer.whole(json.dumps({"images": [DATA, DATA], "error": None}).encode()))
    assert told["data"] == [{"b64_json": DATA}, {"b64_json": DATA}]
    assert answer.usage == Usage(0, source="estimated", units=Units(images=2))


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({"images": [], "error": "All images were blocked."}, Rejected, "blocked"),
        ({"images": [], "finish_reasons": ["Filter reason: prompt"]}, Rejected, "Filter reason"),
        ({"images": []}, Broken, "without a picture"),
        ([], Broken, "no list"),
    ],
)
def test_an_answer_without_pictures_is_a_failure(body: Any, error: type[GatewayError], words: str) -> None:
    with pytest.raises(error, match=words):
        lane(NOVA).answer(ask()).whole(json.dumps(body).encode())
