"""Pictures of Gemini and Imagen: what is sent for OpenAI's words, and what is made of the answers."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Broken, Malformed, Rejected, Unsupported
from pointsman.core.rules import ParameterRules
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.core.usage import Units, Usage
from pointsman.dialects.openai_extras.dialect import ExtrasDialect
from pointsman.providers.extras import ExtrasFar, GeminiPictures, ImagenPictures, TranslatedExtrasLane
from pointsman.wire.multipart import FormPart, encode_form

PNG = b"\x89PNG\r\n\x1a\n-bytes"
DATA = base64.b64encode(PNG).decode()


class Clock:
    def wall(self) -> float:
        return 1000.9

    def monotonic(self) -> float:
        return 0.0


def deployment(model: str, **changes: Any) -> Deployment:
    made = Deployment("d", "m", "gemini", model, f"gemini/{model}", "https://g.invalid", None)
    return msgspec.structs.replace(made, **changes)


def path_of(of: Deployment, verb: str) -> bytes:
    return f"/models/{of.model}:{verb}".encode()


def lane(of: Deployment, *, vertex: bool = False) -> TranslatedExtrasLane:
    far: ExtrasFar = GeminiPictures(path_of, of.model, chooses_format=vertex, clock=Clock())
    if of.model.startswith("imagen"):
        far = ImagenPictures(path_of, of.model, edits=vertex, clock=Clock())
    return TranslatedExtrasLane(far, of)


def ask(**fields: Any) -> Ask:
    body = json.dumps({"model": "m", "prompt": "a cat", **fields}).encode()
    found = ExtrasDialect().read_ask(body, Operation.IMAGE, None)
    found.prompt_estimate = 9
    return found


def edit(*parts: FormPart) -> Ask:
    body = encode_form((FormPart("model", b"m"), FormPart("prompt", b"a hat"), *parts), b"boundary")
    return ExtrasDialect().read_ask(body, Operation.IMAGE_EDIT, None)


def sent(asked: Ask, of: Deployment, *, vertex: bool = False) -> Any:
    return json.loads(lane(of, vertex=vertex).write(asked).body)


IMAGEN = deployment("imagen-4.0-generate-001")
FLASH = deployment("gemini-2.5-flash-image")
PRO = deployment("gemini-3-pro-image")


def test_imagen_is_asked_by_predict() -> None:
    asked = ask(n=2, size="1536x1024", output_format="jpeg", output_compression=80, negative_prompt="dogs", seed=7,
                response_format="b64_json", quality="auto", user="u", metadata={"a": "b"})  # fmt: skip
    outbound = lane(IMAGEN).write(asked)
    assert outbound.path == b"/models/imagen-4.0-generate-001:predict"
    assert json.loads(outbound.body) == {
        "instances": [{"prompt": "a cat"}],
        "parameters": {
            "sampleCount": 2, "includeRaiReason": True, "aspectRatio": "4:3",
            "outputOptions": {"mimeType": "image/jpeg", "compressionQuality": 80}, "negativePrompt": "dogs", "seed": 7,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "size", "ratio", "grade"),
    [
        ("imagen-4.0-generate-001", "2048x2048", "1:1", "2K"),
        ("imagen-4.0-fast-generate-001", "2048x2048", "1:1", None),
        ("imagen-3.0-generate-002", "1024x1792", "9:16", None),
    ],
)
def test_imagen_has_ratios_and_grades_for_pixels(model: str, size: str, ratio: str, grade: str | None) -> None:
    said = sent(ask(size=size), deployment(model))["parameters"]
    assert (said["aspectRatio"], said.get("sampleImageSize")) == (ratio, grade)


@pytest.mark.parametrize(
    ("of", "size", "config"),
    [
        (FLASH, "1536x1024", {"aspectRatio": "3:2"}),
        (FLASH, "4096x4096", {"aspectRatio": "1:1"}),
        (PRO, "1024x1024", {"aspectRatio": "1:1"}),
        (PRO, "3840x2160", {"aspectRatio": "16:9", "imageSize": "2K"}),
        (PRO, "auto", None),
    ],
)
def test_gemini_is_asked_for_images_in_its_content(of: Deployment, size: str, config: Any) -> None:
    body = sent(ask(size=size, n=1), of)
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a cat"}]}]
    assert body["generationConfig"].pop("responseModalities") == ["TEXT", "IMAGE"]
    assert body["generationConfig"] == ({} if config is None else {"imageConfig": config})


def test_gemini_takes_its_own_words_and_the_operators() -> None:
    of = deployment("gemini-3-pro-image", pinned={"temperature": msgspec.Raw(b"0.5"), "new": msgspec.Raw(b"1")})
    body = sent(ask(n=2, imageConfig={"imageSize": "4K"}, tools=[{"googleSearch": {}}], seed=3), of)
    assert body["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"], "candidateCount": 2, "temperature": 0.5, "seed": 3,
        "imageConfig": {"imageSize": "4K"},
    }  # fmt: skip
    assert (body["tools"], body["new"]) == ([{"googleSearch": {}}], 1)


def test_the_format_is_chosen_on_vertex_only() -> None:
    asked = ask(output_format="jpeg", output_compression=50)
    config = sent(asked, FLASH, vertex=True)["generationConfig"]["imageConfig"]
    assert config == {"imageOutputOptions": {"mimeType": "image/jpeg", "compressionQuality": 50}}
    with pytest.raises(Unsupported, match="output_format") as caught:
        sent(asked, FLASH)
    assert caught.value.param == "output_format"


@pytest.mark.parametrize("of", [IMAGEN, FLASH])
@pytest.mark.parametrize(
    ("name", "value"), [("quality", "hd"), ("style", "vivid"), ("background", "transparent"), ("storageUri", "gs://x"),
                        ("output_format", "webp"), ("response_format", "url")]
)  # fmt: skip
def test_what_cannot_be_said_is_refused_by_its_name_or_dropped(of: Deployment, name: str, value: str) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(ask(**{name: value}), of)
    assert caught.value.param == name and name in caught.value.message
    plain = sent(ask(), of)
    assert sent(ask(**{name: value}), msgspec.structs.replace(of, drop_params=True)) == plain
    assert sent(ask(**{name: value}), msgspec.structs.replace(of, additional_drop_params=(name,))) == plain
    asked = ask(**{name: value})
    asked.rules = ParameterRules(True, (), ())
    assert sent(asked, of) == plain


def test_streams_and_odd_values_are_refused() -> None:
    with pytest.raises(Unsupported, match="stream"):
        sent(ask(stream=True), FLASH)
    for name, value in (("size", "big"), ("size", "0x5"), ("response_format", "png"), ("seed", "x")):
        with pytest.raises(Malformed) as caught:
            sent(ask(**{name: value}), FLASH)
        assert caught.value.param == name


def test_an_edit_is_sent_with_its_pictures() -> None:
    asked = edit(FormPart("image[]", PNG, "a", "application/octet-stream"), FormPart("size", b"1024x1024"),
                 FormPart("image[]", b"\xff\xd8\xff-", "b.jpg", "image/jpeg"), FormPart("n", b"2"))  # fmt: skip
    body = sent(asked, FLASH)
    jpeg = base64.b64encode(b"\xff\xd8\xff-").decode()
    assert body["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": DATA}},
        {"inlineData": {"mimeType": "image/jpeg", "data": jpeg}},
        {"text": "a hat"},
    ]
    assert body["generationConfig"]["candidateCount"] == 2
    with pytest.raises(Unsupported, match="mask"):
        sent(edit(FormPart("image", PNG, "a.png"), FormPart("mask", PNG, "m.png")), FLASH)


def test_imagen_edits_on_vertex_with_a_mask() -> None:
    asked = edit(FormPart("image", PNG, "a.png"), FormPart("mask", PNG, "m.png"))
    with pytest.raises(Unsupported, match="on Vertex AI only"):
        sent(asked, IMAGEN)
    body = sent(asked, deployment("imagen-3.0-capability-001"), vertex=True)
    picture = {"bytesBase64Encoded": DATA, "mimeType": "image/png"}
    assert body["instances"] == [{
        "prompt": "a hat",
        "referenceImages": [
            {"referenceType": "REFERENCE_TYPE_RAW", "referenceId": 1, "referenceImage": picture},
            {"referenceType": "REFERENCE_TYPE_MASK", "referenceId": 2, "referenceImage": picture,
             "maskImageConfig": {"maskMode": "MASK_MODE_USER_PROVIDED", "dilation": 0.03}},
        ],
    }]  # fmt: skip
    assert body["parameters"]["editMode"] == "EDIT_MODE_INPAINT_INSERTION"


def test_references_of_an_edit_have_to_hold_their_data() -> None:
    def asked(**reference: str) -> Ask:
        body = {"model": "m", "prompt": "a hat", "images": [reference]}
        return ExtrasDialect().read_ask(json.dumps(body).encode(), Operation.IMAGE_EDIT, None)

    parts = sent(asked(image_url=f"data:image/png;base64,{DATA}"), FLASH)["contents"][0]["parts"]
    assert parts[0] == {"inlineData": {"mimeType": "image/png", "data": DATA}}
    for reference in ({"image_url": "https://x.invalid/a.png"}, {"file_id": "f"}):
        with pytest.raises(Unsupported, match=r"images\[0\]"):
            sent(asked(**reference), FLASH)
    with pytest.raises(Malformed, match="not valid base64"):
        sent(asked(image_url="data:image/png;base64,%%"), FLASH)


def answered(of: Deployment, body: Any) -> tuple[Any, Usage]:
    answer = lane(of).answer(ask())
    told = json.loads(answer.whole(json.dumps(body).encode()))
    return told, answer.usage


def test_an_answer_of_imagen_counts_its_pictures() -> None:
    predictions = [{"bytesBase64Encoded": DATA, "mimeType": "image/png"}, {"raiFilteredReason": "one held back"}]
    told, usage = answered(IMAGEN, {"predictions": predictions})
    assert told == {"created": 1000, "data": [{"b64_json": DATA}]}
    assert usage == Usage(9, source="estimated", units=Units(images=1))


def test_an_answer_of_gemini_counts_its_tokens() -> None:
    parts = [
        {"text": "Let me see", "thought": True},
        {"inlineData": {"mimeType": "image/png", "data": "ZHJhZnQ="}, "thought": True},
        {"text": "Here:"},
        {"inlineData": {"mimeType": "image/png", "data": DATA}},
    ]
    counts = {
        "promptTokenCount": 300, "candidatesTokenCount": 1300, "thoughtsTokenCount": 50, "totalTokenCount": 1650,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 42}, {"modality": "IMAGE", "tokenCount": 258}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
    }  # fmt: skip
    told, usage = answered(FLASH, {"candidates": [{"content": {"parts": parts}}], "usageMetadata": counts})
    assert told["data"] == [{"b64_json": DATA}]
    assert told["usage"] == {
        "input_tokens": 300, "output_tokens": 1350, "total_tokens": 1650,
        "input_tokens_details": {"text_tokens": 42, "image_tokens": 258},
        "output_tokens_details": {"text_tokens": 60, "image_tokens": 1290},
    }  # fmt: skip
    units = Units(images=1, image_input=258, image_output=1290)
    assert usage == Usage(300, 1350, source="measured", units=units)


@pytest.mark.parametrize(
    ("of", "body", "error", "words"),
    [
        (IMAGEN, {}, Broken, "without a picture"),
        (IMAGEN, {"predictions": [{"raiFilteredReason": "Unsafe 58061214"}]}, Rejected, "Unsafe 58061214"),
        (FLASH, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, Rejected, "PROHIBITED_CONTENT"),
        (FLASH, {"candidates": [{"finishReason": "IMAGE_SAFETY"}]}, Rejected, "IMAGE_SAFETY"),
        (FLASH, {"candidates": [{"content": {"parts": [{"text": "I will not."}]}, "finishReason": "STOP"}]}, Broken,
         "I will not."),
        (FLASH, {"candidates": 5}, Broken, "cannot be read"),
        (IMAGEN, [], Broken, "no list of pictures"),
    ],
)  # fmt: skip
def test_an_answer_without_pictures_is_a_failure(of: Deployment, body: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        answered(of, body)


def test_an_error_of_googles_is_told() -> None:
    body = json.dumps({"error": {"code": 400, "message": "Bad ratio", "status": "INVALID_ARGUMENT"}}).encode()
    error = lane(IMAGEN).answer(ask()).rejected(400, body, 2.0)
    assert (error.status, error.message, error.retry_after) == (400, "Bad ratio", 2.0)
