"""Pictures of providers that make them in words of their own, through OpenAI's SDK, priced by the catalogue."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.gateway import Gateway
from tests.upstreams.google_server import FakeGoogle
from tests.upstreams.reply import Reply

PNG = b"\x89PNG\r\n\x1a\n-bytes"
DATA = base64.b64encode(PNG).decode()
MADE = {"predictions": [{"bytesBase64Encoded": DATA, "mimeType": "image/png"}] * 2}
COUNTS = {
    "promptTokenCount": 10, "candidatesTokenCount": 1290, "totalTokenCount": 1300,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
}  # fmt: skip
DRAWN = {
    "candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": DATA}}]}}],
    "usageMetadata": COUNTS,
}
VERTEX = "/v1/projects/the-project/locations/europe-west4/publishers/google/models"


class House:
    """A gateway before Gemini's own API and Vertex AI."""

    def __init__(self, gateway: Gateway, google: FakeGoogle) -> None:
        self.gateway = gateway
        self.google = google
        self.sdk = gateway.openai()

    def cost(self, answer: Any) -> float:
        return float(answer.headers["x-litellm-response-cost"])


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeGoogle() as google:
        studio = {"api_base": google.url, "api_key": google.key}
        vertex = {"api_base": google.url, "vertex_location": "europe-west4",
                  "vertex_credentials": google.service_account()}  # fmt: skip
        entries = [
            {"model_name": "imagen", "litellm_params": {"model": "gemini/imagen-4.0-generate-001", **studio},
             "model_info": {"mode": "image_generation", "output_cost_per_image": 0.04}},
            {"model_name": "banana", "litellm_params": {"model": "gemini/gemini-2.5-flash-image", **studio}},
            {"model_name": "vertex", "litellm_params": {"model": "vertex_ai/imagen-3.0-capability-001", **vertex},
             "model_info": {"mode": "image_generation", "output_cost_per_image": 0.04}},
        ]  # fmt: skip
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, google)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    running.google.forget()
    yield running
    running.google.clear()


def test_imagen_makes_pictures_at_a_price_each(house: House) -> None:
    house.google.script(Reply.json(MADE))
    raw = house.sdk.images.with_raw_response.generate(model="imagen", prompt="a cat", n=2, size="1024x1024")
    assert [one.b64_json for one in raw.parse().data or ()] == [DATA, DATA]
    request = house.google.inference[-1]
    assert request.target == "/v1beta/models/imagen-4.0-generate-001:predict"
    assert request.header("x-goog-api-key") == house.google.key
    assert request.json()["parameters"] == {"sampleCount": 2, "includeRaiReason": True, "aspectRatio": "1:1"}
    assert house.cost(raw) == pytest.approx(0.08)


def test_gemini_makes_pictures_at_the_price_of_their_tokens_only(house: House) -> None:
    house.google.script(Reply.json(DRAWN))
    raw = house.sdk.images.with_raw_response.generate(model="banana", prompt="a cat")
    told = raw.parse()
    assert [one.b64_json for one in told.data or ()] == [DATA]
    assert told.usage is not None and told.usage.output_tokens == 1290
    assert house.google.inference[-1].target == "/v1beta/models/gemini-2.5-flash-image:generateContent"
    assert house.cost(raw) == pytest.approx(10 * 3e-7 + 1290 * 3e-5)


def test_pictures_are_edited_on_vertex_with_its_token(house: House) -> None:
    house.google.script(Reply.json(MADE))
    told = house.sdk.images.edit(model="vertex", prompt="a hat", image=("a.png", PNG), mask=("m.png", PNG))
    assert len(told.data or ()) == 2
    request = house.google.inference[-1]
    assert request.target == f"{VERTEX}/imagen-3.0-capability-001:predict"
    assert (request.header("authorization") or "").startswith("Bearer google-token-")
    assert len(request.json()["instances"][0]["referenceImages"]) == 2


def test_a_picture_held_back_and_a_foreign_field_are_told(house: House) -> None:
    house.google.script(Reply.json({"predictions": [{"raiFilteredReason": "Unsafe words."}]}))
    with pytest.raises(openai.BadRequestError, match="Unsafe words") as caught:
        house.sdk.images.generate(model="imagen", prompt="a cat")
    assert caught.value.code == "content_policy_violation"
    with pytest.raises(openai.BadRequestError, match="quality") as refused:
        house.sdk.images.generate(model="imagen", prompt="a cat", quality="hd")
    assert refused.value.param == "quality"
